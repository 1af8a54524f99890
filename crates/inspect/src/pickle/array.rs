//! NumPy's arrays, scalars and types among the symbolic values, in each form in which they are pickled.
//!
//! Invariant: a type is known only where it is written as NumPy writes it; an array's elements are decoded only
//! where all of their bytes were kept.

use std::borrow::Cow;

use half::f16;
use serde_json::Value as Json;

use super::value::{Heap, Node, Value};

/// A NumPy type: its kind (`f`, `i`, `u`, `b`, `c`, `U`, `S`, `V`, `O`, `M`, `m`) and the bytes of one element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Dtype {
    pub(crate) kind: char,
    pub(crate) n_bytes: u64,
    pub(crate) is_big_endian: bool,
}

/// An array: its type, its shape and what was kept of its elements.
#[derive(Debug)]
pub(crate) struct Array<'h> {
    pub(crate) dtype: Dtype,
    pub(crate) shape: Vec<u64>,
    elements: Elements<'h>,
}

#[derive(Debug)]
enum Elements<'h> {
    Bytes(Cow<'h, [u8]>),
    Objects(&'h [Value]),
    Unknown,
}

/// Module and name of the class that an object is of, however it was made.
pub(crate) fn class_of(heap: &Heap, value: Value) -> Option<(&str, &str)> {
    let object = heap.object(value)?;
    let called = heap.global(object.class)?;
    match called {
        ("copyreg" | "copy_reg", "_reconstructor" | "__newobj__" | "__newobj_ex__") => {
            heap.global(*heap.items(object.arguments)?.first()?)
        }
        _ => Some(called),
    }
}

/// The array that a value is, if it is one.
pub(crate) fn array(heap: &Heap, value: Value) -> Option<Array<'_>> {
    if let Some(Node::Inline(inline)) = heap.node(value) {
        let dtype = dtype(heap, inline.dtype)?;
        let elements = match inline.objects {
            None => Elements::Bytes(Cow::Borrowed(&inline.head)),
            // The pickle in its place is that of a whole array.
            Some(objects) => match array(heap, objects)?.elements {
                Elements::Objects(values) => Elements::Objects(values),
                _ => Elements::Unknown,
            },
        };
        return Some(Array { dtype, shape: inline.shape.clone(), elements });
    }
    let object = heap.object(value)?;
    let called = heap.global(object.class)?;
    let (kind, content, size) = match called {
        ("numpy._core.multiarray" | "numpy.core.multiarray", "_reconstruct") => {
            match heap.items(object.state?)? {
                [_, size, kind, _, content] => (*kind, *content, *size),
                _ => return None,
            }
        }
        ("numpy._core.numeric" | "numpy.core.numeric", "_frombuffer") => {
            match heap.items(object.arguments)? {
                [content, kind, size, _] => (*kind, *content, *size),
                _ => return None,
            }
        }
        _ => return None,
    };
    let elements = match heap.items(content) {
        Some(values) => Elements::Objects(values),
        None => bytes(heap, content).map_or(Elements::Unknown, Elements::Bytes),
    };
    Some(Array { dtype: dtype(heap, kind)?, shape: shape(heap, size)?, elements })
}

/// Where the elements of an array stand in what was read, if they stand there as they are.
pub(crate) fn place(heap: &Heap, value: Value) -> Option<u64> {
    if let Some(Node::Inline(inline)) = heap.node(value) {
        return inline.objects.is_none().then_some(inline.at);
    }
    let object = heap.object(value)?;
    let content = match heap.global(object.class)? {
        (_, "_reconstruct") => heap.items(object.state?)?.get(4)?,
        (_, "_frombuffer") => heap.items(object.arguments)?.first()?,
        _ => return None,
    };
    let literal = match heap.object(*content) {
        Some(bytearray) => heap.items(bytearray.arguments)?.first()?,
        None => content,
    };
    match heap.node(*literal)? {
        Node::Bytes { at, .. } => Some(*at),
        _ => None,
    }
}

