//! A made-up row and tensor that a model takes: for code to copy and for descriptions of its endpoint.
//!
//! Pure. Invariant: what comes out fits the schema, so that what was copied runs as it is.

use serde_json::{Value, json};
use spec::schema::parts::{InputKind, InputPart};
use spec::schema::{Feature, InputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use super::plan::{Column, Plan};

/// Most values of a row that are written out.
const ROW_VALUES: usize = 1024;
/// A PNG of one grey pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR42mNoaGgAAAMEAYF1LgG8AAAAAElFTkSuQmCC";

/// A row, from the middle of what its features are known to be; none where rows are not known or too long to write.
pub fn row(schema: &Schema) -> Option<Vec<Value>> {
    if let InputView::Table { features } = &schema.input {
        return Some(features.iter().map(value).collect());
    }
    let plan = Plan::new(schema).filter(|plan| plan.columns.len() <= ROW_VALUES)?;
    let value = |column: &Column| match schema.input_part(&column.name) {
        Some(part) => of_part(part, column.datatype),
        None => zero(column.datatype),
    };
    Some(plan.columns.iter().map(value).collect())
}

fn of_part(part: &InputPart, datatype: Datatype) -> Value {
    match part.kind {
        InputKind::Image => json!({ "b64": PIXEL }),
        InputKind::Audio | InputKind::Video | InputKind::File => json!({ "b64": "AA==" }),
        InputKind::Table => json!("a,b\n1,2\n"),
        InputKind::Json => json!("{}"),
        InputKind::Value | InputKind::Text | InputKind::Series => match (datatype, part.categories.first()) {
            (Datatype::Bytes, category) => json!(category.map_or("…", String::as_str)),
            (datatype, _) => zero(datatype),
        },
    }
}

/// A value of a feature.
pub fn value(feature: &Feature) -> Value {
    match feature.datatype {
        Datatype::Bytes => json!(feature.categories.first().map_or("…", String::as_str)),
        Datatype::Bool => json!(true),
        datatype => {
            let (low, high) = (feature.minimum.unwrap_or(0.0), feature.maximum.unwrap_or(0.0));
            let middle = f64::midpoint(low, high);
            if datatype.is_float() {
                json!((middle * 1000.0).round() / 1000.0)
            } else {
                json!(middle.round() as i64)
            }
        }
    }
}

/// One row of an input, of zeros, as the Open Inference Protocol writes it; short, so that it can be read.
pub fn tensor(input: &TensorSpec) -> Value {
    let shape: Vec<i64> = input.shape.iter().map(|n| if *n < 1 { 1 } else { *n }).collect();
    let n = usize::try_from(shape.iter().product::<i64>()).unwrap_or(0);
    let data = if n > ROW_VALUES { json!("…") } else { vec![zero(input.datatype); n].into() };
    json!({ "name": input.name, "shape": shape, "datatype": input.datatype, "data": data })
}

fn zero(datatype: Datatype) -> Value {
    match datatype {
        Datatype::Bytes => json!(""),
        Datatype::Bool => json!(false),
        datatype if datatype.is_float() => json!(0.0),
        _ => json!(0),
    }
}
