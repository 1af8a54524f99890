//! What can go wrong around a run; what goes wrong in it is the run's own affair.
//!
//! Each variant names the thing; the cause is its `source`.

use std::io;
use std::path::{Path, PathBuf};

use spec::capsule::log::LogError;

/// Why a run could not be recorded, replayed or compared.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not {operation} `{}`", path.display())]
    File { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("command `{0}` was not found")]
    NoProgram(String),
    #[error("`{0}`, which was recorded, is not there any more")]
    ProgramGone(String),
    #[error("could not start `{program}`")]
    Start { program: String, source: io::Error },
    #[error("folder `{}` is not empty", .0.display())]
    NotEmpty(PathBuf),
    #[error("recording needs Linux on x86-64 with the GNU C library")]
    Unsupported,
    #[error("there is no capsule at `{}`", .0.display())]
    NoCapsule(PathBuf),
    #[error("`{}` is not readable as a capsule", path.display())]
    Capsule { path: PathBuf, source: serde_json::Error },
    #[error("capsule `{}` is of format {format}, and this program reads up to format {}", path.display(), spec::capsule::FORMAT)]
    Format { path: PathBuf, format: u32 },
    #[error("`{0}` in the capsule is no path inside of it")]
    Path(String),
    #[error("`{0}` is not what the capsule says it is")]
    Changed(String),
    #[error("`{0}` is missing from the capsule")]
    Missing(String),
    #[error("input `{0}` is not there")]
    NoInput(String),
    #[error("input `{path}` is not what the run read: {found}, recorded was {recorded}")]
    InputChanged { path: String, found: String, recorded: String },
    #[error("entropy log `{name}` cannot be replayed")]
    Log { name: String, source: LogError },
    #[error("the recording in `{}` did not come to its end, so its code and inputs were not kept", .0.display())]
    Incomplete(PathBuf),
    #[error("the capsule has no entropy log of its first process")]
    NoLog,
    #[error("`{0}` is a replay; what is sent is the recording")]
    NotRecording(String),
    #[error("run `{0}` wrote no files that could be compared")]
    NoOutputs(String),
    #[error("could not {operation} `{}`", path.display())]
    Archive { operation: &'static str, path: PathBuf, source: zip::result::ZipError },
    #[error("an argument of the command was taken out as a secret")]
    Redacted,
    #[error("`{glob}` is no pattern for paths")]
    Glob { glob: String, source: globset::Error },
    #[error("`{pattern}` in the capsule is no pattern for metrics")]
    Pattern { pattern: String, source: regex::Error },
    #[error("no run here is called `{0}`")]
    NoRun(String),
    #[error("there are no runs in `{}` that ended with exit code 0", .0.display())]
    NoRuns(PathBuf),
    #[error("could not write the record as JSON")]
    Json(#[source] serde_json::Error),
}

impl Error {
    /// What to do next.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoProgram(_) => {
                "the words after `--` are a program and its arguments, as a shell would take them"
            }
            Self::ProgramGone(_) => {
                "`--env restore` makes the Python of the recording anew; another program has to be installed again"
            }
            Self::NotEmpty(_) => "name a folder that is empty or not there",
            Self::NoCapsule(_) | Self::NoRun(_) => "`reenact runs` lists the capsules that are known here",
            Self::Format { .. } => "a newer version of `reenact` reads it",
            Self::Changed(_) => "the capsule was edited or damaged; get it again from whoever recorded it",
            Self::InputChanged { .. } | Self::NoInput(_) => {
                "put the file that was recorded in its place, or name where it is with `--input`; its digest is in `capsule.json`"
            }
            Self::Pattern { .. } => "give another with `--metric-pattern`",
            Self::Incomplete(_) => {
                "record it again; the entropy up to the end is in the capsule's folder `entropy`"
            }
            Self::NoRuns(_) => "name the folder that an earlier `reenact variance -o DIR` wrote",
            Self::NotRecording(_) => "push the capsule that it replayed; `reenact runs show` names it",
            Self::Redacted => "run it with that argument by hand, and compare with `reenact verify`",
            _ => return None,
        })
    }
}

/// Names the path of a failed operation on a file.
pub(crate) fn at<'p>(operation: &'static str, path: &'p Path) -> impl FnOnce(io::Error) -> Error + 'p {
    move |source| Error::File { operation, path: path.to_owned(), source }
}
