//! The form that asks for a model's input, made from its schema, and reading it back.
//!
//! Pure. Invariant: the field of feature `i` is called `f{i}`, here and in the script.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use spec::manifest::Examples;
use spec::schema::{Feature, Image, InputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use super::{examples, parts};
use crate::doors::pages::repositories::{domain, number};
use crate::doors::pages::views::web_app::{Field, FieldKind, Form, Picture};

/// Largest side of a picture that one can draw.
const DRAWN_SIDE: u32 = 64;
/// Steps of a slider between its ends.
const STEPS: f64 = 200.0;
/// Values of a tensor that are filled in for a start.
const SAMPLE_VALUES: usize = 4096;

/// What the browser sent.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Filled {
    pub csrf: String,
    /// Values by feature, in the order they came: the feature's place and its text.
    pub values: Vec<(usize, String)>,
    pub example: Option<usize>,
    pub tensors: Option<String>,
    pub csv: Option<String>,
    /// What was given for each part, by its place.
    pub parts: BTreeMap<usize, Vec<u8>>,
    /// Whether the answers to many rows are wanted as a file.
    pub wants_file: bool,
    /// Whether the answer is to be kept under an address of its own.
    pub is_shared: bool,
}

impl Filled {
    /// Reads the fields of the form; what is not of this form is passed over.
    pub(in super::super) fn read(fields: Vec<(String, Vec<u8>)>) -> Self {
        let mut filled = Self::default();
        for (name, bytes) in fields {
            if let Some(place) = name.strip_prefix('p').and_then(|place| place.parse().ok()) {
                filled.parts.insert(place, bytes);
                continue;
            }
            let value = String::from_utf8_lossy(&bytes).into_owned();
            match name.as_str() {
                "csrf" => filled.csrf = value,
                "example" => filled.example = value.parse().ok(),
                "tensors" => filled.tensors = Some(value),
                "csv" => filled.csv = Some(value),
                "download" => filled.wants_file = true,
                "share" => filled.is_shared = true,
                name => {
                    let place = name.strip_prefix('f').and_then(|place| place.parse().ok());
                    filled.values.extend(place.map(|place| (place, value)));
                }
            }
        }
        filled
    }

    /// The text of the feature at this place.
    pub(super) fn value(&self, place: usize) -> Option<&str> {
        self.values.iter().find(|(at, _)| *at == place).map(|(_, value)| value.as_str())
    }
}

/// The form for this schema, showing again what was filled in.
pub(super) fn build(schema: Option<&Schema>, examples: &Examples, filled: &Filled) -> Form {
    let Some(schema) = schema.filter(|schema| !schema.inputs.is_empty()) else { return Form::Unknown };
    match &schema.input {
        InputView::Table { features } => {
            let start = examples.rows.get(filled.example.unwrap_or(0));
            let is_text = features.len() == 1;
            let field = |(i, feature): (usize, &Feature)| {
                let shown = filled.value(i).map(str::to_owned);
                let given = || start.and_then(|row| row.get(i)).map(examples::plain);
                let mut field = field(i, feature, shown.or_else(given));
                if is_text && matches!(field.kind, FieldKind::Text) {
                    field.kind = FieldKind::LongText;
                }
                field
            };
            Form::Table(features.iter().enumerate().map(field).collect())
        }
        InputView::Image(image) => Form::Picture(picture(image, examples, filled)),
        InputView::Parts { parts } => Form::Parts(parts::fields(schema, parts, examples, filled)),
        InputView::Tensors => Form::Tensors(match &filled.tensors {
            Some(text) => text.clone(),
            None => sample(schema, examples, filled),
        }),
    }
}

/// The first line of a CSV that fits, and a line of values.
pub(super) fn csv_hint(schema: Option<&Schema>, examples: &Examples) -> String {
    let Some(InputView::Table { features }) = schema.map(|schema| &schema.input) else {
        return String::new();
    };
    let names: Vec<&str> = features.iter().map(|feature| feature.name.as_str()).collect();
    let values =
        examples.rows.first().map(|row| row.iter().map(examples::plain).collect::<Vec<_>>().join(","));
    format!("{}\n{}", names.join(","), values.unwrap_or_default())
}

pub(super) fn field(i: usize, feature: &Feature, value: Option<String>) -> Field {
    let kind = kind(feature);
    let first = || match (&kind, feature.minimum, feature.maximum) {
        (FieldKind::Choice(choices), _, _) => choices.first().cloned().unwrap_or_default(),
        (FieldKind::Number { .. }, Some(low), Some(high)) if feature.datatype.is_float() => {
            number(f64::midpoint(low, high))
        }
        (FieldKind::Number { .. }, Some(low), Some(high)) => f64::midpoint(low, high).round().to_string(),
        _ => String::new(),
    };
    let value = value.unwrap_or_else(first);
    let range = if feature.categories.is_empty() { domain(feature) } else { String::new() };
    let hints = [feature.description.as_str(), range.as_str()];
    let hint = hints.into_iter().filter(|hint| !hint.is_empty()).collect::<Vec<_>>().join(", ");
    Field { id: format!("f{i}"), label: feature.name.clone(), hint, value, kind }
}

