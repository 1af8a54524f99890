//! Rows to probe the model with: those pushed with it, or made up from the shapes of its inputs.
//!
//! Knows nothing of what the rows mean. Invariant: what it gives is a request that the model's inputs accept;
//! the same model and file give the same rows.

use std::path::Path;

use bytes::Bytes;
use serde_json::Value;
use spec::frame::{Id, Method};
use spec::manifest::Examples;
use spec::tensor::{Datatype, TensorSpec};

use crate::model::{Asking, Model};
use crate::request::{Column, Request};

/// Most rows that are tried.
const MOST_ROWS: usize = 16;
/// Rows that are made up where there are none.
const MADE_UP_ROWS: usize = 8;

/// For each input, the shape and the bytes of one row.
type Row = Vec<(Vec<usize>, Vec<u8>)>;

/// The rows that were pushed, as far as they fit, in one request; one row where the model is asked as a whole.
pub(crate) fn pushed(model: &Model, file: Option<&Path>) -> Option<Request> {
    let pushed = file.map(read).unwrap_or_default();
    let fitting = pushed.rows.iter().filter_map(|values| encode_row(model, values)).take(n_most(model));
    stack(model, &fitting.collect::<Vec<_>>())
}

/// Rows that nobody pushed; none where the model's inputs are beyond making up.
pub(crate) fn made_up(model: &Model) -> Option<Request> {
    let made_up = (0..MADE_UP_ROWS.min(n_most(model))).filter_map(|n| make_up(model, n));
    stack(model, &made_up.collect::<Vec<_>>())
}

fn n_most(model: &Model) -> usize {
    if model.asking == Asking::Whole { 1 } else { MOST_ROWS }
}

fn read(file: &Path) -> Examples {
    let text = std::fs::read(file).map_err(|error| error.to_string());
    let parsed = text.and_then(|text| serde_json::from_slice(&text).map_err(|error| error.to_string()));
    parsed.unwrap_or_else(|error| {
        // Examples only make probing better, and a model without them is served all the same.
        tracing::warn!(file = %file.display(), error, "could not read the example rows");
        Examples::default()
    })
}

/// Rows of one shape, joined. Others than the first row's are left out.
fn stack(model: &Model, rows: &[Row]) -> Option<Request> {
    let shapes: Vec<Vec<usize>> = rows.first()?.iter().map(|(shape, _)| shape.clone()).collect();
    let mut data = vec![Vec::new(); shapes.len()];
    let mut n_rows = 0;
    for row in rows.iter().filter(|row| row.iter().map(|(shape, _)| shape).eq(&shapes)) {
        n_rows += 1;
        for (data, (_, bytes)) in data.iter_mut().zip(row) {
            data.extend(bytes);
        }
    }
    let parts = model.inputs.iter().zip(shapes).zip(data);
    let columns = parts.map(|((spec, shape), data)| Column::new(spec.datatype, shape, Bytes::from(data)));
    Some(Request { id: Id::default(), method: Method::Predict, n_rows, columns: columns.collect() })
}

/// Values in the order of the inputs' elements, as one row; none where they do not fit.
fn encode_row(model: &Model, values: &[Value]) -> Option<Row> {
    let mut rest = values;
    let mut row = Row::new();
    for spec in &model.inputs {
        let shape = match model.inputs.len() {
            1 => shape_for(row_shape(model, spec), values.len())?,
            _ => lengths(row_shape(model, spec), None)?,
        };
        let (here, after) = rest.split_at_checked(shape.iter().product())?;
        rest = after;
        let mut bytes = Vec::new();
        here.iter().try_for_each(|value| encode(spec.datatype, value, &mut bytes))?;
        row.push((shape, bytes));
    }
    rest.is_empty().then_some(row)
}

fn make_up(model: &Model, n: usize) -> Option<Row> {
    let mut row = Row::new();
    for spec in &model.inputs {
        let shape = lengths(row_shape(model, spec), Some(1))?;
        let mut bytes = Vec::new();
        for element in 0..shape.iter().product() {
            encode(spec.datatype, &made_up_value(spec.datatype, n, element), &mut bytes)?;
        }
        row.push((shape, bytes));
    }
    Some(row)
}

