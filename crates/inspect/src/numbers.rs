//! The types of numbers by the names that NumPy, PyTorch and Keras share.
//!
//! Knows names only. Invariant: every name here is that of a type in each library that has it, and of nothing else.

use spec::tensor::Datatype;

/// Names that the protocol has a type for.
const TYPES: &[(&str, Datatype)] = &[
    ("bool", Datatype::Bool),
    ("uint8", Datatype::Uint8),
    ("uint16", Datatype::Uint16),
    ("uint32", Datatype::Uint32),
    ("uint64", Datatype::Uint64),
    ("int8", Datatype::Int8),
    ("int16", Datatype::Int16),
    ("int32", Datatype::Int32),
    ("int64", Datatype::Int64),
    ("float16", Datatype::Fp16),
    ("bfloat16", Datatype::Bf16),
    ("float32", Datatype::Fp32),
    ("float64", Datatype::Fp64),
];
/// Names that it has none for.
const UNTYPED: &[&str] = &["complex64", "complex128"];

/// The type of this name; none where the protocol has no such type.
pub(crate) fn datatype(name: &str) -> Option<Datatype> {
    TYPES.iter().find(|(known, _)| *known == name).map(|(_, datatype)| *datatype)
}

/// Whether this is the name of a type of numbers.
pub(crate) fn is_type(name: &str) -> bool {
    datatype(name).is_some() || UNTYPED.contains(&name)
}
