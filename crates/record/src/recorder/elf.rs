//! What the head of a program's or a library's file says: the parts of which it is made.
//!
//! Reads 64-bit Linux files in the order of bytes of x86-64, and of them no more than the table of parts. Source: `elf(5)`.

use std::fs::File;
use std::os::unix::fs::FileExt;

/// `PT_INTERP`, `PT_NOTE`
pub(super) const INTERPRETER: u32 = 3;
pub(super) const NOTES: u32 = 4;
/// `PF_X`
const EXECUTABLE: u32 = 1;

/// A part of the file, and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub kind: u32,
    flags: u32,
    /// Where it is in the file.
    pub start: u64,
    pub n_bytes: u64,
}

impl Part {
    pub(super) fn is_executable(&self) -> bool {
        self.flags & EXECUTABLE != 0
    }
}

/// The parts of a file; none where it is no such file.
pub(super) fn parts(file: &File) -> Option<Vec<Part>> {
    let mut head = [0; 64];
    file.read_exact_at(&mut head, 0).ok()?;
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let table = u64::from_le_bytes(head.get(32..40)?.try_into().ok()?);
    let size = u16::from_le_bytes(head.get(54..56)?.try_into().ok()?);
    let n = u16::from_le_bytes(head.get(56..58)?.try_into().ok()?);
    let mut parts = Vec::new();
    for i in 0..n {
        let mut header = [0; 56];
        let at = table.checked_add(u64::from(i) * u64::from(size))?;
        if file.read_exact_at(&mut header, at).is_err() {
            break;
        }
        let word = |at: usize| Some(u32::from_le_bytes(header.get(at..at + 4)?.try_into().ok()?));
        let number = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        parts.push(Part { kind: word(0)?, flags: word(4)?, start: number(8)?, n_bytes: number(32)? });
    }
    Some(parts)
}
