//! Programs that the shim cannot see into: linked statically, made by Go, or run with another user's rights.
//!
//! It reads the head of a program's file. Invariant: what cannot be read is not accused.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::elf;
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
    let file = File::open(program).ok()?;
    let mut form = Form { is_static: true, is_go: false };
    for part in elf::parts(&file)? {
        match part.kind {
            elf::INTERPRETER => form.is_static = false,
            elf::NOTES => {
                let mut notes = vec![0; usize::try_from(part.n_bytes.min(NOTES_BYTES)).ok()?];
                let is_read = file.read_exact_at(&mut notes, part.start).is_ok();
                // A note's head ends with its type; the one with the build id is 4, and its owner is `Go`.
                form.is_go |= is_read && notes.windows(8).any(|part| part == b"\x04\0\0\0Go\0\0");
            }
            _ => {}
        }
    }
    Some(form)
}
