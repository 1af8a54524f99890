//! One value of a request, put into a tensor of a given datatype.
//!
//! Knows nothing of rows and names; who calls it says where the value stood. Invariant: a value is stored as
//! it was sent or refused; nothing is rounded to fit an integer and nothing becomes infinite.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use half::{bf16, f16};
use serde::de::{Deserializer, Visitor};
use spec::schema::Schema;
use spec::tensor::Datatype;

/// A value as JSON or CSV wrote it.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    Null,
    Bool(bool),
    Signed(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
    /// Bytes that JSON can only say as text.
    Base64(&'a str),
}

/// What texts in JSON stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Texts {
    #[default]
    Plain,
    /// The bytes of files.
    Base64,
}

impl Texts {
    /// Of the input of this name.
    pub fn of_input(schema: &Schema, name: &str) -> Self {
        let is_file = schema.input_part(name).is_some_and(|part| part.kind.is_file());
        if is_file { Self::Base64 } else { Self::Plain }
    }

    /// Of the output of this name.
    pub fn of_output(schema: &Schema, name: &str) -> Self {
        let is_file = schema.output_part(name).is_some_and(|part| part.kind.is_file());
        if is_file { Self::Base64 } else { Self::Plain }
    }

    /// What this scalar is.
    pub fn meant(self, scalar: Scalar<'_>) -> Scalar<'_> {
        match (self, scalar) {
            (Self::Base64, Scalar::Text(text)) => Scalar::Base64(text),
            (_, scalar) => scalar,
        }
    }
}

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Signed(value) => write!(f, "{value}"),
            Self::Unsigned(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Base64(_) => f.write_str("base64"),
            Self::Text(text) if text.chars().count() > 40 => {
                write!(f, "\"{}…\"", text.chars().take(40).collect::<String>())
            }
            Self::Text(text) => write!(f, "\"{text}\""),
        }
    }
}

/// Appends a value to a tensor's bytes, or says what was wanted instead.
pub fn push(out: &mut Vec<u8>, datatype: Datatype, value: &Scalar<'_>) -> Result<(), String> {
    let refuse = |wanted: &str| Err(format!("`{value}` came, {wanted} is wanted"));
    match datatype {
        Datatype::Bytes => match value {
            Scalar::Text(text) => push_bytes(out, text.as_bytes()),
            Scalar::Base64(text) => {
                let decoded = STANDARD.decode(text).map_err(|error| format!("it is no base64: {error}"))?;
                push_bytes(out, &decoded);
            }
            _ => return refuse("a text"),
        },
        Datatype::Bool => match value {
            Scalar::Bool(value) => out.push(u8::from(*value)),
            Scalar::Unsigned(value @ (0 | 1)) => out.push(u8::from(*value == 1)),
            Scalar::Text("true" | "True" | "1") => out.push(1),
            Scalar::Text("false" | "False" | "0") => out.push(0),
            _ => return refuse("true or false"),
        },
        Datatype::Fp16 | Datatype::Bf16 | Datatype::Fp32 | Datatype::Fp64 => match float(value) {
            Some(number) if push_float(out, datatype, number) => {}
            Some(_) => return refuse(&format!("a finite number that {datatype} can hold")),
            None => return refuse("a number"),
        },
        _ => match integer(value) {
            Some(number) if push_integer(out, datatype, number) => {}
            Some(_) => return refuse(&format!("a number in the range of {datatype}")),
            None => return refuse("a whole number"),
        },
    }
    Ok(())
}

/// Appends an element of a BYTES tensor.
pub fn push_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    // A request is far below 4 GiB, so a text or file in it has a length that fits.
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn float(value: &Scalar<'_>) -> Option<f64> {
    match value {
        Scalar::Signed(value) => Some(*value as f64),
        Scalar::Unsigned(value) => Some(*value as f64),
        Scalar::Float(value) => Some(*value),
        Scalar::Text(text) => text.trim().parse().ok(),
        Scalar::Null | Scalar::Bool(_) | Scalar::Base64(_) => None,
    }
}

