//! Floats in JSON, which has no number for what is none or is infinite: those stand there as `"nan"`, `"inf"`, `"-inf"`.
//!
//! Invariant: what was written is read again, one NaN like the other. A null is read as NaN, since that is what
//! writers of JSON put in its place.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

struct Float(f64);

impl Serialize for Float {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            value if value.is_finite() => serializer.serialize_f64(value),
            value if value.is_nan() => serializer.serialize_str("nan"),
            value if value > 0.0 => serializer.serialize_str("inf"),
            _ => serializer.serialize_str("-inf"),
        }
    }
}

impl<'de> Deserialize<'de> for Float {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(f64),
            Text(String),
        }
        Ok(Self(match Option::deserialize(deserializer)? {
            None => f64::NAN,
            Some(Written::Number(value)) => value,
            Some(Written::Text(text)) => match text.as_str() {
                "nan" => f64::NAN,
                "inf" => f64::INFINITY,
                "-inf" => f64::NEG_INFINITY,
                _ => return Err(D::Error::custom(format_args!("`{text}` is no number"))),
            },
        }))
    }
}

/// For a field that is a list of floats.
pub mod list {
    use super::{Deserialize, Deserializer, Float, Serializer};

    pub fn serialize<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| Float(*value)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
        let values: Vec<Float> = Vec::deserialize(deserializer)?;
        Ok(values.into_iter().map(|value| value.0).collect())
    }
}

/// For a field that is lists of floats by name.
pub mod lists {
    use std::collections::BTreeMap;

    use super::{Deserialize, Deserializer, Serialize, Serializer, list};

    #[derive(Serialize, Deserialize)]
    struct List(#[serde(with = "list")] Vec<f64>);

    pub fn serialize<S: Serializer>(
        lists: &BTreeMap<String, Vec<f64>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(lists.iter().map(|(name, values)| (name, List(values.clone()))))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, Vec<f64>>, D::Error> {
        let lists: BTreeMap<String, List> = BTreeMap::deserialize(deserializer)?;
        Ok(lists.into_iter().map(|(name, list)| (name, list.0)).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Held {
        #[serde(with = "lists")]
        metrics: BTreeMap<String, Vec<f64>>,
    }

    #[test]
    fn what_is_no_finite_number_is_written_as_text_and_read_again() {
        let values = vec![0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY];
        let text =
            serde_json::to_string(&Held { metrics: BTreeMap::from([("loss".to_owned(), values)]) }).unwrap();
        assert_eq!(text, r#"{"metrics":{"loss":[0.5,"nan","inf","-inf"]}}"#);
        let read: Held = serde_json::from_str(&text).unwrap();
        assert!(read.metrics["loss"][1].is_nan());
        assert_eq!(read.metrics["loss"][2..], [f64::INFINITY, f64::NEG_INFINITY]);
    }

    #[test]
    fn a_null_is_no_number_and_other_text_is_refused() {
        let read: Held = serde_json::from_str(r#"{"metrics":{"loss":[1,null]}}"#).unwrap();
        assert!(read.metrics["loss"][0] == 1.0 && read.metrics["loss"][1].is_nan());
        assert!(serde_json::from_str::<Held>(r#"{"metrics":{"loss":["much"]}}"#).is_err());
    }
}
