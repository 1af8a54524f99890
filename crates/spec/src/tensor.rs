//! Tensors and their types, as the Open Inference Protocol names them.
//!
//! Knows nothing of models. Invariant of [`Tensor`]: `data` holds exactly the bytes that datatype and shape
//! call for, little-endian and row-major; a BYTES element is its length as `u32` and then that many bytes.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::limits;

/// The type of one element.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "UPPERCASE")]
pub enum Datatype {
    Bool,
    Uint8,
    Uint16,
    Uint32,
    Uint64,
    Int8,
    Int16,
    Int32,
    Int64,
    Fp16,
    Fp32,
    Fp64,
    Bf16,
    Bytes,
}

impl Datatype {
    /// All of them; a type's position is its code on the wire between gateway and runtime.
    pub const ALL: [Self; 14] = [
        Self::Bool,
        Self::Uint8,
        Self::Uint16,
        Self::Uint32,
        Self::Uint64,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::Fp16,
        Self::Fp32,
        Self::Fp64,
        Self::Bf16,
        Self::Bytes,
    ];

    /// Its name in the protocol, such as `FP32`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Uint8 => "UINT8",
            Self::Uint16 => "UINT16",
            Self::Uint32 => "UINT32",
            Self::Uint64 => "UINT64",
            Self::Int8 => "INT8",
            Self::Int16 => "INT16",
            Self::Int32 => "INT32",
            Self::Int64 => "INT64",
            Self::Fp16 => "FP16",
            Self::Fp32 => "FP32",
            Self::Fp64 => "FP64",
            Self::Bf16 => "BF16",
            Self::Bytes => "BYTES",
        }
    }

    /// Bytes of one element, or none where elements differ in length.
    pub fn n_bytes(self) -> Option<usize> {
        match self {
            Self::Bool | Self::Uint8 | Self::Int8 => Some(1),
            Self::Uint16 | Self::Int16 | Self::Fp16 | Self::Bf16 => Some(2),
            Self::Uint32 | Self::Int32 | Self::Fp32 => Some(4),
            Self::Uint64 | Self::Int64 | Self::Fp64 => Some(8),
            Self::Bytes => None,
        }
    }

    pub fn is_float(self) -> bool {
        matches!(self, Self::Fp16 | Self::Fp32 | Self::Fp64 | Self::Bf16)
    }
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no datatype of the protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a datatype")]
pub struct DatatypeError(String);

impl FromStr for Datatype {
    type Err = DatatypeError;

    fn from_str(value: &str) -> Result<Self, DatatypeError> {
        let found = Self::ALL.into_iter().find(|datatype| datatype.as_str() == value);
        found.ok_or_else(|| DatatypeError(value.chars().take(32).collect()))
    }
}

/// What a model takes or gives: a name, a type and a shape in which `-1` is any length.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TensorSpec {
    pub name: String,
    pub datatype: Datatype,
    /// Lengths of the dimensions; `-1` where any length will do. The first is the number of rows.
    pub shape: Vec<i64>,
}

impl TensorSpec {
    /// Whether a tensor of this shape fits.
    pub fn accepts(&self, shape: &[usize]) -> bool {
        let fits = |(want, got): (&i64, &usize)| *want < 0 || usize::try_from(*want) == Ok(*got);
        self.shape.len() == shape.len() && self.shape.iter().zip(shape).all(fits)
    }

    /// Elements of one row, or none where that is not fixed or cannot be counted. A tensor without dimensions has one.
    pub fn row_elements(&self) -> Option<usize> {
        let mut lengths = self.shape.iter().skip(1);
        lengths.try_fold(1_usize, |n, length| n.checked_mul(usize::try_from(*length).ok()?))
    }

    /// The shape of one row, and how many elements it has; one stands for any length. None where they cannot be counted.
    pub fn one_row(&self) -> Option<(Vec<i64>, usize)> {
        let shape: Vec<i64> = self.shape.iter().map(|n| if *n < 1 { 1 } else { *n }).collect();
        let mut lengths = shape.iter();
        let n = lengths.try_fold(1_usize, |n, length| n.checked_mul(usize::try_from(*length).ok()?))?;
        Some((shape, n))
    }
}

/// Values with a name, a type and a shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    pub datatype: Datatype,
    pub shape: Vec<usize>,
    pub data: Bytes,
}

