//! Protocol buffers on the wire: keys, lengths, and skipping what is not wanted.
//!
//! Knows no message. Invariant: no length is believed that leads beyond the message around it.

use crate::bounded::Reader;
use crate::error::Error;
use crate::limits;

/// The key of a field, and of a number the number itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) number: u64,
    pub(crate) wire: Wire,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Wire {
    Number(u64),
    /// So many bytes follow: a text, a message, a list of numbers.
    Bytes(u64),
    Fixed64,
    Fixed32,
}

/// The next field before `end`, or none where the message ends there.
pub(crate) fn field(reader: &mut Reader<'_>, end: u64) -> Result<Option<Field>, Error> {
    let at = reader.at();
    if at >= end {
        return Ok(None);
    }
    let key = varint(reader)?;
    let malformed = |what| Error::Protobuf { at, what };
    let (number, kind) = (key >> 3, key & 7);
    if number == 0 {
        return Err(malformed("a field has no number"));
    }
    let wire = match kind {
        0 => Wire::Number(varint(reader)?),
        1 => Wire::Fixed64,
        2 => Wire::Bytes(varint(reader)?),
        5 => Wire::Fixed32,
        _ => return Err(malformed("a field is of no known kind")),
    };
    let n = n_bytes(wire);
    match reader.at().checked_add(n) {
        Some(field_end) if field_end <= end => Ok(Some(Field { number, wire })),
        // At the end of the file that is a file cut short; inside, a message that lies.
        _ if end == reader.end() => Err(Error::Truncated { at }),
        _ => Err(malformed("a field is longer than the message around it")),
    }
}

/// Skips what follows a key.
pub(crate) fn skip(reader: &mut Reader<'_>, wire: Wire) -> Result<(), Error> {
    reader.skip(n_bytes(wire))
}

/// A text of `n` bytes; a longer one than names are is cut.
pub(crate) fn text(reader: &mut Reader<'_>, n: u64) -> Result<String, Error> {
    let bytes = reader.take(n, limits::NAME_BYTES as usize)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A number of seven bits a byte, the lowest first.
pub(crate) fn varint(reader: &mut Reader<'_>) -> Result<u64, Error> {
    let at = reader.at();
    let mut value = 0_u64;
    for i in 0..10 {
        let byte = reader.byte()?;
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Error::Protobuf { at, what: "a number has no end" })
}

fn n_bytes(wire: Wire) -> u64 {
    match wire {
        Wire::Number(_) => 0,
        Wire::Bytes(n) => n,
        Wire::Fixed64 => 8,
        Wire::Fixed32 => 4,
    }
}
