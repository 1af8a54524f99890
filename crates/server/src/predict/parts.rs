//! The fields of a form of parts, as a browser sends them, to tensors of one row.
//!
//! Pure. Invariant: every part of the schema becomes one tensor, or the request is refused with the part named.

use bytes::Bytes;
use spec::frame::IndexedTensor;
use spec::schema::parts::{InputKind, InputPart};
use spec::schema::{InputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use super::Misfit;
use super::scalar::{self, Scalar};

/// Tensors from what was given for each part, in their order.
pub fn tensors(schema: &Schema, given: &[Vec<u8>]) -> Result<Vec<IndexedTensor>, Misfit> {
    let InputView::Parts { parts } = &schema.input else {
        return Err(Misfit("this model takes no form of parts".to_owned()));
    };
    let mut tensors = Vec::with_capacity(parts.len());
    for (i, part) in parts.iter().enumerate() {
        let misfit = |what: String| Misfit(format!("input `{}`: {what}", part.name));
        let index = schema.inputs.iter().position(|spec| spec.name == part.name);
        let index = index.ok_or_else(|| misfit("the model has none of this name".to_owned()))?;
        let bytes = given.get(i).map(Vec::as_slice).unwrap_or_default();
        tensors.push(tensor(part, (index, &schema.inputs[index]), bytes).map_err(misfit)?);
    }
    Ok(tensors)
}

fn tensor(
    part: &InputPart,
    (index, spec): (usize, &TensorSpec),
    bytes: &[u8],
) -> Result<IndexedTensor, String> {
    let mut data = Vec::with_capacity(bytes.len() + 4);
    let mut shape = vec![1; spec.shape.len().max(1)];
    match part.kind {
        kind if kind.is_file() => scalar::push_bytes(&mut data, bytes),
        InputKind::Series => {
            let numbers = series(text(bytes)?)?;
            shape = vec![1, numbers.len()];
            numbers.iter().try_for_each(|n| scalar::push(&mut data, spec.datatype, &Scalar::Text(n)))?;
        }
        InputKind::Json => {
            let text = text(bytes)?;
            serde_json::from_str::<serde::de::IgnoredAny>(text)
                .map_err(|error| format!("no JSON: {error}"))?;
            scalar::push_bytes(&mut data, bytes);
        }
        _ => {
            let text = text(bytes)?;
            if !part.categories.is_empty() && !part.categories.iter().any(|known| known == text) {
                return Err(format!(
                    "`{}` came, one of {} is wanted",
                    Scalar::Text(text),
                    part.categories.join(", ")
                ));
            }
            if part.kind == InputKind::Table && text.trim().is_empty() {
                return Err("the table is empty".to_owned());
            }
            // A browser writes line ends as a form has them.
            let text =
                if spec.datatype == Datatype::Bytes { text.replace("\r\n", "\n") } else { text.to_owned() };
            scalar::push(&mut data, spec.datatype, &Scalar::Text(&text))?;
        }
    }
    let index = u16::try_from(index).unwrap_or(u16::MAX);
    Ok(IndexedTensor { index, datatype: spec.datatype, shape, data: Bytes::from(data) })
}

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "it is no UTF-8 text".to_owned())
}

/// The numbers of a column or a line; a first line of names is passed over.
fn series(text: &str) -> Result<Vec<&str>, String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    let is_number = |word: &str| word.parse::<f64>().is_ok();
    let words =
        |text| str::split(text, [',', ';', '\t', ' ', '\n', '\r']).filter(|word: &&str| !word.is_empty());
    let body = match text.split_once('\n') {
        Some((first, rest)) if !words(first).any(is_number) => rest,
        _ => text,
    };
    let numbers: Vec<&str> = words(body).collect();
    match numbers.iter().position(|word| !is_number(word)) {
        _ if numbers.is_empty() => Err("no numbers came".to_owned()),
        Some(place) => Err(format!("value {place} is {}, a number is wanted", Scalar::Text(numbers[place]))),
        None => Ok(numbers),
    }
}

#[cfg(test)]
mod tests {
    use spec::schema::parts::InputPart;

    use super::*;

    fn read(kind: InputKind, text: &str) -> Result<IndexedTensor, String> {
        let parts = vec![InputPart::new("x", kind)];
        let mut schema = Schema { input: InputView::Parts { parts }, ..Schema::default() };
        schema.complete_from_parts();
        tensors(&schema, &[text.as_bytes().to_vec()]).map(|mut one| one.remove(0)).map_err(|misfit| misfit.0)
    }

    #[test]
    fn a_series_is_a_column_or_a_line_with_or_without_a_name() {
        for text in ["1,2.5,-3", "1\n2.5\n-3\n", "value\r\n1\r\n2.5\r\n-3", "\u{feff}1; 2.5; -3"] {
            let tensor = read(InputKind::Series, text).unwrap();
            assert_eq!(tensor.shape, [1, 3], "{text}");
            assert_eq!(tensor.data[8..16], 2.5_f64.to_le_bytes());
        }
        assert!(read(InputKind::Series, "1\nx\n2").unwrap_err().contains("value 1 is \"x\""));
        assert!(read(InputKind::Series, " ").unwrap_err().contains("`x`: no numbers came"));
    }

    #[test]
    fn what_is_no_json_is_refused_with_its_place() {
        assert_eq!(read(InputKind::Json, "{\"a\": [1]}").unwrap().shape, [1]);
        assert!(read(InputKind::Json, "{\"a\":\n [1}").unwrap_err().contains("line 2 column 4"));
    }

    #[test]
    fn texts_and_values_fill_one_element() {
        assert_eq!(read(InputKind::Text, "a\r\nb").unwrap().data[..], b"\x03\0\0\0a\nb"[..]);
        assert_eq!(read(InputKind::Value, "2").unwrap().data[..], 2.0_f64.to_le_bytes()[..]);
        assert!(read(InputKind::Value, "two").unwrap_err().contains("a number is wanted"));
        assert!(read(InputKind::Table, "\n").unwrap_err().contains("empty"));
    }
}
