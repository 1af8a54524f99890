//! Text in columns.
//!
//! Knows nothing of what the cells mean, except that numbers stand to the right.

use std::fmt;

/// A table with a header.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new(header: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { header: header.into_iter().map(Into::into).collect(), rows: Vec::new() }
    }

    /// Adds a row; it has a cell for each column.
    pub fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    fn column(&self, index: usize) -> Column {
        let cells = || self.rows.iter().filter_map(move |row| row.get(index));
        let head = self.header.get(index).map_or(0, |cell| width(cell));
        Column {
            width: cells().map(|cell| width(cell)).max().unwrap_or(0).max(head),
            is_numeric: cells().count() > 0 && cells().all(|cell| cell.parse::<f64>().is_ok()),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<Column> = (0..self.header.len()).map(|index| self.column(index)).collect();
        for row in std::iter::once(&self.header).chain(&self.rows) {
            let cells = row.iter().zip(&columns).map(|(cell, column)| column.pad(cell));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

struct Column {
    width: usize,
    is_numeric: bool,
}

impl Column {
    fn pad(&self, cell: &str) -> String {
        let space = " ".repeat(self.width.saturating_sub(width(cell)));
        if self.is_numeric { format!("{space}{cell}") } else { format!("{cell}{space}") }
    }
}

fn width(cell: &str) -> usize {
    cell.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        let mut table = Table::new(["name", "score"]);
        table.push(vec!["setosa".into(), "0.5".into()]);
        table.push(vec!["rosé".into(), "12.25".into()]);
        assert_eq!(table.to_string(), "name    score\nsetosa    0.5\nrosé    12.25\n");
    }
}
