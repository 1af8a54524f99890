//! The small messages of ONNX that are decoded whole, with the fields that are needed; prost skips the others.
//!
//! Field numbers are those of `onnx.proto`. Invariant: nothing here holds a tensor's data.

use spec::tensor::{Datatype, TensorSpec};

use crate::{limits, shown};

/// `OperatorSetIdProto`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OperatorSet {
    #[prost(string, tag = "1")]
    pub(super) domain: String,
    #[prost(int64, tag = "2")]
    pub(super) version: i64,
}

/// `StringStringEntryProto`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Entry {
    #[prost(string, tag = "1")]
    pub(super) key: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

/// `ValueInfoProto`
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct ValueInfo {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(message, optional, tag = "2")]
    pub(super) kind: Option<TypeProto>,
}

/// `TypeProto`, of which only tensors are followed: sequences and maps have no schema.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TypeProto {
    #[prost(message, optional, tag = "1")]
    pub(super) tensor: Option<TensorType>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct TensorType {
    #[prost(int32, tag = "1")]
    pub(super) element: i32,
    #[prost(message, optional, tag = "2")]
    pub(super) shape: Option<Shape>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Shape {
    #[prost(message, repeated, tag = "1")]
    pub(super) dimensions: Vec<Dimension>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Dimension {
    /// A length; absent where the dimension has a name, or nothing is said.
    #[prost(int64, optional, tag = "1")]
    pub(super) value: Option<i64>,
}

impl ValueInfo {
    /// The tensor it describes; none where it is no tensor, or of a type that the protocol does not have.
    pub(super) fn tensor(&self) -> Option<TensorSpec> {
        let tensor = self.kind.as_ref()?.tensor.as_ref()?;
        // Without a shape nothing is known but that it has rows.
        let dimensions = tensor.shape.as_ref().map_or(&[][..], |shape| &shape.dimensions);
        let shape = match dimensions {
            [] if tensor.shape.is_none() => vec![-1],
            _ => {
                dimensions.iter().map(|dimension| dimension.value.filter(|n| *n >= 0).unwrap_or(-1)).collect()
            }
        };
        let name = shown::short(&self.name);
        (shape.len() <= limits::DIMENSIONS).then_some(TensorSpec {
            name,
            datatype: datatype(self.tensor_element()?)?,
            shape,
        })
    }

    fn tensor_element(&self) -> Option<u64> {
        u64::try_from(self.kind.as_ref()?.tensor.as_ref()?.element).ok()
    }
}

/// `TensorProto.DataType`
pub(crate) fn datatype(code: u64) -> Option<Datatype> {
    Some(match code {
        1 => Datatype::Fp32,
        2 => Datatype::Uint8,
        3 => Datatype::Int8,
        4 => Datatype::Uint16,
        5 => Datatype::Int16,
        6 => Datatype::Int32,
        7 => Datatype::Int64,
        8 => Datatype::Bytes,
        9 => Datatype::Bool,
        10 => Datatype::Fp16,
        11 => Datatype::Fp64,
        12 => Datatype::Uint32,
        13 => Datatype::Uint64,
        16 => Datatype::Bf16,
        _ => return None,
    })
}
