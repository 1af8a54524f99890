//! What the command line itself can refuse, and how a hint is found in a chain of errors.
//!
//! Knows nothing of how errors are shown. Each variant names the thing; the cause is its `source`.

use std::io;
use std::path::PathBuf;

/// Why a command could not go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("could not {operation} `{}`", path.display())]
    File { operation: &'static str, path: PathBuf, source: io::Error },
    #[error("could not read the standard input")]
    Input { source: io::Error },
    #[error("no token was given")]
    NoToken,
    #[error("`{url}` does not know this token")]
    UnknownToken { url: String, source: Box<client::error::Error> },
    #[error("`{0}` has no rows")]
    NoRows(String),
    #[error("`{name}` is neither CSV with a header line nor JSON")]
    Csv { name: String, source: csv::Error },
    #[error("`{name}` is not JSON")]
    Json { name: String, source: serde_json::Error },
    #[error("the JSON in `{0}` is not rows")]
    NotRows(String),
    #[error("the endpoint of `{repository}` {what}: {reason}")]
    NotReady { repository: String, what: &'static str, reason: String },
    #[error("the endpoint of `{repository}` was still {state} after {seconds} seconds")]
    Late { repository: String, state: &'static str, seconds: u64 },
}

impl Error {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoToken => {
                "make one on the server's page Tokens, or with `reenact admin user add NAME --data DIR`, and give it on the standard input"
            }
            Self::UnknownToken { .. } => {
                "copy the token again, or make a new one on the server's page Tokens"
            }
            Self::Csv { .. } => {
                "the first line names the features, and every further line has a value for each"
            }
            Self::NotRows(_) => {
                "give a list of rows, or an object with one of `instances`, `inputs`, `dataframe_split`, `dataframe_records`"
            }
            Self::NotReady { repository, .. } => {
                return Some(format!("`reenact endpoints logs {repository}` shows all of its log"));
            }
            Self::Late { repository, .. } => {
                return Some(format!("`reenact endpoints show {repository}` says how far it is"));
            }
            _ => return None,
        };
        Some(text.to_owned())
    }
}

/// What to do next, from the first error of the chain that knows.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let own = cause.downcast_ref::<Error>().and_then(Error::hint);
        own.or_else(|| cause.downcast_ref::<client::error::Error>().and_then(client::error::Error::hint))
    })
}
