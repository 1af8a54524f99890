//! Between the protocol's tensors and ONNX Runtime's.
//!
//! Knows nothing of requests beyond their columns. Invariant: bits pass through unchanged, NaN included; what
//! a bool is made of is any byte, and what it becomes is 0 or 1.

use std::ops::Range;

use bytemuck::{NoUninit, Pod};
use ort::session::SessionInputValue;
use ort::value::{DynValue, PrimitiveTensorElementType, Tensor, TensorElementType};
use spec::tensor::Datatype;

use crate::request::{Column, Refusal};

// Both sides of the protocol are little-endian, and so are the machines that ONNX Runtime supports.
const _: () = assert!(cfg!(target_endian = "little"));

/// One output of a call: values of `shape`, as the protocol writes them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    pub(crate) datatype: Datatype,
    pub(crate) shape: Vec<usize>,
    pub(crate) data: Vec<u8>,
    /// Where in `data` each text ends; empty for numbers.
    ends: Vec<usize>,
}

/// The protocol's name of a type, where it has one.
pub(crate) fn datatype(element: TensorElementType) -> Option<Datatype> {
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

/// Joins rows of columns of one type into a tensor of `shape`.
pub(crate) fn join(
    shape: Vec<usize>,
    pieces: &[(&Column, Range<usize>)],
) -> Result<SessionInputValue<'static>, Refusal> {
    let Some((first, _)) = pieces.first() else {
        return Err(Refusal::NoRows);
    };
    match first.datatype {
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
pub(crate) fn take(name: &str, value: &DynValue) -> Result<Output, Refusal> {
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
    Ok(Output { datatype, shape: lengths(shape), data, ends: Vec::new() })
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
    Ok(Output { datatype: Datatype::Bytes, shape: lengths(shape), data, ends })
}

fn lengths(shape: &[i64]) -> Vec<usize> {
    shape.iter().map(|length| usize::try_from(*length).unwrap_or(0)).collect()
}

impl Output {
    /// Rows: the first dimension, where there is one.
    pub(crate) fn n_rows(&self) -> Option<usize> {
        self.shape.first().copied()
    }

    /// The bytes of some of its rows.
    pub(crate) fn rows(&self, rows: Range<usize>) -> &[u8] {
        let (start, end) = (self.offset(rows.start), self.offset(rows.end));
        self.data.get(start..end).unwrap_or(&[])
    }

    /// The shape of `n` of its rows.
    pub(crate) fn shape_of(&self, n_rows: usize) -> Vec<usize> {
        let mut shape = self.shape.clone();
        if let Some(first) = shape.first_mut() {
            *first = n_rows;
        }
        shape
    }

    /// Some of its rows, for themselves.
    pub(crate) fn cut(&self, rows: Range<usize>) -> Self {
        let (shape, data) = (self.shape_of(rows.len()), self.rows(rows.clone()).to_vec());
        let start = self.offset(rows.start);
        let row_elements = self.row_elements();
        let elements = rows.start * row_elements..rows.end * row_elements;
        let ends = self.ends.get(elements).unwrap_or(&[]).iter().map(|end| end - start).collect();
        Self { datatype: self.datatype, shape, data, ends }
    }

    /// Puts the rows of another behind its own; false where they are of another shape or type.
    pub(crate) fn append(&mut self, other: Self) -> bool {
        let rows = self.n_rows().unwrap_or(0) + other.n_rows().unwrap_or(0);
        if self.datatype != other.datatype || self.shape_of(0) != other.shape_of(0) {
            return false;
        }
        let before = self.data.len();
        self.shape = self.shape_of(rows);
        self.data.extend(other.data);
        self.ends.extend(other.ends.into_iter().map(|end| before + end));
        true
    }

    fn row_elements(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// Where in the data a row begins.
    fn offset(&self, row: usize) -> usize {
        match self.datatype.n_bytes() {
            Some(width) => row * self.row_elements() * width,
            None => match row * self.row_elements() {
                0 => 0,
                n => self.ends.get(n - 1).copied().unwrap_or(self.data.len()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(values: &[&str], shape: &[usize]) -> Output {
        let (mut data, mut ends) = (Vec::new(), Vec::new());
        for value in values {
            data.extend((value.len() as u32).to_le_bytes());
            data.extend(value.as_bytes());
            ends.push(data.len());
        }
        Output { datatype: Datatype::Bytes, shape: shape.into(), data, ends }
    }

    #[test]
    fn rows_that_were_cut_join_to_the_same() {
        let all = text(&["a", "", "ccc", "dd", "e", "f"], &[3, 2]);
        let mut joined = all.cut(0..1);
        assert_eq!(joined, text(&["a", ""], &[1, 2]));
        assert!(joined.append(all.cut(1..3)));
        assert_eq!(joined, all);

        let numbers = Output {
            datatype: Datatype::Int16,
            shape: vec![3, 1],
            data: vec![1, 0, 2, 0, 3, 0],
            ends: vec![],
        };
        assert_eq!(numbers.rows(1..3), [2, 0, 3, 0]);
        assert!(!numbers.cut(0..1).append(text(&["a"], &[1, 1])));
    }
}
