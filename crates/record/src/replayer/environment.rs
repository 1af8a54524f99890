//! The program of a recorded run, found again.
//!
//! Invariant: the recorded path wins where there is a program; else the first word is looked up as it was typed.

use std::path::{Path, PathBuf};

use spec::capsule::Capsule;

use crate::error::Error;
use crate::run;

/// The program that runs the recorded command here.
pub(crate) fn program(recorded: &Capsule, work: &Path) -> Result<PathBuf, Error> {
    if let Ok(inside) = Path::new(&recorded.program).strip_prefix(&recorded.folder) {
        let restored = work.join(inside);
        if restored.is_file() {
            return Ok(restored);
        }
    }
    let typed = recorded.command.first().map_or("", String::as_str);
    let found = run::find(&recorded.program, work).or_else(|_| run::find(typed, work));
    found.map_err(|_| Error::ProgramGone(recorded.program.clone()))
}