/// Why bytes are not the tensor they claim to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TensorError {
    #[error(
        "tensor `{name}` has {n_dimensions} dimensions; at most {} are allowed",
        limits::TENSOR_DIMENSIONS
    )]
    Dimensions { name: String, n_dimensions: usize },
    #[error("tensor `{name}` of {datatype} and shape {shape:?} needs {wanted} bytes and has {got}")]
    Length { name: String, datatype: Datatype, shape: Vec<usize>, wanted: usize, got: usize },
    #[error("tensor `{name}`: shape {shape:?} holds more elements than can be counted")]
    Overflow { name: String, shape: Vec<usize> },
    #[error("tensor `{name}`: its BYTES elements do not add up to its {got} bytes")]
    Elements { name: String, got: usize },
}

impl Tensor {
    /// A tensor whose bytes were checked against its datatype and shape.
    pub fn new(
        name: String,
        datatype: Datatype,
        shape: Vec<usize>,
        data: Bytes,
    ) -> Result<Self, TensorError> {
        let tensor = Self { name, datatype, shape, data };
        tensor.check().map(|()| tensor)
    }

    /// Elements in all: the product of the shape.
    pub fn n_elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Rows: the first dimension, or one where there is none.
    pub fn n_rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// The elements of a BYTES tensor, in order.
    pub fn elements(&self) -> impl Iterator<Item = Bytes> {
        let mut rest = self.data.clone();
        std::iter::from_fn(move || {
            let length = u32::from_le_bytes(*rest.first_chunk::<4>()?) as usize;
            if rest.len() < 4 + length {
                return None;
            }
            let mut element = rest.split_to(4 + length);
            Some(element.split_off(4))
        })
    }

    fn check(&self) -> Result<(), TensorError> {
        let name = || self.name.clone();
        if self.shape.len() > limits::TENSOR_DIMENSIONS {
            return Err(TensorError::Dimensions { name: name(), n_dimensions: self.shape.len() });
        }
        let n_elements = self.shape.iter().try_fold(1_usize, |n, length| n.checked_mul(*length));
        let overflow = || TensorError::Overflow { name: name(), shape: self.shape.clone() };
        let n_elements = n_elements.ok_or_else(overflow)?;
        let got = self.data.len();
        let Some(width) = self.datatype.n_bytes() else {
            let counted =
                self.elements().fold((0, 0), |(n, total), element| (n + 1, total + 4 + element.len()));
            return match counted == (n_elements, got) {
                true => Ok(()),
                false => Err(TensorError::Elements { name: name(), got }),
            };
        };
        let wanted = n_elements.checked_mul(width).ok_or_else(overflow)?;
        if wanted == got {
            return Ok(());
        }
        let (datatype, shape) = (self.datatype, self.shape.clone());
        Err(TensorError::Length { name: name(), datatype, shape, wanted, got })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_holds_what_its_shape_says() {
        let make = |shape: &[usize], n: usize| {
            Tensor::new("x".into(), Datatype::Fp32, shape.into(), vec![0; n].into())
        };
        assert!(make(&[2, 3], 24).is_ok());
        assert!(matches!(make(&[2, 3], 20), Err(TensorError::Length { wanted: 24, got: 20, .. })));
        assert!(matches!(make(&[usize::MAX, 2], 0), Err(TensorError::Overflow { .. })));
        assert!(matches!(make(&[1; 9], 4), Err(TensorError::Dimensions { .. })));
    }

    #[test]
    fn elements_of_bytes_are_counted() {
        let data = Bytes::from_static(b"\x02\0\0\0hi\x00\0\0\0");
        let tensor = Tensor::new("t".into(), Datatype::Bytes, vec![2], data.clone()).unwrap();
        assert_eq!(tensor.elements().collect::<Vec<_>>(), [&b"hi"[..], &b""[..]]);
        assert!(Tensor::new("t".into(), Datatype::Bytes, vec![3], data).is_err());
    }

    #[test]
    fn a_shape_fits_where_minus_one_is_any_length() {
        let spec = TensorSpec { name: "x".into(), datatype: Datatype::Fp32, shape: vec![-1, 64] };
        assert!(spec.accepts(&[7, 64]) && !spec.accepts(&[64]) && !spec.accepts(&[1, 63]));
        assert_eq!(spec.row_elements(), Some(64));
    }
}
