//! The values of tensors: typed fields of a message to raw little-endian bytes, and back.
//!
//! Knows no schema. Invariant: a value that its datatype cannot hold is refused with its place, never cut.

use bytes::Bytes;
use spec::frame::IndexedTensor;
use spec::tensor::{Datatype, Tensor};

use super::message::Contents;
use crate::predict::Misfit;

/// The raw bytes of an input's values.
pub(super) fn to_raw(name: &str, datatype: &str, contents: &Contents) -> Result<Bytes, Misfit> {
    let all = [
        contents.bools.len(),
        contents.ints.len(),
        contents.int64s.len(),
        contents.uints.len(),
        contents.uint64s.len(),
        contents.fp32s.len(),
        contents.fp64s.len(),
        contents.texts.len(),
    ];
    let (field, raw): (usize, Vec<u8>) = match datatype {
        "BOOL" => (0, contents.bools.iter().map(|value| u8::from(*value)).collect()),
        "INT8" => (1, narrow(name, &contents.ints, i8::to_le_bytes)?),
        "INT16" => (1, narrow(name, &contents.ints, i16::to_le_bytes)?),
        "INT32" => (1, contents.ints.iter().flat_map(|value| value.to_le_bytes()).collect()),
        "INT64" => (2, contents.int64s.iter().flat_map(|value| value.to_le_bytes()).collect()),
        "UINT8" => (3, narrow(name, &contents.uints, u8::to_le_bytes)?),
        "UINT16" => (3, narrow(name, &contents.uints, u16::to_le_bytes)?),
        "UINT32" => (3, contents.uints.iter().flat_map(|value| value.to_le_bytes()).collect()),
        "UINT64" => (4, contents.uint64s.iter().flat_map(|value| value.to_le_bytes()).collect()),
        "FP32" => (5, contents.fp32s.iter().flat_map(|value| value.to_le_bytes()).collect()),
        "FP64" => (6, contents.fp64s.iter().flat_map(|value| value.to_le_bytes()).collect()),
        "BYTES" => (7, texts(name, &contents.texts)?),
        other => {
            return Err(Misfit(format!("input `{name}`: {other} has no typed form; send it as raw bytes")));
        }
    };
    match all.iter().enumerate().find(|(place, n)| *place != field && **n > 0) {
        Some(_) => {
            Err(Misfit(format!("input `{name}` has values in a field that is not that of {datatype}")))
        }
        None => Ok(raw.into()),
    }
}

fn narrow<T: Copy + std::fmt::Display, U: TryFrom<T>, const N: usize>(
    name: &str,
    values: &[T],
    bytes: fn(U) -> [u8; N],
) -> Result<Vec<u8>, Misfit> {
    let mut raw = Vec::with_capacity(values.len() * N);
    for (place, value) in values.iter().enumerate() {
        let fits = U::try_from(*value).map_err(|_| {
            Misfit(format!("input `{name}`: value {place}, {value}, is outside of its datatype"))
        })?;
        raw.extend(bytes(fits));
    }
    Ok(raw)
}

fn texts(name: &str, values: &[Bytes]) -> Result<Vec<u8>, Misfit> {
    let mut raw = Vec::new();
    for (place, text) in values.iter().enumerate() {
        let length = u32::try_from(text.len())
            .map_err(|_| Misfit(format!("input `{name}`: text {place} is too long")))?;
        raw.extend(length.to_le_bytes());
        raw.extend_from_slice(text);
    }
    Ok(raw)
}

/// The values of an output in the field of its datatype; none of a datatype that has no such field.
pub(super) fn from_raw(tensor: &IndexedTensor) -> Option<Contents> {
    let data = &tensor.data;
    let mut contents = Contents::default();
    match tensor.datatype {
        Datatype::Bool => contents.bools = data.iter().map(|byte| *byte != 0).collect(),
        Datatype::Int8 => contents.ints = widen(data, |b| i8::from_le_bytes(b).into()),
        Datatype::Int16 => contents.ints = widen(data, |b| i16::from_le_bytes(b).into()),
        Datatype::Int32 => contents.ints = widen(data, i32::from_le_bytes),
        Datatype::Int64 => contents.int64s = widen(data, i64::from_le_bytes),
        Datatype::Uint8 => contents.uints = widen(data, |b| u8::from_le_bytes(b).into()),
        Datatype::Uint16 => contents.uints = widen(data, |b| u16::from_le_bytes(b).into()),
        Datatype::Uint32 => contents.uints = widen(data, u32::from_le_bytes),
        Datatype::Uint64 => contents.uint64s = widen(data, u64::from_le_bytes),
        Datatype::Fp32 => contents.fp32s = widen(data, f32::from_le_bytes),
        Datatype::Fp64 => contents.fp64s = widen(data, f64::from_le_bytes),
        Datatype::Fp16 | Datatype::Bf16 => return None,
        Datatype::Bytes => {
            let named = Tensor {
                name: String::new(),
                datatype: tensor.datatype,
                shape: Vec::new(),
                data: data.clone(),
            };
            contents.texts = named.elements().collect();
        }
    }
    Some(contents)
}

fn widen<T, const N: usize>(data: &[u8], value: impl Fn([u8; N]) -> T) -> Vec<T> {
    data.as_chunks::<N>().0.iter().map(|bytes| value(*bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_values_come_back_as_they_went() {
        let ints = Contents { ints: vec![-128, 127], ..Contents::default() };
        let texts = Contents { texts: vec!["a".into(), "".into()], ..Contents::default() };
        for (name, datatype, contents) in [("INT8", Datatype::Int8, ints), ("BYTES", Datatype::Bytes, texts)]
        {
            let data = to_raw("x", name, &contents).unwrap();
            let tensor = IndexedTensor { index: 0, datatype, shape: vec![2], data };
            assert_eq!(from_raw(&tensor).unwrap(), contents);
        }
    }

    #[test]
    fn what_a_datatype_cannot_hold_is_refused() {
        let says = |datatype: &str, contents: Contents| to_raw("x", datatype, &contents).unwrap_err().0;
        let ints = Contents { ints: vec![1, 128], ..Contents::default() };
        assert!(says("INT8", ints.clone()).contains("value 1, 128"));
        assert!(says("FP32", ints.clone()).contains("not that of FP32"));
        assert!(says("FP16", ints).contains("raw bytes"));
    }
}
