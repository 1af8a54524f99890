//! Headers of HDF5's objects: the messages in them, and what those say that matter here.
//!
//! It follows no object. Invariant: a message is cut out of its block whole, or the header is refused.

use spec::tensor::Datatype;

use super::{Element, File, number};

pub(super) const DATASPACE: u16 = 0x01;
pub(super) const LINK_INFO: u16 = 0x02;
pub(super) const DATATYPE: u16 = 0x03;
pub(super) const LINK: u16 = 0x06;
pub(super) const LAYOUT: u16 = 0x08;
const CONTINUED: u16 = 0x10;
pub(super) const SYMBOLS: u16 = 0x11;
/// Most blocks of one header.
const BLOCKS: usize = 1000;

pub(super) struct Message {
    pub(super) kind: u16,
    pub(super) bytes: Vec<u8>,
    /// Where they lie in the file.
    pub(super) at: u64,
}

/// How messages stand in a header.
#[derive(Clone, Copy)]
enum Form {
    /// Each padded to eight bytes, its head too.
    First,
    /// With this many bytes of a head.
    Second { n_head: usize },
}

impl File<'_> {
    /// The messages of the object at an address.
    pub(super) fn messages(&mut self, at: u64) -> Option<Vec<Message>> {
        let head = self.bytes(at, 40.min(self.end.checked_sub(at)?))?;
        let (form, begins, n) = match head.get(..5)? {
            [b'O', b'H', b'D', b'R', 2] => {
                let flags = *head.get(5)?;
                let times = if flags & 0x20 == 0 { 0 } else { 16 };
                let changes = if flags & 0x10 == 0 { 0 } else { 4 };
                let (size_at, n_size) = (6 + times + changes, 1 << (flags & 3));
                let n_head = if flags & 4 == 0 { 4 } else { 6 };
                (Form::Second { n_head }, at + (size_at + n_size) as u64, number(&head, size_at, n_size)?)
            }
            [1, ..] => (Form::First, at + 16, number(&head, 8, 4)?),
            _ => return None,
        };
        let mut left = vec![(begins, n)];
        let mut messages = Vec::new();
        let mut n_blocks = 0;
        while let Some((begins, n)) = left.pop() {
            n_blocks += 1;
            if n_blocks > BLOCKS {
                return None;
            }
            let block = self.bytes(begins, n)?;
            for message in cut(&block, begins, form)? {
                match message.kind {
                    CONTINUED => {
                        let (at, n) = (number(&message.bytes, 0, 8)?, number(&message.bytes, 8, 8)?);
                        left.push(match form {
                            Form::First => (at, n),
                            // Its own signature stands before its messages, and a checksum behind them.
                            Form::Second { .. } => (at.checked_add(4)?, n.checked_sub(8)?),
                        });
                    }
                    _ => messages.push(message),
                }
            }
        }
        Some(messages)
    }
}

fn cut(block: &[u8], begins: u64, form: Form) -> Option<Vec<Message>> {
    let mut messages = Vec::new();
    let mut at = 0;
    let n_head = match form {
        Form::First => 8,
        Form::Second { n_head } => n_head,
    };
    while at + n_head <= block.len() {
        let (kind, n) = match form {
            Form::First => (number(block, at, 2)?, number(block, at + 2, 2)?),
            Form::Second { .. } => (number(block, at, 1)?, number(block, at + 1, 2)?),
        };
        let n = usize::try_from(n).ok()?;
        let bytes = block.get(at + n_head..at + n_head + n)?.to_vec();
        messages.push(Message { kind: u16::try_from(kind).ok()?, bytes, at: begins + (at + n_head) as u64 });
        at += n_head + n;
    }
    Some(messages)
}

/// The lengths of a data set's dimensions; none for one that is empty.
pub(super) fn shape(message: &[u8]) -> Option<Vec<u64>> {
    let (version, rank) = (*message.first()?, usize::from(*message.get(1)?));
    let begins = match version {
        1 => 8,
        2 => 4,
        _ => return None,
    };
    (0..rank).map(|i| number(message, begins + 8 * i, 8)).collect()
}

/// The type of elements; none where they are no numbers of one length.
pub(super) fn datatype(message: &[u8]) -> Option<Element> {
    const INTEGER: u8 = 0;
    const FLOAT: u8 = 1;
    const VARYING: u8 = 9;
    let (class, flags, width) = (message.first()? & 0x0f, *message.get(1)?, number(message, 4, 4)?);
    let is_signed = flags & 8 != 0;
    let datatype = match (class, width) {
        (VARYING, _) | (_, 0) => return None,
        // The highest byte first; the bytes can be compared still.
        (INTEGER | FLOAT, _) if flags & 1 != 0 => None,
        (FLOAT, 2) => Some(Datatype::Fp16),
        (FLOAT, 4) => Some(Datatype::Fp32),
        (FLOAT, 8) => Some(Datatype::Fp64),
        (INTEGER, 1) => Some(if is_signed { Datatype::Int8 } else { Datatype::Uint8 }),
        (INTEGER, 2) => Some(if is_signed { Datatype::Int16 } else { Datatype::Uint16 }),
        (INTEGER, 4) => Some(if is_signed { Datatype::Int32 } else { Datatype::Uint32 }),
        (INTEGER, 8) => Some(if is_signed { Datatype::Int64 } else { Datatype::Uint64 }),
        _ => None,
    };
    Some((datatype, width))
}

pub(super) enum Layout {
    Whole {
        at: u64,
    },
    /// In the message itself.
    Within {
        at: u64,
    },
    Chunks,
}

pub(super) fn layout(message: &[u8]) -> Option<Layout> {
    if !matches!(message.first()?, 3 | 4) {
        return None;
    }
    Some(match message.get(1)? {
        0 => Layout::Within { at: 4 },
        1 => Layout::Whole { at: number(message, 2, 8)? },
        _ => Layout::Chunks,
    })
}

/// Whether a group has its links in its header, or none.
pub(super) fn has_no_heap(message: &[u8]) -> bool {
    let Some(flags) = message.get(1) else { return false };
    let begins = if flags & 1 == 0 { 2 } else { 10 };
    number(message, begins, 8) == Some(u64::MAX)
}

/// Name and address of a link to an object in the same file.
pub(super) fn link(message: &[u8]) -> Option<(String, u64)> {
    let flags = *message.get(1)?;
    let mut at = 2;
    if flags & 0x08 != 0 {
        if *message.get(at)? != 0 {
            return None;
        }
        at += 1;
    }
    at += if flags & 0x04 == 0 { 0 } else { 8 };
    at += if flags & 0x10 == 0 { 0 } else { 1 };
    let n_size = 1 << (flags & 3);
    let n = usize::try_from(number(message, at, n_size)?).ok()?;
    let name = message.get(at + n_size..)?.get(..n)?;
    Some((String::from_utf8_lossy(name).into_owned(), number(message, at + n_size + n, 8)?))
}
