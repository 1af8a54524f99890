//! Commands that talk to a server.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use server::settings::Bytes;
use spec::name::{RepositoryAt, RepositoryName};

/// Which server, and as whom. Left out, they come from `REENACT_URL` and `REENACT_TOKEN`, from `HF_ENDPOINT`
/// and `HF_TOKEN`, or from the last `reenact login`.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Server")]
pub struct Server {
    /// Address of the server [default: $REENACT_URL, $HF_ENDPOINT, or the last sign-in]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// Token to use there [default: $REENACT_TOKEN, $HF_TOKEN, or the last sign-in]
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// Sign in to a server and remember its token
///
/// The token is asked for, or read from the first line of the standard input. It is checked, then kept in
/// `~/.config/reenact/credentials.toml` (or in `$REENACT_HOME`), readable by you alone.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact login http://127.0.0.1:8484
  reenact admin user add alice --data ./reenact-data | reenact login http://127.0.0.1:8484")]
pub struct Login {
    /// Address of the server
    pub url: String,
    /// The token; other programs of this machine can see it here, the standard input is safer
    #[arg(long, value_name = "TOKEN")]
    pub token: Option<String>,
}

/// Push a file, a folder or the capsule of a run, and print the address of its page
///
/// The repository is made where there is none, private unless `--public` is given. Only what changed is sent,
/// as one commit: of large files the parts that are not there yet. A push that was interrupted goes on where it was when
/// it is run again. Files that are only on the server stay there. A capsule lies beside the files, packed, in the
/// folder `capsules` of the repository.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact push model.onnx alice/iris
  reenact push ./trained alice/iris --public -m 'Train on the cleaned rows'
  reenact push ./rows alice/flowers --dataset
  reenact push ./capsule alice/iris     # what `reenact record` made, for `reenact replay alice/iris`")]
pub struct Push {
    /// File or folder to push, or the folder, name or id of a capsule
    pub path: PathBuf,
    /// Repository to push to
    #[arg(value_name = "OWNER/NAME")]
    pub repository: RepositoryName,
    /// Let everybody see and query it
    #[arg(long)]
    pub public: bool,
    /// The repository holds a data set, not a model
    #[arg(long)]
    pub dataset: bool,
    /// What changed: a title, and after an empty line whatever else there is to say
    #[arg(long, short, value_name = "MESSAGE")]
    pub message: Option<String>,
    /// Print JSON: the outcome, and on the standard error a line each second of how far it is
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Pull a repository's files into a folder
///
/// What is there already is not fetched again, and what broke off is continued. A file appears under its name
/// only when it has arrived whole, which its SHA-256 says. Files are also kept in a cache (see `reenact cache`), from which the next pull takes them and
/// `--offline` all. Prints the folder.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact pull alice/iris
  reenact pull alice/iris@v1 ./iris-v1
  reenact pull alice/iris --offline     # from what was pulled before")]
pub struct Pull {
    /// Repository, and the branch, tag or commit if it is not `main`
    #[arg(value_name = "OWNER/NAME[@REV]")]
    pub from: RepositoryAt,
    /// Folder to pull into [default: ./NAME]
    #[arg(value_name = "DEST")]
    pub destination: Option<PathBuf>,
    /// Ask no server: everything comes from what was pulled before
    #[arg(long, conflicts_with = "no_cache")]
    pub offline: bool,
    /// Neither take files from the cache nor keep any there
    #[arg(long)]
    pub no_cache: bool,
    /// Print JSON: the outcome, and on the standard error a line each second of how far it is
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// See and tidy what pulls have kept
///
/// Files that were pulled are kept under `$REENACT_CACHE`, `~/.cache/reenact` where it is not set, by their digests:
/// the same file of two repositories once, and on the same disk as the pulled one without taking space. No more than
/// `$REENACT_CACHE_LIMIT` is kept, 20 GiB where it is not set; what was used last goes last.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact cache list
  reenact cache prune --to '5 GiB'
  reenact cache verify")]
pub struct Cache {
    #[command(subcommand)]
    pub action: CacheAction,
}

#[derive(Debug, Subcommand)]
pub enum CacheAction {
    List(CacheList),
    Prune(CachePrune),
    Verify(CacheVerify),
}

/// List the revisions that were pulled, and how much of each is kept
#[derive(Debug, Args)]
pub struct CacheList {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Remove what no pulled revision names, and what was not used for longest
#[derive(Debug, Args)]
pub struct CachePrune {
    /// Keep at most so much [default: $REENACT_CACHE_LIMIT, or 20 GiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub to: Option<Bytes>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Read all that is kept, and remove what is damaged: the next pull fetches it again
#[derive(Debug, Args)]
pub struct CacheVerify {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Show what a repository is, what it was read from, dangers found, and its endpoint
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact info alice/iris
  reenact info alice/iris --json")]
pub struct Info {
    /// Repository, and the branch, tag or commit if it is not `main`
    #[arg(value_name = "OWNER/NAME[@REV]")]
    pub repository: RepositoryAt,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Put a model live, and print the address of its endpoint
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact deploy alice/iris --wait
  reenact deploy alice/iris@v2          # move the endpoint, without a failed request
  reenact deploy alice/iris@v3 --canary 10 --wait")]
pub struct Deploy {
    /// Model, and the branch, tag or commit if it is not `main`
    #[arg(value_name = "OWNER/NAME[@REV]")]
    pub model: RepositoryAt,
    /// Let it answer so many requests of a hundred, and the others the rest, once it is ready
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(1..=99))]
    pub canary: Option<u8>,
    /// Wait until it answers; if it cannot start, say why and fail
    #[arg(long)]
    pub wait: bool,
    /// How long to wait at most, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 300, requires = "wait")]
    pub timeout: u64,
    #[command(flatten)]
    pub server: Server,
}

/// Ask a live model
///
/// CSV needs a header line with the names of the features. JSON is a list of rows, or an object with one of
/// the keys of MLflow's scoring protocol: `instances`, `inputs`, `dataframe_split`, `dataframe_records`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact predict alice/iris --data rows.csv
  reenact predict alice/iris --data rows.csv --receipt answer.receipt
  echo '[[5.1, 3.5, 1.4, 0.2]]' | reenact predict alice/iris --data - --json")]
pub struct Predict {
    /// Model that is live
    #[arg(value_name = "OWNER/NAME")]
    pub model: RepositoryName,
    /// Rows to ask about: a `.json` or `.csv` file, or `-` for the standard input
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Keep a signed receipt of the answer in this file
    #[arg(long, value_name = "FILE")]
    pub receipt: Option<PathBuf>,
    /// Print the answer's JSON, not a table
    #[arg(long)]
    pub json: bool,
    /// Print the answer to the only row as it comes, piece by piece
    #[arg(long, conflicts_with = "json")]
    pub stream: bool,
    #[command(flatten)]
    pub server: Server,
}

/// `5 GiB`
fn size(text: &str) -> Result<Bytes, String> {
    text.trim().parse().map_err(|_| format!("`{text}` is no size: write it as `5 GiB`"))
}