/// A NumPy scalar, such as `numpy.float64(0.5)`.
pub(crate) fn scalar(heap: &Heap, value: Value) -> Option<Json> {
    let object = heap.object(value)?;
    let ("numpy._core.multiarray" | "numpy.core.multiarray", "scalar") = heap.global(object.class)? else {
        return None;
    };
    let [kind, content] = heap.items(object.arguments)? else { return None };
    decode(dtype(heap, *kind)?, &bytes(heap, *content)?)
}

impl Array<'_> {
    pub(crate) fn n_elements(&self) -> u64 {
        crate::shown::n_elements(&self.shape)
    }

    /// The elements as plain values, at most `limit` of them; none where there are more or they are not plain.
    pub(crate) fn plain(&self, heap: &Heap, limit: usize) -> Option<Vec<Json>> {
        let n = usize::try_from(self.n_elements()).ok().filter(|n| *n <= limit)?;
        match &self.elements {
            Elements::Bytes(bytes) => {
                let width = usize::try_from(self.dtype.n_bytes).ok().filter(|width| *width > 0)?;
                let elements = bytes.chunks_exact(width).take(n);
                let found: Vec<_> =
                    elements.map(|element| decode(self.dtype, element)).collect::<Option<_>>()?;
                (found.len() == n).then_some(found)
            }
            Elements::Objects(values) if values.len() == n => {
                values.iter().map(|value| super::plain::scalar(heap, *value)).collect()
            }
            _ => None,
        }
    }

    /// All of its bytes, where they were kept.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        let n_bytes = self.n_elements().checked_mul(self.dtype.n_bytes)?;
        match &self.elements {
            Elements::Bytes(bytes) if bytes.len() as u64 == n_bytes => Some(bytes),
            _ => None,
        }
    }

    /// The objects of an array of objects.
    pub(crate) fn objects(&self) -> &[Value] {
        match self.elements {
            Elements::Objects(values) => values,
            _ => &[],
        }
    }
}

/// A shape: a tuple of lengths, or one length.
pub(crate) fn shape(heap: &Heap, value: Value) -> Option<Vec<u64>> {
    let length = |value: &Value| match value {
        Value::Int(n) => u64::try_from(*n).ok(),
        _ => None,
    };
    match heap.node(value) {
        Some(Node::Tuple(items)) if items.n == items.kept.len() as u64 => {
            items.kept.iter().map(length).collect()
        }
        _ => None,
    }
}

/// A NumPy type as `numpy.dtype` is pickled: its code, and then a state.
pub(crate) fn dtype(heap: &Heap, value: Value) -> Option<Dtype> {
    let object = heap.object(value)?;
    let ("numpy", "dtype") = heap.global(object.class)? else { return None };
    let code = heap.text(*heap.items(object.arguments)?.first()?)?;
    let (kind, digits) = code.split_at_checked(1)?;
    let kind = kind.chars().next()?;
    let n: u64 = digits.parse().ok().filter(|_| digits.bytes().all(|digit| digit.is_ascii_digit()))?;
    let n_bytes = match (kind, n) {
        ('b', 1)
        | ('i' | 'u', 1 | 2 | 4 | 8)
        | ('f', 2 | 4 | 8 | 12 | 16)
        | ('c', 8 | 16 | 24 | 32)
        | ('M' | 'm' | 'O', 8) => n,
        ('S' | 'V', _) => n,
        ('U', _) => n.checked_mul(4)?,
        _ => return None,
    };
    let plain = Dtype { kind, n_bytes, is_big_endian: false };
    match object.state {
        None => Some(plain),
        Some(state) => with_state(heap, plain, state),
    }
}

