//! The form of parts, and an answer of parts as a page shows it.
//!
//! Pure, and decodes no file: pictures and sounds go to the browser as they are. Invariant: the field of part `i` is
//! called `p{i}`, here and in the script.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use spec::manifest::Examples;
use spec::media;
use spec::schema::parts::{InputKind, InputPart, OutputKind, OutputPart};
use spec::schema::{Feature, Schema};
use spec::tensor::Datatype;

use super::examples;
use super::form::{Filled, field};
use crate::doors::pages::views::web_app::{Bar, Part, ShownPart};

/// Rows of a table that a page shows.
const SHOWN_ROWS: usize = 100;
/// Values of a series that a page shows.
const SHOWN_VALUES: usize = 64;

/// The field of each part, showing again what was filled in.
pub(super) fn fields(
    schema: &Schema,
    parts: &[InputPart],
    examples: &Examples,
    filled: &Filled,
) -> Vec<Part> {
    let start = examples.rows.get(filled.example.unwrap_or(0));
    let one = |(i, part): (usize, &InputPart)| {
        let given = filled.parts.get(&i).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let example = || start.and_then(|row| row.get(i)).map(text);
        let value = if part.kind.is_file() { None } else { given.or_else(example) };
        let datatype = schema.input_named(&part.name).map_or(Datatype::Bytes, |spec| spec.datatype);
        let mut field = field(i, &feature(part, datatype), value);
        field.id = format!("p{i}");
        let accept = match (part.kind, part.media_types.is_empty()) {
            (InputKind::File, true) => String::new(),
            (kind, true) => format!("{}/*", kind.as_str()),
            (_, false) => part.media_types.join(","),
        };
        Part { kind: part.kind.as_str(), accept, field }
    };
    parts.iter().enumerate().map(one).collect()
}

fn feature(part: &InputPart, datatype: Datatype) -> Feature {
    Feature {
        name: part.name.clone(),
        datatype,
        minimum: part.minimum,
        maximum: part.maximum,
        categories: part.categories.clone(),
        description: part.description.clone(),
    }
}

/// An example's value as a field has it.
fn text(value: &Value) -> String {
    match value {
        Value::Array(values) => values.iter().map(examples::plain).collect::<Vec<_>>().join("\n"),
        value => examples::plain(value),
    }
}

/// What stands for each part: what was given, or what the chosen example has.
pub(super) fn given(parts: &[InputPart], examples: &Examples, filled: &Filled) -> Vec<Vec<u8>> {
    let chosen = filled.example.and_then(|index| examples.rows.get(index));
    let one = |i: usize| {
        let own = filled.parts.get(&i).filter(|bytes| !bytes.is_empty()).cloned();
        let example = || chosen.and_then(|row| row.get(i)).map(bytes);
        own.or_else(example).unwrap_or_default()
    };
    (0..parts.len()).map(one).collect()
}

fn bytes(value: &Value) -> Vec<u8> {
    let base64 = value.get("b64").and_then(Value::as_str);
    match base64.map(|text| STANDARD.decode(text)) {
        Some(Ok(bytes)) => bytes,
        _ => text(value).into_bytes(),
    }
}

/// The parts of an answer to one row: `value` is the only one, or an object of them by name.
pub(in super::super) fn shown(parts: &[OutputPart], value: &Value) -> Vec<(String, ShownPart)> {
    let one = |part: &OutputPart| {
        let value = match parts {
            [_] => value,
            _ => value.get(&part.name).unwrap_or(&Value::Null),
        };
        let generic = parts.len() == 1 && part.name == "output";
        let title = match (part.title.as_str(), generic) {
            ("", true) => String::new(),
            ("", false) => part.name.clone(),
            (title, _) => title.to_owned(),
        };
        (title, shown_part(part.kind, value))
    };
    parts.iter().map(one).collect()
}

fn shown_part(kind: OutputKind, value: &Value) -> ShownPart {
    match kind {
        OutputKind::Image => address(value, "image/png").map_or(ShownPart::Nothing, ShownPart::Image),
        OutputKind::Audio => address(value, "audio/wav").map_or(ShownPart::Nothing, ShownPart::Audio),
        OutputKind::Video => address(value, "video/mp4").map_or(ShownPart::Nothing, ShownPart::Video),
        OutputKind::File => {
            address(value, "application/octet-stream").map_or(ShownPart::Nothing, ShownPart::File)
        }
        OutputKind::Table => table(value).unwrap_or_else(|| json(value)),
        OutputKind::Boxes | OutputKind::Masks => regions(value).unwrap_or_else(|| json(value)),
        OutputKind::Label if value.is_object() => label(value),
        OutputKind::Label => ShownPart::Label { label: examples::plain(value), bars: Vec::new() },
        OutputKind::Series => ShownPart::Text(series(value)),
        OutputKind::Json => json(value),
        OutputKind::Value => ShownPart::Label { label: examples::readable(value), bars: Vec::new() },
        OutputKind::Text => ShownPart::Text(examples::plain(value)),
    }
}

fn json(value: &Value) -> ShownPart {
    ShownPart::Json(serde_json::to_string_pretty(value).unwrap_or_default())
}

