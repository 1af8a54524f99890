//! NumPy's own files: a header that is a Python dict, then the elements of one array.
//!
//! Invariant: the header is read as the text that NumPy writes, and any other text is no array.

use std::io::{Read, SeekFrom};

use spec::tensor::Datatype;

use super::{Bytes, Tensor};
use crate::bounded::{self, Source};

const MAGIC: &[u8] = b"\x93NUMPY";
/// The longest header that is read, in bytes.
const HEADER_BYTES: u64 = 1024 * 1024;

pub(super) fn is_array(source: &mut dyn Source) -> bool {
    bounded::head(source, 16).is_ok_and(|head| head.starts_with(MAGIC))
}

/// The array of such a file.
pub(super) fn array(source: &mut dyn Source, name: &str) -> Option<Tensor> {
    let end = bounded::length(source).ok()?;
    source.seek(SeekFrom::Start(0)).ok()?;
    let mut head = [0; 8];
    source.read_exact(&mut head).ok()?;
    let n_header = match head.strip_prefix(MAGIC)? {
        [1, _] => u64::from(u16::from_le_bytes(exactly(source)?)),
        [2 | 3, _] => u64::from(u32::from_le_bytes(exactly(source)?)),
        _ => return None,
    };
    let mut header = String::new();
    source.take(n_header.min(HEADER_BYTES)).read_to_string(&mut header).ok()?;
    let offset = source.stream_position().ok()?;
    let (kind, is_column_major, shape) = parse(&header)?;
    let n_bytes = end.checked_sub(offset)?;
    let (datatype, width) = datatype(&kind);
    let n_elements = crate::shown::n_elements(&shape);
    if width.is_some_and(|width| n_elements.checked_mul(width) != Some(n_bytes)) {
        return None;
    }
    // Column by column the numbers are the same and their order is another, which is a difference of its own.
    let name = if is_column_major { format!("{name} (column-major)") } else { name.to_owned() };
    Some(Tensor { name, datatype, shape, bytes: Bytes::At { offset, n_bytes } })
}

fn exactly<const N: usize>(source: &mut dyn Source) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes).ok().map(|()| bytes)
}

/// Type, order and shape, as in `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`.
fn parse(header: &str) -> Option<(String, bool, Vec<u64>)> {
    let after = |key: &str| header.split_once(key).map(|(_, rest)| rest.trim_start());
    let kind = after("'descr':")?;
    let kind = match kind.strip_prefix('\'') {
        Some(rest) => rest.split('\'').next()?.to_owned(),
        // Records: a list of names and types, compared as bytes.
        None => String::new(),
    };
    let is_column_major = after("'fortran_order':")?.starts_with("True");
    let shape = after("'shape':")?.strip_prefix('(')?.split(')').next()?;
    let lengths = shape.split(',').map(str::trim).filter(|length| !length.is_empty());
    let shape = lengths.map(|length| length.parse().ok()).collect::<Option<Vec<u64>>>()?;
    Some((kind, is_column_major, shape))
}

/// The type of elements, and how many bytes one has, where that is known.
pub(super) fn datatype(kind: &str) -> (Option<Datatype>, Option<u64>) {
    let datatype = match kind.trim_start_matches(['<', '|', '=']) {
        "b1" => Datatype::Bool,
        "u1" => Datatype::Uint8,
        "u2" => Datatype::Uint16,
        "u4" => Datatype::Uint32,
        "u8" => Datatype::Uint64,
        "i1" => Datatype::Int8,
        "i2" => Datatype::Int16,
        "i4" => Datatype::Int32,
        "i8" => Datatype::Int64,
        "f2" => Datatype::Fp16,
        "f4" => Datatype::Fp32,
        "f8" => Datatype::Fp64,
        _ => return (None, None),
    };
    (Some(datatype), datatype.n_bytes().map(|width| width as u64))
}
