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
    #[error("no model was named")]
    NoModel,
    #[error("the receipt does not name its model")]
    NoLink,
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
    #[error("`{0}` has more than one row, and an answer in pieces is to one")]
    ManyRows(String),
    #[error("the row in `{0}` does not name its values")]
    NotNamed(String),
    #[error("could not start `{program}`")]
    Program { program: String, source: io::Error },
    #[error("could not {operation}: {last_words}")]
    ProgramFailed { operation: &'static str, last_words: String },
    #[error("`{name}` is no project that can be locked: {reason}")]
    Project { name: &'static str, reason: String },
    #[error("there is no device `{}`", path.display())]
    NoDevice { path: PathBuf },
    #[error("`{0}` did not run Python, so there is no environment to restore")]
    NotPython(String),
    #[error("`{name}` `{version}` is no package that could be installed")]
    BadPackage { name: String, version: String },
    #[error("`{0}` has no capsule")]
    NoCapsule(String),
    #[error("`{repository}` has several capsules: `{ids}`")]
    ManyCapsules { repository: String, ids: String },
    #[error("`{0}` is no id of a capsule")]
    BadId(String),
    #[error("`{0}` was neither pushed to a server nor fetched from one")]
    NoOrigin(String),
    #[error("the capsule came from `{wanted}`, and this is `{found}`")]
    OtherServer { wanted: String, found: String },
    #[error("`{replay}` is no replay of `{recorded}`")]
    NoReplayOf { replay: String, recorded: String },
    #[error("run `{0}` did not come to its end")]
    IncompleteRun(String),
    #[error("this kernel cannot confine a training: {0}")]
    UnconfinedReplay(String),
    #[error("`{}` holds no key", path.display())]
    BadKey { path: PathBuf },
    #[error("`{}` cannot be used to check", path.display())]
    Signature { path: PathBuf, source: spec::folder_signature::SignatureError },
    #[error("`{}` is not as it was signed", _0.display())]
    NotAsSigned(PathBuf),
    #[error("`{}` is neither a file nor a folder, or has a name that is no text, so it cannot be signed", _0.display())]
    CannotSign(PathBuf),
    #[error("could not get randomness from the operating system")]
    Random(#[source] getrandom::Error),
    #[error("neither `uv` nor `python3` was found")]
    NoPython,
    #[error("`python3` is version {0}; 3.11 or newer is needed")]
    OldPython(String),
    #[error("could not find a folder for capsules: neither `REENACT_HOME` nor `HOME` is set")]
    NoRuns,
    #[error("could not find a folder for what is kept: neither `REENACT_CACHE` nor `HOME` is set")]
    NoCache,
    #[error("`REENACT_CACHE_LIMIT` is `{0}`, which is no size")]
    CacheLimit(String),
    #[error("could not wait for `{signal}`")]
    Signal { signal: &'static str, source: io::Error },
    #[error("setting `log`: `{value}` is not a level or a list of targets with levels")]
    LogFilter { value: String, source: tracing_subscriber::filter::ParseError },
    #[error("this kernel cannot confine a model: {0}")]
    Unconfined(String),
    #[error("the server of the demo ended before it was ready")]
    DemoServer,
    #[error("the demo's line `{line}` is not understood")]
    DemoLine { line: String, source: serde_json::Error },
    #[error("`{path}` answers {status}, not 200")]
    DemoCheck { path: String, status: u16 },
    #[error("the demo put no model live")]
    DemoModels,
    #[error("`{}` holds a demo whose token is lost", path.display())]
    DemoToken { path: PathBuf },
    #[error("could not put `{repository}` live: {reason}")]
    NotLive { repository: String, reason: String },
    #[error("the endpoint of `{repository}` was still {state} after {seconds} seconds")]
    Late { repository: String, state: &'static str, seconds: u64 },
}

impl Error {
    fn hint(&self) -> Option<String> {
        let text = match self {
            Self::NoToken => {
                "make one on the server's page Tokens, or with `reenact admin user add NAME --data DIR`, and give it on the standard input"
            }
            Self::NoModel => "name it as `OWNER/NAME`: `reenact share alice/iris`",
            Self::NoLink => "give the link that was asked with `--link`",
            Self::UnknownToken { .. } => {
                "copy the token again, or make a new one on the server's page Tokens"
            }
            Self::Csv { .. } => {
                "the first line names the features, and every further line has a value for each"
            }
            Self::NotRows(_) => {
                "give a list of rows, or an object with one of `instances`, `inputs`, `dataframe_split`, `dataframe_records`"
            }
            Self::ManyRows(_) => "keep one row in it, or ask without `--stream`",
            Self::NotNamed(_) => "write it as CSV with a header line, or as an object: `[{\"text\": \"…\"}]`",
            Self::NoPython => {
                "install Python 3.11 (on Debian: `apt-get install python3 python3-venv`), or uv (https://docs.astral.sh/uv)"
            }
            Self::OldPython(_) => {
                "install a newer Python, or uv (https://docs.astral.sh/uv), which brings its own"
            }
            Self::ProgramFailed { last_words, .. } => return program_hint(last_words).map(str::to_owned),
            Self::NoDevice { .. } => {
                "the setting `gpu` names GPUs of this machine, whose driver has to be loaded (`nvidia-smi` loads it)"
            }
            Self::NoCapsule(_) => {
                "its owner adds one with `reenact push CAPSULE OWNER/NAME`, where CAPSULE is what `reenact record` made"
            }
            Self::ManyCapsules { .. } => "say which one with `--id`",
            Self::NoOrigin(_) => "push it first, or name the model that it lies beside: `OWNER/NAME`",
            Self::OtherServer { .. } => "sign in there with `reenact login URL`, or name it with `--url`",
            Self::NoReplayOf { .. } => "`reenact replay CAPSULE -o DIR` makes one; then name DIR",
            Self::UnconfinedReplay(_) => {
                "a newer kernel (Linux 5.13 with Landlock) can; `--sandbox off` runs it with all that you may do, if you trust it"
            }
            Self::BadKey { .. } => "remove the file; a new key is made, and earlier statements keep theirs",
            Self::NotPython(_) => "leave `--env restore` out",
            Self::NoCache => "set `REENACT_CACHE` to a folder of yours",
            Self::LogFilter { .. } => "write `info`, or `warn,server=debug`",
            Self::Unconfined(_) => {
                "a newer kernel (Linux 5.13 with Landlock) can; `unsandboxed = \"allow\"` serves models without, if you trust all of them"
            }
            Self::DemoToken { .. } => "remove the folder, or name another with `--data`",
            Self::NotLive { repository, .. } => {
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

/// What most often stands behind a failed set-up.
fn program_hint(last_words: &str) -> Option<&'static str> {
    let says = |words: &[&str]| words.iter().any(|word| last_words.contains(word));
    if says(&["ensurepip", "No module named venv"]) {
        Some(
            "install Python's `venv` (on Debian: `apt-get install python3-venv`), or uv (https://docs.astral.sh/uv)",
        )
    } else if says(&["onnect", "etwork", "timed out", "resolve", "No matching distribution"]) {
        Some("the packages come from https://pypi.org; check the network, or the proxy, and run it again")
    } else {
        None
    }
}

/// What to do next, from the first error of the chain that knows.
pub fn hint(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        let own = cause.downcast_ref::<Error>().and_then(Error::hint);
        let client = || cause.downcast_ref::<client::error::Error>().and_then(client::error::Error::hint);
        let server = || cause.downcast_ref::<server::error::Error>().and_then(server_hint);
        let runtime =
            || cause.downcast_ref::<runtime::Error>().and_then(runtime::Error::hint).map(str::to_owned);
        let record = || {
            cause
                .downcast_ref::<record::error::Error>()
                .and_then(record::error::Error::hint)
                .map(str::to_owned)
        };
        own.or_else(client).or_else(server).or_else(runtime).or_else(record)
    })
}

/// The table's hints are for those who ask a server; whoever runs one needs another here and there.
fn server_hint(error: &server::error::Error) -> Option<String> {
    use server::error::{Code, Error};
    let text = match error {
        Error::Listen { .. } => "another program may listen there; choose another address with `--listen`",
        Error::SettingsFile { .. } => "`reenact serve --print-config` prints a file that can be read",
        error if is_denied(error) => {
            "run it as the user whom the server runs as, who may read and write both folders"
        }
        error if error.code() == Code::Internal => return None,
        error => error.entry().hint,
    };
    Some(text.to_owned())
}

/// Whether the operating system does not let this user.
fn is_denied(error: &server::error::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
        {
            return true;
        }
        cause = error.source();
    }
    false
}
