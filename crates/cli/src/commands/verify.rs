//! `reenact verify`: compares two runs, criterion by criterion.

use std::fs;
use std::path::{Path, PathBuf};

use ::record::runs;
use spec::criteria::Verdict;

use crate::args::reproducing::Verify;
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::printer::Printer;
use crate::{report, settings};

pub fn run(args: &Verify, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let comparison = ::record::verify::verify(&find(&args.a)?, &find(&args.b)?)?;
    if let Some(path) = &args.html {
        let page = report::html(&comparison);
        fs::write(path, page).map_err(|source| Error::File {
            operation: "write",
            path: path.clone(),
            source,
        })?;
        printer.note(format_args!("wrote {}", path.display()));
    }
    match args.json {
        true => printer.answer_json(&comparison)?,
        false => printer.answer_text(&report::text(&comparison))?,
    }
    Ok(match comparison.verdict {
        Verdict::Bitwise => ExitStatus::Success,
        Verdict::NotComparable => ExitStatus::Of(2),
        _ => ExitStatus::Failure,
    })
}

/// A folder as it is, or the capsule of that name.
fn find(word: &str) -> anyhow::Result<PathBuf> {
    match Path::new(word).is_dir() {
        true => Ok(PathBuf::from(word)),
        false => Ok(runs::find(&settings::runs_folder()?, word)?),
    }
}