fn integer(value: &Scalar<'_>) -> Option<i128> {
    match value {
        Scalar::Signed(value) => Some(i128::from(*value)),
        Scalar::Unsigned(value) => Some(i128::from(*value)),
        // 2^53: from here on a float no longer says which whole number was meant.
        Scalar::Float(value) if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 => {
            Some(*value as i128)
        }
        Scalar::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn push_float(out: &mut Vec<u8>, datatype: Datatype, number: f64) -> bool {
    match datatype {
        Datatype::Fp64 if number.is_finite() => out.extend_from_slice(&number.to_le_bytes()),
        Datatype::Fp32 if (number as f32).is_finite() => {
            out.extend_from_slice(&(number as f32).to_le_bytes());
        }
        Datatype::Fp16 if f16::from_f64(number).is_finite() => {
            out.extend_from_slice(&f16::from_f64(number).to_le_bytes());
        }
        Datatype::Bf16 if bf16::from_f64(number).is_finite() => {
            out.extend_from_slice(&bf16::from_f64(number).to_le_bytes());
        }
        _ => return false,
    }
    true
}

fn push_integer(out: &mut Vec<u8>, datatype: Datatype, number: i128) -> bool {
    macro_rules! put {
        ($type:ty) => {
            <$type>::try_from(number).map(|value| out.extend_from_slice(&value.to_le_bytes())).is_ok()
        };
    }
    match datatype {
        Datatype::Int8 => put!(i8),
        Datatype::Int16 => put!(i16),
        Datatype::Int32 => put!(i32),
        Datatype::Int64 => put!(i64),
        Datatype::Uint8 => put!(u8),
        Datatype::Uint16 => put!(u16),
        Datatype::Uint32 => put!(u32),
        Datatype::Uint64 => put!(u64),
        _ => false,
    }
}

/// Whether a tensor sent as bytes holds a value that is no number; the index of the first one.
pub fn first_non_finite(datatype: Datatype, data: &[u8]) -> Option<usize> {
    match datatype {
        Datatype::Fp32 => data.as_chunks::<4>().0.iter().position(|b| !f32::from_le_bytes(*b).is_finite()),
        Datatype::Fp64 => data.as_chunks::<8>().0.iter().position(|b| !f64::from_le_bytes(*b).is_finite()),
        Datatype::Fp16 => data.as_chunks::<2>().0.iter().position(|b| !f16::from_le_bytes(*b).is_finite()),
        Datatype::Bf16 => data.as_chunks::<2>().0.iter().position(|b| !bf16::from_le_bytes(*b).is_finite()),
        _ => None,
    }
}

/// Calls a function with each scalar of a JSON value, lists of lists in row-major order.
pub struct Flat<F>(pub F);

impl<'de, F: FnMut(Scalar<'_>) -> Result<(), String>> serde::de::DeserializeSeed<'de> for &mut Flat<F> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(Scalar<'_>) -> Result<(), String>> Visitor<'de> for &mut Flat<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value or a list of values")
    }
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        (self.0)(Scalar::Null).map_err(E::custom)
    }
    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        (self.0)(Scalar::Bool(value)).map_err(E::custom)
    }
    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        (self.0)(Scalar::Signed(value)).map_err(E::custom)
    }
    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        (self.0)(Scalar::Unsigned(value)).map_err(E::custom)
    }
    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        (self.0)(Scalar::Float(value)).map_err(E::custom)
    }
    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        (self.0)(Scalar::Text(value)).map_err(E::custom)
    }
    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }
    /// Bytes as TensorFlow Serving and KServe write them: `{"b64": "…"}`.
    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let wanted = || serde::de::Error::custom("an object came; `{\"b64\": \"…\"}` alone is a value");
        let (name, text): (Cow<'de, str>, Cow<'de, str>) = map.next_entry()?.ok_or_else(wanted)?;
        if name != BASE64_KEY || map.next_key::<serde::de::IgnoredAny>()?.is_some() {
            return Err(wanted());
        }
        (self.0)(Scalar::Base64(&text)).map_err(serde::de::Error::custom)
    }
}

/// The name under which an object holds bytes.
pub const BASE64_KEY: &str = "b64";

#[cfg(test)]
mod tests {
    use super::*;

    fn pushed(datatype: Datatype, value: &Scalar<'_>) -> Result<Vec<u8>, String> {
        let mut out = Vec::new();
        push(&mut out, datatype, value).map(|()| out)
    }

    #[test]
    fn a_value_that_does_not_fit_is_refused() {
        assert!(pushed(Datatype::Int8, &Scalar::Unsigned(200)).is_err());
        assert!(pushed(Datatype::Int64, &Scalar::Float(1.5)).is_err());
        assert!(pushed(Datatype::Fp32, &Scalar::Float(1e39)).is_err());
        assert!(pushed(Datatype::Fp64, &Scalar::Text("NaN")).is_err());
        assert!(pushed(Datatype::Fp32, &Scalar::Null).is_err());
        assert!(pushed(Datatype::Bool, &Scalar::Unsigned(2)).is_err());
        assert!(pushed(Datatype::Bytes, &Scalar::Unsigned(2)).is_err());
        assert!(pushed(Datatype::Bytes, &Scalar::Base64("/w")).unwrap_err().contains("no base64"));
        assert!(pushed(Datatype::Fp32, &Scalar::Base64("AAAA")).is_err());
    }

    #[test]
    fn a_value_is_stored_as_it_was_sent() {
        assert_eq!(pushed(Datatype::Int16, &Scalar::Float(-2.0)), Ok(vec![0xfe, 0xff]));
        assert_eq!(pushed(Datatype::Fp32, &Scalar::Text(" 1.5 ")), Ok(1.5_f32.to_le_bytes().into()));
        assert_eq!(pushed(Datatype::Bytes, &Scalar::Text("hi")), Ok(b"\x02\0\0\0hi".to_vec()));
        assert_eq!(pushed(Datatype::Bytes, &Scalar::Base64("/wA=")), Ok(b"\x02\0\0\0\xff\0".to_vec()));
        assert_eq!(pushed(Datatype::Uint64, &Scalar::Unsigned(u64::MAX)), Ok(vec![0xff; 8]));
    }

    #[test]
    fn the_first_value_that_is_no_number_is_found() {
        let data: Vec<u8> = [1.0_f32, f32::NAN, f32::INFINITY].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(first_non_finite(Datatype::Fp32, &data), Some(1));
        assert_eq!(first_non_finite(Datatype::Fp32, &data[..4]), None);
    }
}
