//! A made-up row and tensor that a model takes: for code to copy and for descriptions of its endpoint.
//!
//! Pure. Invariant: what comes out fits the schema, so that what was copied runs as it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use spec::schema::parts::{InputKind, InputPart};
use spec::schema::{Feature, InputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use super::plan::{Column, Plan};

/// Most values of a row that are written out.
const ROW_VALUES: usize = 1024;
/// The smallest files of their kinds: one grey pixel, a fiftieth of a second of sound, one picture of a film.
const FILES: [&[u8]; 6] = [
    include_bytes!("sample/pixel.png"),
    include_bytes!("sample/pixel.jpg"),
    include_bytes!("sample/pixel.gif"),
    include_bytes!("sample/pixel.webp"),
    include_bytes!("sample/tone.wav"),
    include_bytes!("sample/frame.mp4"),
];

/// A row, from the middle of what its features are known to be; none where rows are not known, are too long to write, or
/// hold a file of a kind that is not at hand.
pub fn row(schema: &Schema) -> Option<Vec<Value>> {
    if Plan::width(schema).is_some_and(|width| width > ROW_VALUES) {
        return None;
    }
    let plan = Plan::new(schema).filter(|plan| plan.columns.len() <= ROW_VALUES)?;
    if let InputView::Table { features } = &schema.input
        && features.len() == plan.columns.len()
    {
        return Some(features.iter().map(value).collect());
    }
    let value = |column: &Column| match schema.input_part(&column.name) {
        Some(part) => of_part(part, column.datatype),
        None => Some(zero(column.datatype)),
    };
    plan.columns.iter().map(value).collect()
}

fn of_part(part: &InputPart, datatype: Datatype) -> Option<Value> {
    Some(match part.kind {
        InputKind::Image | InputKind::Audio | InputKind::Video | InputKind::File => {
            json!({ "b64": STANDARD.encode(file(part)?) })
        }
        InputKind::Table => json!("a,b\n1,2\n"),
        InputKind::Json => json!("{}"),
        InputKind::Value | InputKind::Text | InputKind::Series => match (datatype, part.categories.first()) {
            (Datatype::Bytes, category) => json!(category.map_or("…", String::as_str)),
            (datatype, _) => zero(datatype),
        },
    })
}

/// The first of the files that an input takes.
fn file(part: &InputPart) -> Option<&'static [u8]> {
    FILES.into_iter().find(|bytes| super::media::check_file(part, bytes).is_ok())
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

/// One row of each input as the Open Inference Protocol writes it; none where one is too long to write or cannot be made
/// up.
pub fn tensors(schema: &Schema) -> Option<Vec<Value>> {
    let one = |input: &TensorSpec| {
        let (shape, n) = input.one_row().filter(|(_, n)| *n <= ROW_VALUES)?;
        let data = data(schema, input, n)?;
        Some(json!({ "name": input.name, "shape": shape, "datatype": input.datatype, "data": data }))
    };
    schema.inputs.iter().map(one).collect()
}

/// The values of one row of an input: what people know of it, or zeros.
fn data(schema: &Schema, input: &TensorSpec, n: usize) -> Option<Vec<Value>> {
    let known = match &schema.input {
        InputView::Table { features } if schema.inputs.len() == 1 => features.iter().map(value).collect(),
        InputView::Table { features } => {
            features.iter().filter(|feature| feature.name == input.name).map(value).collect()
        }
        InputView::Parts { .. } => match schema.input_part(&input.name) {
            Some(part) => vec![of_part(part, input.datatype)?],
            None => Vec::new(),
        },
        InputView::Image(_) | InputView::Tensors => Vec::new(),
    };
    Some(if known.len() == n { known } else { vec![zero(input.datatype); n] })
}

fn zero(datatype: Datatype) -> Value {
    match datatype {
        Datatype::Bytes => json!(""),
        Datatype::Bool => json!(false),
        datatype if datatype.is_float() => json!(0.0),
        _ => json!(0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::media;
    use crate::predict::rows::Rows;

    fn schema(kind: InputKind, media_types: &[&str]) -> Schema {
        let media_types = media_types.iter().map(|text| (*text).to_owned()).collect();
        let parts = vec![InputPart { media_types, ..InputPart::new("x", kind) }];
        let mut schema = Schema { input: InputView::Parts { parts }, ..Schema::default() };
        schema.complete_from_parts();
        schema
    }

    #[test]
    fn a_sample_of_each_kind_passes_the_checks_of_its_input() {
        use InputKind::{Audio, File, Image, Json, Series, Table, Text, Value, Video};
        for kind in [Value, Text, Image, Audio, Video, File, Table, Series, Json] {
            let schema = schema(kind, &[]);
            let body = json!({ "inputs": tensors(&schema).unwrap() }).to_string();
            let read = crate::predict::tensors::read(&schema, &body.into(), None).unwrap();
            media::check(&schema, &read.tensors).unwrap();
            let Some(plan) = Plan::new(&schema) else { continue };
            let mut rows = Rows::new(&plan);
            rows.read_json(&json!([row(&schema).unwrap()]).to_string()).unwrap();
            media::check(&schema, &rows.into_tensors().unwrap()).unwrap();
        }
    }

    #[test]
    fn a_file_is_of_a_stated_kind_or_there_is_no_sample() {
        let of = |kind, media_type| row(&schema(kind, &[media_type])).map(|row| row[0]["b64"].clone());
        let jpeg = of(InputKind::Image, "image/jpeg").unwrap();
        assert!(jpeg.as_str().unwrap().starts_with("/9j/"), "{jpeg}");
        assert!(
            of(InputKind::Audio, "audio/wav").is_some() && of(InputKind::File, "application/pdf").is_some()
        );
        assert_eq!(of(InputKind::Image, "image/tiff"), None);
        assert_eq!(tensors(&schema(InputKind::Image, &["image/tiff"])), None);
    }

    #[test]
    fn what_is_too_wide_has_no_sample_and_takes_no_memory() {
        for shape in [vec![1, 1_000_000_000], vec![-1, i64::MAX, i64::MAX]] {
            let inputs = vec![TensorSpec { name: "X".to_owned(), datatype: Datatype::Fp32, shape }];
            let schema = Schema { inputs, ..Schema::default() };
            assert!(row(&schema).is_none() && tensors(&schema).is_none() && Plan::new(&schema).is_none());
        }
    }
}