fn kind(feature: &Feature) -> FieldKind {
    if !feature.categories.is_empty() {
        return FieldKind::Choice(feature.categories.clone());
    }
    match feature.datatype {
        Datatype::Bytes => FieldKind::Text,
        Datatype::Bool => FieldKind::Choice(vec!["false".to_owned(), "true".to_owned()]),
        datatype => {
            let ends = match (feature.minimum, feature.maximum) {
                (Some(low), Some(high)) if high > low => Some((low, high)),
                _ => None,
            };
            let step = match ends {
                Some((low, high)) if datatype.is_float() => format!("{:e}", (high - low) / STEPS),
                _ => "1".to_owned(),
            };
            FieldKind::Number { range: ends.map(|(low, high)| (low.to_string(), high.to_string())), step }
        }
    }
}

fn picture(image: &Image, examples: &Examples, filled: &Filled) -> Picture {
    let chosen = filled.example.and_then(|index| {
        let row = examples.rows.get(index)?;
        Some((index, examples::thumbnail(image, row)?))
    });
    Picture {
        width: image.width,
        height: image.height,
        is_color: image.channels > 1,
        can_draw: image.channels == 1 && image.width <= DRAWN_SIDE && image.height <= DRAWN_SIDE,
        chosen,
    }
}

/// A request that fits: an example, or zeros.
fn sample(schema: &Schema, examples: &Examples, filled: &Filled) -> String {
    let row = examples.rows.get(filled.example.unwrap_or(0)).filter(|_| schema.inputs.len() == 1);
    let inputs: Vec<Value> = schema.inputs.iter().map(|input| sample_input(input, row)).collect();
    serde_json::to_string_pretty(&json!({ "inputs": inputs })).unwrap_or_default()
}

fn sample_input(input: &TensorSpec, row: Option<&Vec<Value>>) -> Value {
    let (mut shape, n) = input.one_row().unwrap_or_else(|| (input.shape.clone(), usize::MAX));
    let zero = match input.datatype {
        Datatype::Bytes => json!(""),
        Datatype::Bool => json!(false),
        datatype if datatype.is_float() => json!(0.0),
        _ => json!(0),
    };
    let data: Vec<Value> = match row {
        Some(row) if row.len() == n => row.clone(),
        Some(row) if input.shape.len() == 2 && input.shape[1] < 1 => {
            shape = vec![1, i64::try_from(row.len()).unwrap_or(1)];
            row.clone()
        }
        _ => vec![zero; n.min(SAMPLE_VALUES)],
    };
    json!({ "name": input.name, "shape": shape, "datatype": input.datatype, "data": data })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feature(datatype: Datatype, ends: Option<(f64, f64)>, categories: &[&str]) -> Feature {
        Feature {
            name: "x".to_owned(),
            datatype,
            minimum: ends.map(|(low, _)| low),
            maximum: ends.map(|(_, high)| high),
            categories: categories.iter().map(|text| (*text).to_owned()).collect(),
            description: String::new(),
        }
    }

    #[test]
    fn a_feature_is_asked_for_by_what_it_takes() {
        assert!(
            matches!(kind(&feature(Datatype::Bytes, None, &["a"])), FieldKind::Choice(choices) if choices == ["a"])
        );
        assert!(matches!(kind(&feature(Datatype::Bytes, None, &[])), FieldKind::Text));
        let number = kind(&feature(Datatype::Fp32, Some((1.0, 3.0)), &[]));
        assert!(
            matches!(number, FieldKind::Number { range: Some((low, high)), step } if low == "1" && high == "3" && step == "1e-2")
        );
        let whole = kind(&feature(Datatype::Int64, Some((1.0, 1.0)), &[]));
        assert!(matches!(whole, FieldKind::Number { range: None, step } if step == "1"));
    }

    #[test]
    fn a_form_reads_back_by_place_and_passes_over_what_is_strange() {
        let fields = [
            ("f1", "2"),
            ("f0", "1"),
            ("fx", "?"),
            ("csrf", "s"),
            ("example", "3"),
            ("other", "x"),
            ("p0", "file"),
            ("px", "?"),
        ];
        let filled =
            Filled::read(fields.iter().map(|(k, v)| ((*k).to_owned(), v.as_bytes().to_vec())).collect());
        assert_eq!((filled.value(0), filled.value(1), filled.value(2)), (Some("1"), Some("2"), None));
        assert_eq!((filled.csrf.as_str(), filled.example), ("s", Some(3)));
        assert_eq!(filled.parts, BTreeMap::from([(0, b"file".to_vec())]));
    }
}
