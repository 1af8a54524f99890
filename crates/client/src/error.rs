//! What can go wrong between us and a server, with what to do next.
//!
//! Each variant names the operation; its cause is the `source`, so that the chain never says a thing twice.
//! Invariant: no variant carries a secret.

use std::fmt;
use std::io;
use std::path::PathBuf;

use spec::name::NameError;

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not {operation}: no server answers at `{url}`")]
    Unreachable { operation: String, url: String, source: reqwest::Error },
    #[error("could not {operation}: the connection failed")]
    Connection { operation: String, source: reqwest::Error },
    #[error("could not {operation}: {refusal}")]
    Refused { operation: String, refusal: Refusal },
    #[error("could not {operation}: the server's answer is not one this version reads")]
    Answer { operation: String, source: serde_json::Error },
    #[error("could not {operation}: the server's answer lacks `{missing}`")]
    Incomplete { operation: String, missing: &'static str },
    #[error("could not {operation}: what came does not hold together")]
    Chunks { operation: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("could not {operation}: the work was broken off")]
    Interrupted { operation: &'static str },
    #[error("could not {operation}: the file names a path that is not safe to write")]
    UnsafePath { operation: String, source: NameError },
    #[error("could not {operation} `{}`", path.display())]
    File { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("`{}` has no name that a repository can hold", path.display())]
    FileName { path: PathBuf, source: NameError },
    #[error("the name of `{}` is not UTF-8 text", path.display())]
    FileNameText { path: PathBuf },
    #[error("`{}` is neither a file nor a folder", path.display())]
    NotAFile { path: PathBuf },
    #[error("the link `{}` leads out of the folder", path.display())]
    LinkOutside { path: PathBuf },
    #[error("the links at `{}` lead round in a circle", path.display())]
    LinkCircle { path: PathBuf },
    #[error("`{}` holds no files to push", path.display())]
    NothingToPush { path: PathBuf },
    #[error("`{}` holds {n_files} files; one commit takes at most {}", path.display(), spec::limits::COMMIT_FILES)]
    TooManyFiles { path: PathBuf, n_files: usize },
    #[error("`{}` changed while it was being pushed", path.display())]
    FileChanged { path: PathBuf },
    #[error("the card was refused: {0}")]
    Card(String),
    #[error("the server wants `{path}` by `{mode}` transfer, which this version does not speak")]
    UploadMode { path: String, mode: String },
    #[error("could not push to `{repository}`: others kept changing it, {n_attempts} times in a row")]
    Contended { repository: String, n_attempts: u32 },
    #[error("`{path}` arrived damaged: it is not the file `{expected}` that the server lists")]
    Damaged { path: String, expected: String },
    #[error("`{path}` is not in the cache")]
    NotKept { path: String },
    #[error("`{repository}` at `{revision}` was not pulled from `{server}` before")]
    NotPulled { repository: String, revision: String, server: String },
    #[error("`{}` is a link; nothing is written through links", path.display())]
    LinkInTheWay { path: PathBuf },
    #[error("`{}` is being written by another pull", path.display())]
    Busy { path: PathBuf },
    #[error("`{value}` is not the address of a server")]
    Url { value: String, source: Option<url::ParseError> },
    #[error("no server is known")]
    NoServer,
    #[error("`{}` is not a credentials file", path.display())]
    Credentials { path: PathBuf, source: toml::de::Error },
    #[error("could not find a folder for the credentials: neither `REENACT_HOME` nor `HOME` is set")]
    NoHome,
    #[error("could not prepare to talk to servers")]
    Setup { source: reqwest::Error },
}

/// A server's no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The server's own code for it, such as `repository-not-found` or `RepoNotFound`; may be empty.
    pub code: String,
    /// The sentence.
    pub detail: String,
    /// What to do next, where the server says; may be empty.
    pub hint: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (HTTP {}", self.detail, self.status)?;
        if !self.code.is_empty() {
            write!(f, ", {}", self.code)?;
        }
        f.write_str(")")
    }
}

impl Error {
    /// A refusal that came otherwise than as a status.
    pub(crate) fn refused(operation: String, status: u16, detail: String) -> Self {
        Self::Refused {
            operation,
            refusal: Refusal { status, code: String::new(), detail, hint: String::new() },
        }
    }

    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.status),
            _ => None,
        }
    }

    /// Whether the server says that there is no such repository, or none that we may know of.
    pub fn is_unknown_repository(&self) -> bool {
        let Self::Refused { refusal, .. } = self else { return false };
        let named = ["RepoNotFound", "repository-not-found"].contains(&refusal.code.as_str());
        named || (refusal.code.is_empty() && refusal.status == 404)
    }

    /// What to do next, where there is something to say.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Unreachable { .. } => "is the server running? start it with `reenact serve`",
            Self::Refused { refusal, .. } if !refusal.hint.is_empty() => &refusal.hint,
            Self::Refused { refusal, .. } => return refusal_hint(refusal).map(str::to_owned),
            Self::LinkOutside { .. } => "put the file itself into the folder, or remove the link",
            Self::NothingToPush { .. } => {
                "hidden work folders such as `.git`, `.venv` and `__pycache__` are left out; put a model there first"
            }
            Self::TooManyFiles { .. } => {
                "put the files into an archive, or push parts of the folder one by one"
            }
            Self::FileChanged { .. } => "wait until the program that writes it has finished, then push again",
            Self::Damaged { .. } => "run the same command again; what arrived whole is kept",
            Self::NotKept { .. } | Self::NotPulled { .. } => {
                "run the same command without `--offline`; `reenact cache list` says what is kept"
            }
            Self::LinkInTheWay { .. } => "remove the link, or pull into another folder",
            Self::Busy { .. } => "wait for the other pull to end, then run this one again",
            Self::Url { .. } => "write it in full, such as `http://127.0.0.1:8484`",
            Self::NoServer => "sign in with `reenact login URL`, or set `REENACT_URL` and `REENACT_TOKEN`",
            Self::Credentials { .. } => {
                "repair the file, or remove it and sign in again with `reenact login URL`"
            }
            Self::NoHome => "set `REENACT_HOME` to a folder of yours",
            Self::Contended { .. } => "run the same command again",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

fn refusal_hint(refusal: &Refusal) -> Option<&'static str> {
    match refusal.status {
        401 => Some("sign in with `reenact login URL`, or set `REENACT_TOKEN`"),
        403 => Some("the token may be read-only, or the repository may belong to somebody else"),
        404 => Some(
            "check the name; a private repository is shown to those who may read it, after `reenact login URL`",
        ),
        413 => Some("the server's limit is a setting of whoever runs it"),
        429 | 503 => Some("the server is busy; try again in a moment"),
        _ => None,
    }
}
