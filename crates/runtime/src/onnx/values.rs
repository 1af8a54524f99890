//! Between the protocol's tensors and ONNX Runtime's.
//!
//! Knows nothing of requests beyond their columns. Invariant: bits pass through unchanged, NaN included; what
//! a bool is made of is any byte, and what it becomes is 0 or 1.

use std::ops::Range;

use bytemuck::{NoUninit, Pod};
use ort::session::SessionInputValue;
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor, TensorElementType};
use spec::tensor::Datatype;

use crate::backend::Given;
use crate::output::Output;
use crate::request::{Column, Refusal};

// Both sides of the protocol are little-endian, and so are the machines that ONNX Runtime supports.
const _: () = assert!(cfg!(target_endian = "little"));

/// The protocol's name of a type, where it has one.
pub(super) fn datatype(element: TensorElementType) -> Option<Datatype> {
    Some(match element {
        TensorElementType::Bool => Datatype::Bool,
        TensorElementType::Uint8 => Datatype::Uint8,
        TensorElementType::Uint16 => Datatype::Uint16,
        TensorElementType::Uint32 => Datatype::Uint32,
        TensorElementType::Uint64 => Datatype::Uint64,
        TensorElementType::Int8 => Datatype::Int8,
        TensorElementType::Int16 => Datatype::Int16,
        TensorElementType::Int32 => Datatype::Int32,
        TensorElementType::Int64 => Datatype::Int64,
        TensorElementType::Float16 => Datatype::Fp16,
        TensorElementType::Float32 => Datatype::Fp32,
        TensorElementType::Float64 => Datatype::Fp64,
        TensorElementType::Bfloat16 => Datatype::Bf16,
        TensorElementType::String => Datatype::Bytes,
        _ => return None,
    })
}

/// Joins the rows of an input into a tensor.
pub(super) fn join(given: &Given<'_>) -> Result<SessionInputValue<'static>, Refusal> {
    let (shape, pieces) = (given.shape.clone(), given.parts.as_slice());
    match given.datatype {
        Datatype::Bool => {
            let bytes = pieces.iter().flat_map(|(column, rows)| column.numbers(rows.clone()));
            let values: Vec<bool> = bytes.map(|byte| *byte != 0).collect();
            Ok(Tensor::from_array((shape, values))?.into())
        }
        Datatype::Uint8 => join_numbers::<u8>(shape, pieces),
        Datatype::Uint16 => join_numbers::<u16>(shape, pieces),
        Datatype::Uint32 => join_numbers::<u32>(shape, pieces),
        Datatype::Uint64 => join_numbers::<u64>(shape, pieces),
        Datatype::Int8 => join_numbers::<i8>(shape, pieces),
        Datatype::Int16 => join_numbers::<i16>(shape, pieces),
        Datatype::Int32 => join_numbers::<i32>(shape, pieces),
        Datatype::Int64 => join_numbers::<i64>(shape, pieces),
        Datatype::Fp16 => join_numbers::<half::f16>(shape, pieces),
        Datatype::Fp32 => join_numbers::<f32>(shape, pieces),
        Datatype::Fp64 => join_numbers::<f64>(shape, pieces),
        Datatype::Bf16 => join_numbers::<half::bf16>(shape, pieces),
        Datatype::Bytes => {
            let texts = pieces.iter().flat_map(|(column, rows)| column.texts(rows.clone()));
            let texts =
                texts.map(|text| std::str::from_utf8(text).map(str::to_owned).map_err(|_| Refusal::NotText));
            let texts = texts.collect::<Result<Vec<String>, _>>()?;
            Ok(Tensor::from_string_array((shape, texts.as_slice()))?.into())
        }
    }
}

fn join_numbers<T>(
    shape: Vec<usize>,
    pieces: &[(&Column, Range<usize>)],
) -> Result<SessionInputValue<'static>, Refusal>
where
    T: Pod + PrimitiveTensorElementType + std::fmt::Debug,
{
    let mut values = vec![T::zeroed(); shape.iter().product()];
    let mut rest = bytemuck::cast_slice_mut::<T, u8>(&mut values);
    for (column, rows) in pieces {
        let bytes = column.numbers(rows.clone());
        let Some((here, after)) = rest.split_at_mut_checked(bytes.len()) else { break };
        here.copy_from_slice(bytes);
        rest = after;
    }
    Ok(Tensor::from_array((shape, values))?.into())
}

/// What the model gave under this name.
pub(super) fn take(name: &str, value: &DynValue) -> Result<Output, Refusal> {
    let odd = || Refusal::OutputType { name: name.into(), what: value.dtype().to_string() };
    let element = value.dtype().tensor_type().ok_or_else(odd)?;
    let datatype = datatype(element).ok_or_else(odd)?;
    match datatype {
        Datatype::Bool => take_numbers::<bool>(datatype, value),
        Datatype::Uint8 => take_numbers::<u8>(datatype, value),
        Datatype::Uint16 => take_numbers::<u16>(datatype, value),
        Datatype::Uint32 => take_numbers::<u32>(datatype, value),
        Datatype::Uint64 => take_numbers::<u64>(datatype, value),
        Datatype::Int8 => take_numbers::<i8>(datatype, value),
        Datatype::Int16 => take_numbers::<i16>(datatype, value),
        Datatype::Int32 => take_numbers::<i32>(datatype, value),
        Datatype::Int64 => take_numbers::<i64>(datatype, value),
        Datatype::Fp16 => take_numbers::<half::f16>(datatype, value),
        Datatype::Fp32 => take_numbers::<f32>(datatype, value),
        Datatype::Fp64 => take_numbers::<f64>(datatype, value),
        Datatype::Bf16 => take_numbers::<half::bf16>(datatype, value),
        Datatype::Bytes => take_texts(value),
    }
}

fn take_numbers<T>(datatype: Datatype, value: &DynValue) -> Result<Output, Refusal>
where
    T: NoUninit + PrimitiveTensorElementType,
{
    let (shape, values) = value.try_extract_tensor::<T>()?;
    let data = bytemuck::cast_slice::<T, u8>(values).to_vec();
    Ok(Output::of_numbers(datatype, lengths(shape), data))
}

fn take_texts(value: &DynValue) -> Result<Output, Refusal> {
    let (shape, texts) = value.try_extract_strings()?;
    let (mut data, mut ends) = (Vec::new(), Vec::with_capacity(texts.len()));
    for text in &texts {
        // A text of 4 GiB would not fit into a frame, let alone this length.
        data.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
        data.extend(text.as_bytes());
        ends.push(data.len());
    }
    Ok(Output::of_texts(lengths(shape), data, ends))
}

fn lengths(shape: &[i64]) -> Vec<usize> {
    shape.iter().map(|length| usize::try_from(*length).unwrap_or(0)).collect()
}
