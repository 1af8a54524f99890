//! Programs that the shim cannot see into: linked statically, or run with another user's rights.
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
    let what = if is_static(program)? {
        "is linked statically"
    } else if program.metadata().ok()?.permissions().mode() & 0o6000 != 0 {
        "runs with another user's rights"
    } else {
        return None;
    };
    Some(format!("`{}` {what}, so what it draws was not seen and cannot be given back", program.display()))
}

/// Whether a program asks for no dynamic loader; none where it is no program for 64-bit Linux.
fn is_static(program: &Path) -> Option<bool> {
    const INTERPRETER: u32 = 3;
    let mut file = File::open(program).ok()?;
    let mut head = [0; 64];
    file.read_exact(&mut head).ok()?;
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let headers_at = u64::from_le_bytes(head.get(32..40)?.try_into().ok()?);
    let size = u16::from_le_bytes(head.get(54..56)?.try_into().ok()?);
    let n = u16::from_le_bytes(head.get(56..58)?.try_into().ok()?);
    let mut kinds = (0..n).map_while(|i| {
        let mut kind = [0; 4];
        let at = headers_at.checked_add(u64::from(i) * u64::from(size))?;
        file.read_exact_at(&mut kind, at).ok().map(|()| u32::from_le_bytes(kind))
    });
    Some(!kinds.any(|kind| kind == INTERPRETER))
}