/// Numbers that are different in all their bits, and small where they may be an index.
fn made_up_value(datatype: Datatype, row: usize, element: usize) -> Value {
    let mixed = (row * 7919 + element * 104_729 + 17) % 1009;
    match datatype {
        Datatype::Bytes => Value::from("a"),
        _ if datatype.is_float() => Value::from(mixed as f64 / 101.0 - 3.0),
        _ => Value::from(mixed % 2),
    }
}

fn row_shape<'a>(model: &Model, spec: &'a TensorSpec) -> &'a [i64] {
    match model.asking {
        Asking::Rows { .. } => spec.shape.get(1..).unwrap_or(&[]),
        Asking::Whole => &spec.shape,
    }
}

/// The shape with its free length chosen so that it holds so many elements.
fn shape_for(shape: &[i64], n_elements: usize) -> Option<Vec<usize>> {
    let fixed: usize = shape.iter().filter_map(|length| usize::try_from(*length).ok()).product();
    let free = n_elements.checked_div(fixed)?;
    let found = lengths(shape, Some(free))?;
    (found.iter().product::<usize>() == n_elements).then_some(found)
}

fn lengths(shape: &[i64], free: Option<usize>) -> Option<Vec<usize>> {
    shape.iter().map(|length| usize::try_from(*length).ok().or(free)).collect()
}

/// Appends a value in the protocol's bytes; none where it has no such form.
fn encode(datatype: Datatype, value: &Value, out: &mut Vec<u8>) -> Option<()> {
    let number = || value.as_f64().or_else(|| value.as_bool().map(f64::from));
    let integer =
        || value.as_i64().or_else(|| value.as_bool().map(i64::from)).or_else(|| number().map(|n| n as i64));
    match datatype {
        Datatype::Bytes => {
            let text = value.as_str()?;
            out.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
            out.extend(text.as_bytes());
        }
        Datatype::Bool => out.push(u8::from(number()? != 0.0)),
        Datatype::Uint8 | Datatype::Int8 => out.extend(&integer()?.to_le_bytes()[..1]),
        Datatype::Uint16 | Datatype::Int16 => out.extend(&integer()?.to_le_bytes()[..2]),
        Datatype::Uint32 | Datatype::Int32 => out.extend(&integer()?.to_le_bytes()[..4]),
        Datatype::Int64 => out.extend(integer()?.to_le_bytes()),
        Datatype::Uint64 => {
            out.extend(value.as_u64().or_else(|| u64::try_from(integer()?).ok())?.to_le_bytes());
        }
        Datatype::Fp16 => out.extend(half::f16::from_f64(number()?).to_le_bytes()),
        Datatype::Bf16 => out.extend(half::bf16::from_f64(number()?).to_le_bytes()),
        Datatype::Fp32 => out.extend((number()? as f32).to_le_bytes()),
        Datatype::Fp64 => out.extend(number()?.to_le_bytes()),
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_length_takes_what_is_left() {
        assert_eq!(shape_for(&[-1, 3], 12), Some(vec![4, 3]));
        assert_eq!(shape_for(&[4], 4), Some(vec![4]));
        assert_eq!(shape_for(&[4], 5), None);
        assert_eq!(shape_for(&[-1, -1], 4), None);
        assert_eq!(shape_for(&[], 1), Some(vec![]));
    }

    #[test]
    fn values_take_the_form_of_their_input() {
        let bytes = |datatype, value: Value| {
            let mut out = Vec::new();
            encode(datatype, &value, &mut out).map(|()| out)
        };
        assert_eq!(bytes(Datatype::Fp32, 1.5.into()), Some(1.5_f32.to_le_bytes().into()));
        assert_eq!(bytes(Datatype::Int16, (-2).into()), Some((-2_i16).to_le_bytes().into()));
        assert_eq!(bytes(Datatype::Bytes, "ab".into()), Some(b"\x02\0\0\0ab".into()));
        assert_eq!(bytes(Datatype::Uint64, u64::MAX.into()), Some([255; 8].into()));
        assert_eq!(bytes(Datatype::Fp32, "x".into()), None);
    }
}
