//! Values of a row of any table, and their form in a line.
//!
//! Invariant: a value is read back as what it was; of the kinds there are those that both databases mean the same by.

use serde::{Deserialize, Serialize};
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;
use sqlx::{Column, FromRow, Row, TypeInfo};

use crate::Error;
use crate::db::query::Value;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Integer,
    Text,
    Boolean,
}

impl Kind {
    /// As a database calls it: `BIGINT` and its relatives, `BOOLEAN`, or a text.
    pub(super) fn of_declared(name: &str) -> Self {
        match name {
            name if name.contains("INT") => Self::Integer,
            name if name.contains("BOOL") => Self::Boolean,
            _ => Self::Text,
        }
    }
}

/// A value, or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Cell {
    Boolean(bool),
    Integer(i64),
    Text(String),
    None,
}

impl Cell {
    /// The value for a column of that kind.
    pub(super) fn value(self, kind: Kind) -> Result<Value, Error> {
        match (self, kind) {
            (Self::Integer(n), Kind::Integer) => Ok(n.into()),
            (Self::Text(text), Kind::Text) => Ok(text.into()),
            (Self::Boolean(is_true), Kind::Boolean) => Ok(is_true.into()),
            (Self::None, Kind::Integer) => Ok(Value::Integer(None)),
            (Self::None, Kind::Text) => Ok(Value::Text(None)),
            (cell, kind) => Err(Error::Dump(format!("{cell:?} stands where {kind:?} was expected"))),
        }
    }
}

/// A row.
pub(super) struct Cells(pub(super) Vec<Cell>);

macro_rules! from_row {
    ($($row:ty),+) => {$(
        impl<'r> FromRow<'r, $row> for Cells {
            fn from_row(row: &'r $row) -> sqlx::Result<Self> {
                let cell = |n: usize| Ok(match Kind::of_declared(row.column(n).type_info().name()) {
                    Kind::Integer => row.try_get::<Option<i64>, _>(n)?.map_or(Cell::None, Cell::Integer),
                    Kind::Boolean => row.try_get::<Option<bool>, _>(n)?.map_or(Cell::None, Cell::Boolean),
                    Kind::Text => row.try_get::<Option<String>, _>(n)?.map_or(Cell::None, Cell::Text),
                });
                (0..row.len()).map(cell).collect::<sqlx::Result<Vec<Cell>>>().map(Self)
            }
        }
    )+};
}

from_row!(SqliteRow, PgRow);
