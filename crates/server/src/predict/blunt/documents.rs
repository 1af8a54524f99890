//! Numbers within answers that are JSON: labels with their probabilities, objects, tables, boxes.
//!
//! Pure; knows no schema but the kind of an output. Invariant: what cannot be read as JSON is left as it is.

use bytes::Bytes;
use serde_json::Value;
use spec::schema::parts::OutputKind;

use super::{Blunt, keep_best, round};

/// How far the sum of probabilities may be from 1.
const TOLERANCE: f64 = 1e-3;

/// The elements of an output of this kind, told less of; none where they are no JSON.
pub(super) fn told(blunt: Blunt, kind: OutputKind, data: &[u8]) -> Option<Bytes> {
    if !kind.is_json() && kind != OutputKind::Label {
        return None;
    }
    let mut out = Vec::with_capacity(data.len());
    let mut left = data;
    while let Some((length, rest)) = left.split_first_chunk::<4>() {
        let (element, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
        let text = match serde_json::from_slice::<Value>(element) {
            Ok(mut value) => {
                tell(blunt, &mut value);
                value.to_string().into_bytes()
            }
            Err(_) => element.to_vec(),
        };
        out.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
        out.extend(text);
        left = rest;
    }
    Some(out.into())
}

fn tell(blunt: Blunt, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            let numbers: Option<Vec<f64>> = fields.values().map(Value::as_f64).collect();
            if let (Some(mut numbers), Some(top_k)) = (numbers, blunt.top_k)
                && are_probabilities(&numbers)
            {
                keep_best(&mut numbers, top_k);
                fields.values_mut().zip(numbers).for_each(|(field, number)| *field = number.into());
            }
            fields.values_mut().for_each(|field| tell(blunt, field));
        }
        Value::Array(values) => values.iter_mut().for_each(|value| tell(blunt, value)),
        Value::Number(number) if number.is_f64() => {
            if let (Some(scale), Some(exact)) = (blunt.scale(), number.as_f64()) {
                *value = round(exact, scale).into();
            }
        }
        _ => {}
    }
}

/// Whether these are the probabilities of classes of which one is meant.
fn are_probabilities(numbers: &[f64]) -> bool {
    numbers.iter().all(|number| (0.0..=1.0).contains(number))
        && (numbers.iter().sum::<f64>() - 1.0).abs() <= TOLERANCE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, n_decimals: Option<u32>, top_k: Option<usize>) -> String {
        let mut data = u32::try_from(text.len()).unwrap().to_le_bytes().to_vec();
        data.extend(text.as_bytes());
        let told = told(Blunt { n_decimals, top_k }, OutputKind::Json, &data).unwrap();
        String::from_utf8(told[4..].to_vec()).unwrap()
    }

    #[test]
    fn numbers_are_rounded_however_deep_they_stand() {
        let told = of(r#"{"a":0.123456,"b":[1.999,{"c":7}],"d":"0.123456"}"#, Some(2), None);
        assert_eq!(told, r#"{"a":0.12,"b":[2.0,{"c":7}],"d":"0.123456"}"#);
    }

    #[test]
    fn the_best_classes_alone_are_told() {
        assert_eq!(of(r#"{"a":0.2,"b":0.7,"c":0.1}"#, None, Some(1)), r#"{"a":0.0,"b":0.7,"c":0.0}"#);
        // Not every object of numbers is one of classes.
        assert_eq!(of(r#"{"x":12.5,"y":3.5}"#, None, Some(1)), r#"{"x":12.5,"y":3.5}"#);
    }

    #[test]
    fn what_is_no_json_stays() {
        assert_eq!(of("a cat", Some(1), Some(1)), "a cat");
        assert!(told(Blunt::default(), OutputKind::Image, b"").is_none());
        let rounded = Blunt { n_decimals: Some(1), top_k: None };
        assert!(told(rounded, OutputKind::Json, &[9, 0, 0, 0, 1]).is_none());
    }
}
