//! Arrays between the opcodes, as joblib writes them: after the object that describes an array come padding
//! and the array's bytes, or, for an array of objects, a pickle of its own.
//!
//! Invariant: bytes are skipped only where it is certain how many the loader reads; else the walk fails, since
//! opcodes could hide in what was skipped. A joblib file is read as joblib reads it; Python's plain unpickler
//! would take the bytes of its arrays for opcodes.

use super::array;
use super::machine::Machine;
use super::value::{Heap, Inline, Node, Value};
use crate::error::Error;
use crate::limits;

/// Whether a value is the object that stands before an array.
pub(super) fn is_wrapper(heap: &Heap, value: Value) -> bool {
    array::class_of(heap, value) == Some(("joblib.numpy_pickle", "NumpyArrayWrapper"))
}

/// Reads the array that follows; `state` is what its wrapper was given.
pub(super) fn read_array(machine: &mut Machine<'_, '_>, state: Value) -> Result<Value, Error> {
    let at = machine.reader.at();
    let described = describe(&machine.heap, state);
    let (Some(Described { dtype, dtype_value, shape, padded }), false) =
        (described, machine.is_within_frame())
    else {
        return Err(Error::Array { at });
    };
    if dtype.kind == 'O' {
        let objects = Some(machine.walk_nested()?);
        let inline = Inline { dtype: dtype_value, shape, head: Vec::new(), at, objects };
        return Ok(machine.heap.add(Node::Inline(Box::new(inline))));
    }
    if padded {
        let n = machine.reader.byte()?;
        machine.reader.skip(n.into())?;
    }
    let n_elements = shape.iter().try_fold(1_u64, |n, length| n.checked_mul(*length));
    let n_bytes = n_elements.and_then(|n| n.checked_mul(dtype.n_bytes)).ok_or(Error::Array { at })?;
    let at = machine.reader.at();
    let head = machine.reader.take(n_bytes, limits::KEPT_BYTES)?;
    let inline = Inline { dtype: dtype_value, shape, head, at, objects: None };
    Ok(machine.heap.add(Node::Inline(Box::new(inline))))
}

struct Described {
    dtype: array::Dtype,
    dtype_value: Value,
    shape: Vec<u64>,
    /// Whether a byte that says the length of the padding comes before the array.
    padded: bool,
}

fn describe(heap: &Heap, state: Value) -> Option<Described> {
    let Some(Node::Dict(pairs)) = heap.node(state) else { return None };
    if pairs.n != pairs.kept.len() as u64 {
        return None;
    }
    let get = |name: &str| {
        pairs.kept.iter().rev().find(|(key, _)| heap.text(*key) == Some(name)).map(|(_, value)| *value)
    };
    let dtype_value = get("dtype")?;
    let padded = match get("numpy_array_alignment_bytes") {
        None | Some(Value::None) => false,
        Some(Value::Int(_)) => true,
        Some(_) => return None,
    };
    Some(Described {
        dtype: array::dtype(heap, dtype_value)?,
        dtype_value,
        shape: array::shape(heap, get("shape")?)?,
        padded,
    })
}
