//! Rows of a request, read straight into tensors: lists, lists of lists, objects by name, CSV.
//!
//! No tree of values is built on the way. Knows the plan and nothing of HTTP. Invariant: every row fills every
//! column exactly once, or the request is refused with the row and the column named.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use spec::frame::IndexedTensor;

use super::Misfit;
use super::plan::{Column, Fill, Plan};
use super::scalar::{self, Flat, Scalar};

/// Collects rows.
#[derive(Debug)]
pub struct Rows<'p> {
    plan: &'p Plan,
    /// The column of each value in a row, where the request named its columns.
    order: Option<Vec<usize>>,
    data: Vec<Vec<u8>>,
    n_rows: usize,
    /// For rows by name: the place of each column's bytes in `scratch`.
    scratch: Vec<Option<Vec<u8>>>,
}

impl<'p> Rows<'p> {
    pub fn new(plan: &'p Plan) -> Self {
        let n_buffers = match &plan.fill {
            Fill::One { .. } => 1,
            Fill::Each { inputs } => inputs.len(),
        };
        Self { plan, order: None, data: vec![Vec::new(); n_buffers], n_rows: 0, scratch: Vec::new() }
    }

    /// Says in which order the columns come.
    pub fn set_columns<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Result<(), Misfit> {
        let mut order = Vec::new();
        for name in names {
            let column = self.find(name)?;
            if order.contains(&column) {
                return Err(Misfit(format!("the column `{}` came twice", shorten(name))));
            }
            order.push(column);
        }
        if let Some(missing) = (0..self.plan.columns.len()).find(|column| !order.contains(column)) {
            let name = &self.plan.columns[missing].name;
            return Err(Misfit(format!("the column `{name}` is missing")));
        }
        let is_identity = order.iter().enumerate().all(|(place, column)| place == *column);
        self.order = (!is_identity).then_some(order);
        Ok(())
    }

    /// Reads a JSON list of rows.
    pub fn read_json(&mut self, json: &str) -> Result<(), Misfit> {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        RowList(self).deserialize(&mut deserializer).map_err(|error| misfit(&error))
    }

    /// Reads one row of texts, such as a line of CSV or the fields of a form.
    pub fn read_texts<'t>(&mut self, texts: impl IntoIterator<Item = &'t str>) -> Result<(), Misfit> {
        let mut row = RowOf { rows: self, n_values: 0 };
        for text in texts {
            row.push(&Scalar::Text(text)).map_err(Misfit)?;
        }
        row.finish().map_err(Misfit)
    }

    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// The tensors that the rows became.
    pub fn into_tensors(self) -> Result<Vec<IndexedTensor>, Misfit> {
        if self.n_rows == 0 {
            return Err(Misfit("no rows came; at least one is wanted".to_owned()));
        }
        let Self { plan, data, n_rows, .. } = self;
        let mut data = data.into_iter();
        let mut tensor = |index, datatype, shape| IndexedTensor {
            index,
            datatype,
            shape,
            data: Bytes::from(data.next().unwrap_or_default()),
        };
        Ok(match &plan.fill {
            Fill::One { row_shape } => {
                let shape = std::iter::once(n_rows).chain(row_shape.iter().copied()).collect();
                vec![tensor(0, plan.columns[0].datatype, shape)]
            }
            Fill::Each { inputs } => (inputs.iter().zip(&plan.columns))
                .map(|(input, column)| {
                    let shape = if input.is_column { vec![n_rows, 1] } else { vec![n_rows] };
                    tensor(input.index, column.datatype, shape)
                })
                .collect(),
        })
    }

    fn find(&self, name: &str) -> Result<usize, Misfit> {
        self.plan.column_named(name).ok_or_else(|| {
            let known: Vec<_> = self.plan.columns.iter().take(8).map(|c| format!("`{}`", c.name)).collect();
            let more = if self.plan.columns.len() > 8 { ", …" } else { "" };
            Misfit(format!("the model has no column `{}`; it has {}{more}", shorten(name), known.join(", ")))
        })
    }

    fn buffer(&mut self, column: usize) -> &mut Vec<u8> {
        match self.plan.fill {
            Fill::One { .. } => &mut self.data[0],
            Fill::Each { .. } => &mut self.data[column],
        }
    }
}

/// The row that is being read.
struct RowOf<'r, 'p> {
    rows: &'r mut Rows<'p>,
    n_values: usize,
}

impl RowOf<'_, '_> {
    fn push(&mut self, value: &Scalar<'_>) -> Result<(), String> {
        let n_columns = self.rows.plan.columns.len();
        let place = self.n_values;
        self.n_values += 1;
        if place >= n_columns {
            return Err(format!("row {} has more than the {n_columns} values wanted", self.rows.n_rows));
        }
        let plan = self.rows.plan;
        let Some(order) = &self.rows.order else {
            let row = self.rows.n_rows;
            return put(self.rows.buffer(place), &plan.columns[place], row, value);
        };
        let column = order[place];
        self.hold(column, value)
    }

