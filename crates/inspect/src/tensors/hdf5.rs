//! The data sets of an HDF5 file, such as Keras and h5py write: where each lies, of which type and shape.
//!
//! It follows groups and data sets in one piece; what is in chunks, compressed, or linked by newer means is said to
//! be there and not read. By the "HDF5 File Format Specification" 3.0. Invariants: nothing is read beyond the end
//! of the file, and no object twice, so that a file that leads in circles comes to an end.

mod header;

use std::collections::BTreeSet;
use std::io::SeekFrom;

use spec::tensor::Datatype;

use super::{Bytes, Tensor, Tensors};
use crate::bounded::{self, Source};
use crate::limits;
use header::Message;

const SIGNATURE: &[u8] = b"\x89HDF\r\n\x1a\n";
/// Deepest nesting of groups.
const DEEP: usize = 64;
/// Longest block of the file's own bookkeeping that is read at once, in bytes.
const BLOCK_BYTES: u64 = 4 * 1024 * 1024;

pub(super) fn read(source: &mut dyn Source) -> Option<Tensors> {
    let end = bounded::length(source).ok()?;
    let mut file = File { source, end, seen: BTreeSet::new(), found: Vec::new(), is_complete: true };
    let root = file.root()?;
    file.object(root, (String::new(), 0))?;
    file.found.sort_by(|a, b| a.name.cmp(&b.name));
    Some(Tensors { found: file.found, is_complete: file.is_complete })
}

struct File<'a> {
    source: &'a mut dyn Source,
    end: u64,
    /// Addresses of objects that were read.
    seen: BTreeSet<u64>,
    found: Vec<Tensor>,
    is_complete: bool,
}

impl File<'_> {
    fn bytes(&mut self, at: u64, n: u64) -> Option<Vec<u8>> {
        if at.checked_add(n)? > self.end || n > BLOCK_BYTES {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(n).ok()?];
        self.source.seek(SeekFrom::Start(at)).ok()?;
        self.source.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// The address of the first group.
    fn root(&mut self) -> Option<u64> {
        let head = self.bytes(0, 96.min(self.end))?;
        if !head.starts_with(SIGNATURE) {
            return None;
        }
        let (sizes, base, root) = match *head.get(8)? {
            0 => (13, 24, 64),
            1 => (13, 28, 68),
            2 | 3 => (9, 12, 36),
            _ => return None,
        };
        let is_plain = head.get(sizes..sizes + 2)? == [8, 8] && number(&head, base, 8)? == 0;
        if !is_plain {
            return None;
        }
        number(&head, root, 8)
    }

    /// A group or a data set.
    fn object(&mut self, at: u64, (name, depth): (String, usize)) -> Option<()> {
        if depth > DEEP || self.seen.len() > limits::VISITS || !self.seen.insert(at) {
            self.is_complete = false;
            return Some(());
        }
        let messages = self.messages(at)?;
        let of = |kind: u16| messages.iter().find(|message| message.kind == kind);
        if let Some(layout) = of(header::LAYOUT) {
            let (space, kind) = (of(header::DATASPACE)?, of(header::DATATYPE)?);
            return self.data_set(&name, (space, kind, layout));
        }
        for message in messages.iter().filter(|message| message.kind == header::LINK) {
            match header::link(&message.bytes) {
                Some((child, at)) => self.object(at, (format!("{name}/{child}"), depth + 1))?,
                None => self.is_complete = false,
            }
        }
        if let Some(info) = of(header::LINK_INFO) {
            // Links in a heap of their own, as groups of many have.
            self.is_complete &= header::has_no_heap(&info.bytes);
        }
        match of(header::SYMBOLS) {
            Some(table) => {
                let (tree, heap) = (number(&table.bytes, 0, 8)?, number(&table.bytes, 8, 8)?);
                let head = self.bytes(heap, 32)?;
                let names = head.starts_with(b"HEAP").then(|| number(&head, 24, 8))??;
                self.group(tree, names, (name, depth))
            }
            None => Some(()),
        }
    }

    /// The members of a group, by its tree and where their names lie.
    fn group(&mut self, tree: u64, names: u64, (name, depth): (String, usize)) -> Option<()> {
        if !self.seen.insert(tree) {
            return None;
        }
        let head = self.bytes(tree, 24)?;
        let n = number(&head, 6, 2)?;
        match head.get(..4)? {
            b"TREE" if head.get(4) == Some(&0) => {
                let entries = self.bytes(tree + 24, n * 16 + 8)?;
                for i in 0..usize::try_from(n).ok()? {
                    self.group(number(&entries, i * 16 + 8, 8)?, names, (name.clone(), depth))?;
                }
            }
            b"SNOD" => {
                let entries = self.bytes(tree + 8, n * 40)?;
                for entry in entries.chunks_exact(40) {
                    let child = self.text(names.checked_add(number(entry, 0, 8)?)?)?;
                    // A link to a name leads to what is met under its own.
                    if number(entry, 16, 4)? != 2 {
                        self.object(number(entry, 8, 8)?, (format!("{name}/{child}"), depth + 1))?;
                    }
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// A text up to its zero.
    fn text(&mut self, at: u64) -> Option<String> {
        let bytes = self.bytes(at, limits::NAME_BYTES.min(self.end.checked_sub(at)?))?;
        let text = bytes.split(|byte| *byte == 0).next()?;
        Some(String::from_utf8_lossy(text).into_owned())
    }

    fn data_set(&mut self, name: &str, about: (&Message, &Message, &Message)) -> Option<()> {
        let (space, kind, layout) = about;
        let shape = header::shape(&space.bytes)?;
        let Some((datatype, width)) = header::datatype(&kind.bytes) else {
            // Texts of any length and the like, which are no weights.
            return Some(());
        };
        let n_elements = crate::shown::n_elements(&shape);
        let n_bytes = n_elements.checked_mul(width)?;
        let place = match header::layout(&layout.bytes)? {
            header::Layout::Whole { at } => at,
            header::Layout::Within { at } => layout.at + at,
            header::Layout::Chunks => {
                self.is_complete = false;
                return Some(());
            }
        };
        const NOWHERE: u64 = u64::MAX;
        let bytes = match place {
            // Never written, so all of it is the fill value.
            NOWHERE => Bytes::Held(Vec::new()),
            offset if offset.checked_add(n_bytes)? <= self.end => Bytes::At { offset, n_bytes },
            _ => return None,
        };
        let name = name.trim_start_matches('/').to_owned();
        self.found.push(Tensor {
            name,
            datatype: datatype.filter(|_| bytes.n_bytes() == n_bytes),
            shape,
            bytes,
        });
        Some(())
    }
}

/// An integer of so many bytes, the lowest first.
fn number(bytes: &[u8], at: usize, n: usize) -> Option<u64> {
    let mut whole = [0; 8];
    whole.get_mut(..n)?.copy_from_slice(bytes.get(at..at + n)?);
    Some(u64::from_le_bytes(whole))
}

/// The type of elements where it is one of ours, and how long each is.
type Element = (Option<Datatype>, u64);