/// A file as an address of its own. What looks like markup is never one that a browser would open as a page.
fn address(value: &Value, otherwise: &str) -> Option<String> {
    let base64 = value.as_str().filter(|text| !text.is_empty())?;
    let start = STANDARD.decode(base64.as_bytes().get(..64).unwrap_or(base64.as_bytes())).ok()?;
    let media_type = match otherwise {
        "application/octet-stream" => otherwise,
        _ => media::sniff(&start).unwrap_or(otherwise),
    };
    Some(format!("data:{media_type};base64,{base64}"))
}

fn table(value: &Value) -> Option<ShownPart> {
    let columns = value.get("columns")?.as_array()?.iter().map(examples::plain).collect();
    let data = value.get("data")?.as_array()?;
    let line = |row: &Value| row.as_array().into_iter().flatten().map(examples::readable).collect();
    let rows = data.iter().take(SHOWN_ROWS).map(line).collect();
    Some(ShownPart::Table { columns, rows, n_rows: data.len() })
}

/// Boxes and masks in words.
fn regions(value: &Value) -> Option<ShownPart> {
    let one = |item: &Value| {
        let name = item.get("label").map_or_else(|| "region".to_owned(), examples::plain);
        let score = item.get("score").and_then(Value::as_f64);
        let score = score.map(|score| format!("{:.1} %", score * 100.0)).unwrap_or_default();
        let side = |side: &str| item.get("box").and_then(|rect| rect.get(side)).map(examples::readable);
        let place = match (side("xmin"), side("ymin"), side("xmax"), side("ymax")) {
            (Some(x0), Some(y0), Some(x1), Some(y1)) => format!("from {x0}, {y0} to {x1}, {y1}"),
            _ => String::new(),
        };
        let parts = [name, score, place];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
    };
    Some(ShownPart::Regions(value.as_array()?.iter().take(SHOWN_ROWS).map(one).collect()))
}

fn label(value: &Value) -> ShownPart {
    let entries = value.as_object().into_iter().flatten();
    let mut scored: Vec<(&String, f64)> =
        entries.map(|(name, score)| (name, score.as_f64().unwrap_or_default())).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    let bar = |(rank, (name, score)): (usize, &(&String, f64))| Bar::new(name, *score, rank == 0);
    let bars = scored.iter().enumerate().take(super::answer::SHOWN_BARS).map(bar).collect();
    ShownPart::Label { label: scored.first().map(|(name, _)| (*name).clone()).unwrap_or_default(), bars }
}

fn series(value: &Value) -> String {
    let values = value.as_array().map(Vec::as_slice).unwrap_or_default();
    let some = values.iter().take(SHOWN_VALUES).map(examples::readable).collect::<Vec<_>>().join(", ");
    match values.len() > SHOWN_VALUES {
        true => format!("{some}, … ({} values)", values.len()),
        false => some,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: OutputKind, value: &Value) -> ShownPart {
        shown_part(kind, value)
    }

    #[test]
    fn a_class_with_probabilities_has_bars_and_one_without_has_none() {
        let ShownPart::Label { label, bars } = of(OutputKind::Label, &json!({ "cat": 0.25, "dog": 0.75 }))
        else {
            panic!("no label")
        };
        assert_eq!((label.as_str(), bars[1].label.as_str(), bars[0].text.as_str()), ("dog", "cat", "75.0 %"));
        assert!(
            matches!(of(OutputKind::Label, &json!("cat")), ShownPart::Label { bars, .. } if bars.is_empty())
        );
    }

    #[test]
    fn boxes_are_told_in_words() {
        let item = json!([{ "label": "cat", "score": 0.5, "box": { "xmin": 1, "ymin": 2, "xmax": 3.5, "ymax": 4 } }]);
        let ShownPart::Regions(items) = of(OutputKind::Boxes, &item) else { panic!("no regions") };
        assert_eq!(items, ["cat, 50.0 %, from 1, 2 to 3.5, 4"]);
        assert!(matches!(of(OutputKind::Boxes, &json!("none")), ShownPart::Json(_)));
    }

    #[test]
    fn a_file_is_what_its_bytes_say_and_never_a_page() {
        let png = STANDARD.encode(b"\x89PNG\r\n\x1a\n0000");
        assert!(
            matches!(of(OutputKind::Image, &json!(png)), ShownPart::Image(a) if a.starts_with("data:image/png;"))
        );
        let page = STANDARD.encode(b"<script>alert(1)</script>");
        let ShownPart::File(address) = of(OutputKind::File, &json!(page)) else { panic!("no file") };
        assert!(address.starts_with("data:application/octet-stream;"));
        assert!(matches!(of(OutputKind::Image, &json!(null)), ShownPart::Nothing));
    }

    #[test]
    fn a_table_that_is_none_is_shown_as_it_is() {
        let shown = of(OutputKind::Table, &json!({ "columns": ["a"], "data": [[1], ["x"]] }));
        assert!(matches!(shown, ShownPart::Table { rows, n_rows: 2, .. } if rows[1] == ["x"]));
        assert!(matches!(of(OutputKind::Table, &json!([1])), ShownPart::Json(_)));
    }
}