    /// Keeps a value that came out of order until its row is complete.
    fn hold(&mut self, column: usize, value: &Scalar<'_>) -> Result<(), String> {
        let plan = self.rows.plan;
        let mut bytes = Vec::new();
        put(&mut bytes, &plan.columns[column], self.rows.n_rows, value)?;
        self.rows.scratch.resize(plan.columns.len(), None);
        match self.rows.scratch[column].replace(bytes) {
            None => Ok(()),
            Some(_) => Err(format!("row {}: `{}` came twice", self.rows.n_rows, plan.columns[column].name)),
        }
    }

    fn finish(self) -> Result<(), String> {
        let Self { rows, n_values } = self;
        let row = rows.n_rows;
        let n_columns = rows.plan.columns.len();
        if !rows.scratch.is_empty() {
            let scratch = std::mem::take(&mut rows.scratch);
            for (column, bytes) in scratch.into_iter().enumerate() {
                let name = &rows.plan.columns[column].name;
                let bytes = bytes.ok_or_else(|| format!("row {row}: `{name}` is missing"))?;
                rows.buffer(column).extend_from_slice(&bytes);
            }
        } else if n_values != n_columns {
            return Err(format!("row {row} has {n_values} values; {n_columns} are wanted"));
        }
        rows.n_rows += 1;
        Ok(())
    }
}

fn put(out: &mut Vec<u8>, column: &Column, row: usize, value: &Scalar<'_>) -> Result<(), String> {
    let value = &column.texts.meant(value.clone());
    if let Scalar::Text(text) = value
        && !column.categories.is_empty()
        && !column.categories.iter().any(|category| category == text)
    {
        let allowed: Vec<_> = column.categories.iter().take(10).map(|c| format!("`{c}`")).collect();
        return Err(format!(
            "row {row}, `{}`: {value} came, one of {} is wanted",
            column.name,
            allowed.join(", ")
        ));
    }
    scalar::push(out, column.datatype, value).map_err(|what| format!("row {row}, `{}`: {what}", column.name))
}

fn misfit(error: &serde_json::Error) -> Misfit {
    Misfit(error.to_string())
}

fn shorten(name: &str) -> String {
    name.chars().take(80).collect()
}

struct RowList<'r, 'p>(&'r mut Rows<'p>);

impl<'de> DeserializeSeed<'de> for RowList<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for RowList<'_, '_> {
    type Value = ();
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(OneRow(self.0))?.is_some() {}
        Ok(())
    }
}

struct OneRow<'r, 'p>(&'r mut Rows<'p>);

impl<'de> DeserializeSeed<'de> for OneRow<'_, '_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

macro_rules! lone_value {
    ($($method:ident($type:ty) => $scalar:expr;)+) => {
        $( fn $method<E: serde::de::Error>(self, value: $type) -> Result<(), E> {
            let mut row = RowOf { rows: self.0, n_values: 0 };
            let scalar = ($scalar)(value);
            row.push(&scalar).and_then(|()| row.finish()).map_err(E::custom)
        } )+
    };
}

impl<'de> Visitor<'de> for OneRow<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row: a list of values, or an object of values by name")
    }

    lone_value! {
        visit_bool(bool) => Scalar::Bool;
        visit_i64(i64) => Scalar::Signed;
        visit_u64(u64) => Scalar::Unsigned;
        visit_f64(f64) => Scalar::Float;
        visit_str(&str) => Scalar::Text;
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut row = RowOf { rows: self.0, n_values: 0 };
        {
            let mut flat = Flat(|value: Scalar<'_>| row.push(&value));
            while list.next_element_seed(&mut flat)?.is_some() {}
        }
        row.finish().map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut row = RowOf { rows: self.0, n_values: 0 };
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            // The bytes of the only column may stand for themselves.
            if name == scalar::BASE64_KEY && row.rows.plan.columns.len() == 1 && row.rows.find(&name).is_err()
            {
                let text = map.next_value::<Cow<'de, str>>()?;
                row.hold(0, &Scalar::Base64(&text)).map_err(A::Error::custom)?;
                continue;
            }
            let column = row.rows.find(&name).map_err(A::Error::custom)?;
            let mut n_values = 0;
            let mut flat = Flat(|value: Scalar<'_>| {
                n_values += 1;
                row.hold(column, &value)
            });
            map.next_value_seed(&mut flat)?;
            if n_values != 1 {
                return Err(A::Error::custom(format!("`{name}` has {n_values} values; one is wanted")));
            }
        }
        row.rows.scratch.resize(row.rows.plan.columns.len(), None);
        row.finish().map_err(A::Error::custom)
    }
}

#[cfg(test)]
mod tests;
