//! Programs that the shim cannot see into: linked statically, made by Go, or run with another user's rights.
//!
//! It reads the head of a program's file. Invariant: what cannot be read is not accused.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::run;

/// What is to be said of the programs of a run.
pub(crate) fn warnings(first: &Path, others: &BTreeSet<String>) -> Vec<String> {
    let found = others.iter().filter_map(|word| run::find(word, Path::new("/")).ok());
    let all: BTreeSet<PathBuf> = found.chain([first.to_owned()]).collect();
    all.iter().filter_map(|program| warning(program)).collect()
}

fn warning(program: &Path) -> Option<String> {
    let form = form(program)?;
    let what = match form {
        Form { is_go: true, .. } => "is a Go program, which asks the kernel past the C library",
        Form { is_static: true, .. } => "is linked statically",
        _ if program.metadata().ok()?.permissions().mode() & 0o6000 != 0 => "runs with another user's rights",
        _ if has_capabilities(program) => "runs with rights of its own",
        _ => return None,
    };
    Some(format!("`{}` {what}, so what it draws was not seen and cannot be given back", program.display()))
}

/// Whether the file gives a program capabilities, with which the loader takes no preloaded library.
fn has_capabilities(program: &Path) -> bool {
    let mut space = [0_u8; 64];
    rustix::fs::getxattr(program, "security.capability", &mut space[..]).is_ok_and(|n| n > 0)
}

/// What the head of a program says.
struct Form {
    /// It asks for no dynamic loader.
    is_static: bool,
    /// It carries the build id that Go's linker writes.
    is_go: bool,
}

/// Longer notes are not read.
const NOTES_BYTES: u64 = 4096;

/// The form of a program; none where it is no program for 64-bit Linux.
fn form(program: &Path) -> Option<Form> {
    const INTERPRETER: u32 = 3;
    const NOTES: u32 = 4;
    let mut file = File::open(program).ok()?;
    let mut head = [0; 64];
    file.read_exact(&mut head).ok()?;
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let headers_at = u64::from_le_bytes(head.get(32..40)?.try_into().ok()?);
    let size = u16::from_le_bytes(head.get(54..56)?.try_into().ok()?);
    let n = u16::from_le_bytes(head.get(56..58)?.try_into().ok()?);
    let mut form = Form { is_static: true, is_go: false };
    for i in 0..n {
        let mut header = [0; 56];
        let at = headers_at.checked_add(u64::from(i) * u64::from(size))?;
        if file.read_exact_at(&mut header, at).is_err() {
            break;
        }
        let number = |at: usize| Some(u64::from_le_bytes(header.get(at..at + 8)?.try_into().ok()?));
        match u32::from_le_bytes(header.get(..4)?.try_into().ok()?) {
            INTERPRETER => form.is_static = false,
            NOTES => {
                let mut notes = vec![0; usize::try_from(number(32)?.min(NOTES_BYTES)).ok()?];
                let is_read = file.read_exact_at(&mut notes, number(8)?).is_ok();
                // A note's head ends with its type; the one with the build id is 4, and its owner is `Go`.
                form.is_go |= is_read && notes.windows(8).any(|part| part == b"\x04\0\0\0Go\0\0");
            }
            _ => {}
        }
    }
    Some(form)
}
