//! One output of a call, as rows that can be cut and joined.
//!
//! Knows nothing of what computed it. Invariant: `data` holds exactly what datatype and shape call for.

use std::ops::Range;

use spec::tensor::{Datatype, Tensor};

/// One output of a call: values of `shape`, as the protocol writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) datatype: Datatype,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<u8>,
    /// Where in `data` each text ends; empty for numbers.
    ends: Vec<usize>,
}

impl Output {
    /// Numbers as the protocol writes them; the caller has counted them.
    pub(crate) fn of_numbers(datatype: Datatype, shape: Vec<usize>, data: Vec<u8>) -> Self {
        Self { datatype, shape, data, ends: Vec::new() }
    }

    /// Texts as the protocol writes them, and where each ends.
    pub(crate) fn of_texts(shape: Vec<usize>, data: Vec<u8>, ends: Vec<usize>) -> Self {
        Self { datatype: Datatype::Bytes, shape, data, ends }
    }

    /// A tensor that was checked when it was read from a frame.
    pub(crate) fn of_tensor(datatype: Datatype, shape: Vec<usize>, data: &bytes::Bytes) -> Self {
        let (name, bytes) = (String::new(), data.to_vec());
        if datatype != Datatype::Bytes {
            return Self::of_numbers(datatype, shape, bytes);
        }
        let texts = Tensor { name, datatype, shape: Vec::new(), data: data.clone() };
        let ends = texts.elements().scan(0, |end, text| {
            *end += 4 + text.len();
            Some(*end)
        });
        Self::of_texts(shape, bytes, ends.collect())
    }

    /// Rows: the first dimension, where there is one.
    pub(crate) fn n_rows(&self) -> Option<usize> {
        self.shape.first().copied()
    }

    /// The bytes of some of its rows.
    pub(crate) fn rows(&self, rows: Range<usize>) -> &[u8] {
        let (start, end) = (self.offset(rows.start), self.offset(rows.end));
        self.data.get(start..end).unwrap_or(&[])
    }

    /// The shape of `n` of its rows.
    pub(crate) fn shape_of(&self, n_rows: usize) -> Vec<usize> {
        let mut shape = self.shape.clone();
        if let Some(first) = shape.first_mut() {
            *first = n_rows;
        }
        shape
    }

    /// Some of its rows, for themselves.
    pub(crate) fn cut(&self, rows: Range<usize>) -> Self {
        let (shape, data) = (self.shape_of(rows.len()), self.rows(rows.clone()).to_vec());
        let start = self.offset(rows.start);
        let row_elements = self.row_elements();
        let elements = rows.start * row_elements..rows.end * row_elements;
        let ends = self.ends.get(elements).unwrap_or(&[]).iter().map(|end| end - start).collect();
        Self { datatype: self.datatype, shape, data, ends }
    }

    /// Puts the rows of another behind its own; false where they are of another shape or type.
    pub(crate) fn append(&mut self, other: Self) -> bool {
        let rows = self.n_rows().unwrap_or(0) + other.n_rows().unwrap_or(0);
        if self.datatype != other.datatype || self.shape_of(0) != other.shape_of(0) {
            return false;
        }
        let before = self.data.len();
        self.shape = self.shape_of(rows);
        self.data.extend(other.data);
        self.ends.extend(other.ends.into_iter().map(|end| before + end));
        true
    }

    fn row_elements(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// Where in the data a row begins.
    fn offset(&self, row: usize) -> usize {
        match self.datatype.n_bytes() {
            Some(width) => row * self.row_elements() * width,
            None => match row * self.row_elements() {
                0 => 0,
                n => self.ends.get(n - 1).copied().unwrap_or(self.data.len()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(values: &[&str], shape: &[usize]) -> Output {
        let (mut data, mut ends) = (Vec::new(), Vec::new());
        for value in values {
            data.extend((value.len() as u32).to_le_bytes());
            data.extend(value.as_bytes());
            ends.push(data.len());
        }
        Output::of_texts(shape.into(), data, ends)
    }

    #[test]
    fn rows_that_were_cut_join_to_the_same() {
        let all = text(&["a", "", "ccc", "dd", "e", "f"], &[3, 2]);
        let mut joined = all.cut(0..1);
        assert_eq!(joined, text(&["a", ""], &[1, 2]));
        assert!(joined.append(all.cut(1..3)));
        assert_eq!(joined, all);

        let numbers = Output {
            datatype: Datatype::Int16,
            shape: vec![3, 1],
            data: vec![1, 0, 2, 0, 3, 0],
            ends: vec![],
        };
        assert_eq!(numbers.rows(1..3), [2, 0, 3, 0]);
        assert!(!numbers.cut(0..1).append(text(&["a"], &[1, 1])));
    }
}