/// What the state changes: `(version, byte order, subarray, names, fields, bytes, alignment, flags, …)`.
fn with_state(heap: &Heap, plain: Dtype, state: Value) -> Option<Dtype> {
    let state = heap.items(state)?;
    let [Value::Int(3 | 4), order, Value::None, _, _, n_bytes, _, flags, ..] = state else { return None };
    let is_big_endian = match heap.text(*order)? {
        ">" => true,
        "<" | "|" | "=" => false,
        _ => return None,
    };
    let n_bytes = match (plain.kind, n_bytes) {
        // NumPy takes the length from here for these.
        ('U' | 'S' | 'V', Value::Int(n)) => u64::try_from(*n).ok()?,
        ('U' | 'S' | 'V', _) => return None,
        _ => plain.n_bytes,
    };
    // The lowest flag says that there are objects inside of a record; those are not followed.
    match (plain.kind, flags) {
        ('V', Value::Int(flags)) if flags & 1 == 0 => {}
        ('V', _) => return None,
        _ => {}
    }
    Some(Dtype { n_bytes, is_big_endian, ..plain })
}

/// The bytes that a value is, where all of them were kept.
pub(super) fn bytes(heap: &Heap, value: Value) -> Option<Cow<'_, [u8]>> {
    let Some(object) = heap.object(value) else { return literal(heap, value).map(Cow::Borrowed) };
    match (heap.global(object.class)?, heap.items(object.arguments)?) {
        // Protocols before 3 have no bytes: they are written as Latin-1 text.
        (("_codecs", "encode"), [text, encoding]) if heap.text(*encoding) == Some("latin1") => {
            let letter = |letter: char| u8::try_from(u32::from(letter)).ok();
            heap.text(*text)?.chars().map(letter).collect::<Option<Vec<_>>>().map(Cow::Owned)
        }
        (("builtins" | "__builtin__", "bytearray"), [inner]) => literal(heap, *inner).map(Cow::Borrowed),
        _ => None,
    }
}

fn literal(heap: &Heap, value: Value) -> Option<&[u8]> {
    match heap.node(value)? {
        Node::Bytes { n, head, .. } if *n == head.len() as u64 => Some(head),
        _ => None,
    }
}

fn decode(dtype: Dtype, element: &[u8]) -> Option<Json> {
    if element.len() as u64 != dtype.n_bytes {
        return None;
    }
    let mut ordered = element.to_vec();
    if dtype.is_big_endian && dtype.kind != 'U' {
        ordered.reverse();
    }
    let element = ordered.as_slice();
    Some(match (dtype.kind, element.len()) {
        ('b', 1) => Json::from(element != [0]),
        ('i', _) => Json::from(signed(element)?),
        ('u', _) => Json::from(unsigned(element)?),
        ('f', 2) => super::plain::float(f16::from_le_bytes(element.try_into().ok()?).to_f64()),
        // By way of the shortest text, so that 0.1 stays 0.1.
        ('f', 4) => {
            super::plain::float(f32::from_le_bytes(element.try_into().ok()?).to_string().parse().ok()?)
        }
        ('f', 8) => super::plain::float(f64::from_le_bytes(element.try_into().ok()?)),
        ('U', _) => Json::from(letters(element, dtype)?),
        ('S', _) => Json::from(std::str::from_utf8(element).ok()?.trim_end_matches('\0')),
        _ => return None,
    })
}

fn unsigned(element: &[u8]) -> Option<u64> {
    let mut whole = [0; 8];
    whole.get_mut(..element.len())?.copy_from_slice(element);
    Some(u64::from_le_bytes(whole))
}

fn signed(element: &[u8]) -> Option<i64> {
    let unused = 64_u32.checked_sub(u32::try_from(element.len()).ok()? * 8)?;
    Some((unsigned(element)? << unused).cast_signed() >> unused)
}

/// Text as NumPy keeps it: four bytes a letter, zeros at the end.
fn letters(element: &[u8], dtype: Dtype) -> Option<String> {
    let letter = |bytes: &[u8; 4]| match dtype.is_big_endian {
        true => char::from_u32(u32::from_be_bytes(*bytes)),
        false => char::from_u32(u32::from_le_bytes(*bytes)),
    };
    let text: String = element.as_chunks::<4>().0.iter().map(letter).collect::<Option<_>>()?;
    Some(text.trim_end_matches('\0').to_owned())
}
