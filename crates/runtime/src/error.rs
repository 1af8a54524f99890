//! Why a runtime could not begin.
//!
//! What goes wrong with a single request is no error of the runtime; it is answered with a failure frame.

use std::path::PathBuf;

use spec::digest::Sha256;

/// Why a runtime could not begin.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("ONNX Runtime was not found; looked at {}", list(looked_at))]
    LibraryMissing { looked_at: Vec<PathBuf> },
    #[error("could not load ONNX Runtime from `{}`: {reason}", path.display())]
    Library { path: PathBuf, reason: String },
    #[error("could not start ONNX Runtime")]
    Environment(#[source] ort::Error),
    #[error("another runtime answers at `{}`", path.display())]
    Busy { path: PathBuf },
    #[error("could not listen at `{}`", path.display())]
    Listen {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("could not confine the runtime")]
    Confine(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("could not read the model `{}`", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the model `{}` is empty", path.display())]
    Empty { path: PathBuf },
    #[error("the model `{}` has the digest `{got}`, not `{wanted}`", path.display())]
    Digest { path: PathBuf, wanted: Sha256, got: Sha256 },
    #[error("could not load the model `{}`", path.display())]
    Load {
        path: PathBuf,
        #[source]
        source: ort::Error,
    },
    #[error("`{name}` of the model is {what}, which cannot be sent as a tensor")]
    Unsupported { name: String, what: String },
    #[error("the model has {n} inputs or outputs; at most {} are served", spec::limits::REQUEST_TENSORS)]
    TooManyTensors { n: usize },
    #[error("could not start a thread")]
    Thread(#[source] std::io::Error),
    #[error("the handler could not be loaded: {reason}")]
    Handler { reason: String },
    #[error("the model does not answer its own example: {reason}")]
    Example { reason: String },
    #[error("could not say that the model is ready")]
    Announce(#[source] std::io::Error),
}

impl Error {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::LibraryMissing { .. } => Some("`reenact setup` fetches ONNX Runtime"),
            Self::Library { .. } => Some("`reenact setup` fetches a version that works"),
            Self::Empty { .. } | Self::Digest { .. } => Some("push the file again"),
            Self::Load { .. } => Some("is it a whole ONNX file, with its weights inside?"),
            Self::Unsupported { .. } => {
                Some("convert classifiers with `zipmap=False`, so that they give tensors")
            }
            _ => None,
        }
    }
}

fn list(paths: &[PathBuf]) -> String {
    let quoted: Vec<_> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
    if quoted.is_empty() { "nothing, because no place is set".into() } else { quoted.join(", ") }
}
