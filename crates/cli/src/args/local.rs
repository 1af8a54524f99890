//! Commands that need no server to talk to.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use server::settings::Gpu;
use spec::app::Sdk;
use spec::digest::Sha256;
use spec::handler::Takes;
use spec::name::AccountName;

use crate::args::copies::{AdminBackup, AdminMigrate, AdminRestore};
use crate::args::setting;

/// Run a server
///
/// On its first start it makes the data folder and the first admin, and prints an address that signs the admin
/// in once. Every setting can also come from the environment (`REENACT_LISTEN`) or from the file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact serve
  reenact serve --data /srv/reenact --listen 0.0.0.0:8484 --public-url https://models.example.org
  reenact serve --database postgres://reenact@db/reenact --storage s3://models
  reenact serve --print-config > reenact.toml")]
pub struct Serve {
    /// File with settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print the settings in force as such a file, and end
    #[arg(long)]
    pub print_config: bool,
    #[command(flatten)]
    pub settings: setting::Flags,
}

/// Manage a server on its own machine; it may be running meanwhile
#[derive(Debug, Args)]
pub struct Admin {
    #[command(subcommand)]
    pub action: AdminAction,
}

#[derive(Debug, Subcommand)]
pub enum AdminAction {
    User(AdminUser),
    SignInLink(AdminSignInLink),
    Key(AdminKey),
    Backup(AdminBackup),
    Restore(AdminRestore),
    Migrate(AdminMigrate),
    Fsck(AdminFsck),
    Gc(AdminGc),
    Stats(AdminStats),
}

/// Read all that is stored and look for every file of every commit; changes nothing unless told to
///
/// Ends with 1 if something is damaged or lost still.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact admin fsck --data ./reenact-data
  reenact admin fsck --data ./reenact-data --repair-from /mnt/backup
  reenact admin fsck --data ./reenact-data --json")]
pub struct AdminFsck {
    #[command(flatten)]
    pub place: Place,
    /// Put damaged and missing stored files back from here: a folder of backups, or another data folder
    #[arg(long, value_name = "DIR")]
    pub repair_from: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Count what is stored, once and for each repository
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact admin stats --data ./reenact-data
  reenact admin stats --data ./reenact-data --json")]
pub struct AdminStats {
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Remove stored files that no repository has any more and that nobody sent of late
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact admin gc --data ./reenact-data --dry-run
  reenact admin gc --data ./reenact-data --json")]
pub struct AdminGc {
    #[command(flatten)]
    pub place: Place,
    /// Only count what would be removed
    #[arg(long)]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Look after the key with which the server signs receipts and proofs
#[derive(Debug, Args)]
pub struct AdminKey {
    #[command(subcommand)]
    pub action: AdminKeyAction,
}

#[derive(Debug, Subcommand)]
pub enum AdminKeyAction {
    Show(AdminKeyShow),
}

/// Print the public key, for `reenact receipt verify --key`
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact admin key show --data ./reenact-data > server-keys.json")]
pub struct AdminKeyShow {
    #[command(flatten)]
    pub place: Place,
}

/// Look after users
#[derive(Debug, Args)]
pub struct AdminUser {
    #[command(subcommand)]
    pub action: AdminUserAction,
}

#[derive(Debug, Subcommand)]
pub enum AdminUserAction {
    Add(AdminUserAdd),
    Invite(AdminUserInvite),
    Email(AdminUserEmail),
}

/// Set a user's e-mail address and vouch for it, so that a sign-in service can tell whose the account is
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact admin user email alice alice@example.org --data ./reenact-data")]
pub struct AdminUserEmail {
    /// Name of the user
    pub name: AccountName,
    /// Their address, as the sign-in service has it
    #[arg(value_name = "ADDRESS")]
    pub email: String,
    #[command(flatten)]
    pub place: Place,
}

/// Print an address at which somebody makes an account of their own, once
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact admin user invite --email grace@example.org --data ./reenact-data")]
pub struct AdminUserInvite {
    /// For whom it is meant; nothing is sent there
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    pub email: String,
    /// When it ends: a day (2027-03-01) or a time from now (7d)
    #[arg(long, value_name = "END")]
    pub expires: Option<String>,
    #[command(flatten)]
    pub place: Place,
}

/// Make a user, and print a token for them and nothing else
///
/// The token is shown this once. With it the user can push, and sign in with `reenact login`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact admin user add alice --data ./reenact-data
  export REENACT_TOKEN=$(reenact admin user add bob --data ./reenact-data)")]
pub struct AdminUserAdd {
    /// Name of the user
    pub name: AccountName,
    /// The user may do everything
    #[arg(long)]
    pub admin: bool,
    #[command(flatten)]
    pub place: Place,
}

/// Print an address that signs a user in once, for one who has no password yet or has lost it
#[derive(Debug, Args)]
pub struct AdminSignInLink {
    /// Name of the user
    pub name: AccountName,
    #[command(flatten)]
    pub place: Place,
}

/// Which server's data are meant.
#[derive(Debug, Args)]
pub struct Place {
    /// The server's data folder [default: ./reenact-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
    /// The server's database, where it is not in the data folder
    #[arg(long, value_name = "URL")]
    pub database: Option<String>,
    /// The server's file with settings
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// Make the Python environment that models are converted and served with
///
/// It has ONNX Runtime, scikit-learn and what converts models, in the versions of the lock that this command
/// carries. It is made once, in `~/.cache/reenact` (or in `$REENACT_CACHE`), where `serve` finds it. Prints its
/// folder.
#[derive(Debug, Args)]
pub struct Setup {}

/// Show what Reenact does: two models trained, pushed and live, on this machine
///
/// Starts a server on a free port, trains two scikit-learn classifiers on data that ships with scikit-learn
/// (handwritten digits, breast cancer), pushes and deploys both, asks each once, and stays until Ctrl-C. Needs no
/// account. The first time it makes a Python environment, as `reenact setup` does.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact demo
  reenact demo --data ./demo      # keep what was pushed
  reenact demo --once             # check that all of it works, and end")]
pub struct Demo {
    /// Check that pages, web app and endpoint answer, and end
    #[arg(long)]
    pub once: bool,
    /// Folder to keep everything in [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
}

/// Print the completions for a shell
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact completions bash > ~/.local/share/bash-completion/completions/reenact
  reenact completions zsh > ~/.zfunc/_reenact
  reenact completions fish > ~/.config/fish/completions/reenact.fish")]
pub struct Completions {
    pub shell: clap_complete::Shell,
}

/// Hold one model and answer predictions; the server starts this
#[derive(Debug, Args)]
pub struct Runtime {
    /// ONNX file, or the file of a handler
    #[arg(long)]
    pub model: PathBuf,
    /// Unix socket to listen on
    #[arg(long)]
    pub socket: PathBuf,
    /// Example rows to probe the model with
    #[arg(long)]
    pub examples: Option<PathBuf>,
    /// File beside the model that holds some of its weights
    #[arg(long, value_name = "FILE")]
    pub external_data: Vec<PathBuf>,
    /// What the ONNX file has to be
    #[arg(long)]
    pub weights_sha256: Option<Sha256>,
    /// Threads of one call of the model
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Most calls of the model at one time
    #[arg(long, default_value_t = 2)]
    pub sessions: usize,
    /// Memory it may use
    #[arg(long)]
    pub memory_bytes: u64,
    /// ONNX Runtime's shared library
    #[arg(long)]
    pub onnxruntime: Option<PathBuf>,
    /// Go on where the kernel cannot confine it
    #[arg(long)]
    pub allow_unsandboxed: bool,
    #[command(flatten)]
    pub handler: Handler,
}

/// How a handler is run, where the model is Python.
#[derive(Debug, Args)]
pub struct Handler {
    /// Folder with the handler, its modules and its weights
    #[arg(long, requires = "object", requires = "schema", requires = "environment")]
    pub folder: Option<PathBuf>,
    /// What is called in the handler's file
    #[arg(long)]
    pub object: Option<String>,
    /// Whether it is called for each row or for all
    #[arg(long, default_value = "row", value_parser = takes)]
    pub takes: Takes,
    /// File with the schema as JSON
    #[arg(long)]
    pub schema: Option<PathBuf>,
    /// Folder of the environment
    #[arg(long)]
    pub environment: Option<PathBuf>,
    /// GPUs that it may use
    #[arg(long, default_value = "none", value_parser = gpu)]
    pub gpu: Gpu,
    /// How long one call may take
    #[arg(long, default_value_t = 60_000)]
    pub call_timeout_ms: u64,
    /// How long loading may take
    #[arg(long, default_value_t = 120_000)]
    pub load_timeout_ms: u64,
}

fn takes(text: &str) -> Result<Takes, String> {
    let known = [Takes::Row, Takes::Rows].into_iter().find(|takes| takes.as_str() == text);
    known.ok_or_else(|| "`row` or `rows` is wanted".to_owned())
}

fn gpu(text: &str) -> Result<Gpu, String> {
    text.parse().map_err(|()| "`none`, `all` or numbers are wanted, such as `0,1`".to_owned())
}

/// Confine this process and become a program; a runtime starts this
#[derive(Debug, Args)]
pub struct Worker {
    /// File or folder that may be read
    #[arg(long)]
    pub readable: Vec<PathBuf>,
    /// Program that may be run
    #[arg(long)]
    pub executable: Vec<PathBuf>,
    /// Folder that may be written to, as far as whoever starts this may
    #[arg(long)]
    pub writable: Vec<PathBuf>,
    /// Device that may be used
    #[arg(long = "device", value_name = "DEVICE")]
    pub devices: Vec<PathBuf>,
    /// Memory it may use
    #[arg(long)]
    pub memory_bytes: u64,
    /// Go on where the kernel cannot confine it
    #[arg(long)]
    pub allow_unsandboxed: bool,
    /// The program and its arguments
    #[arg(last = true, required = true)]
    pub command: Vec<OsString>,
}

/// Confine this process and run a web app in it; the server starts this
#[derive(Debug, Args)]
pub struct RunApp {
    /// What the app is written with
    #[arg(long, value_parser = sdk)]
    pub sdk: Sdk,
    /// Folder with the app and all that lies beside it
    #[arg(long)]
    pub folder: PathBuf,
    /// The app's file in that folder
    #[arg(long)]
    pub file: String,
    /// Folder of its environment
    #[arg(long)]
    pub environment: PathBuf,
    /// Unix socket to answer on
    #[arg(long)]
    pub socket: PathBuf,
    /// Empty folder that it sees as one in memory
    #[arg(long)]
    pub scratch: PathBuf,
    /// How much that holds
    #[arg(long)]
    pub scratch_bytes: u64,
    /// Memory it may use
    #[arg(long)]
    pub memory_bytes: u64,
    /// Processor time it may use
    #[arg(long)]
    pub cpu_s: u64,
    /// Threads that libraries of numbers compute with
    #[arg(long, default_value_t = 1)]
    pub threads: usize,
    /// Go on where the kernel cannot confine it
    #[arg(long)]
    pub allow_unsandboxed: bool,
}

fn sdk(text: &str) -> Result<Sdk, String> {
    Sdk::from_name(text).ok_or_else(|| "`gradio` or `streamlit` is wanted".to_owned())
}

/// Make the environment that is described on the standard input; the server starts this
#[derive(Debug, Args)]
pub struct BuildEnvironment {
    /// Folder that holds the environments
    #[arg(long)]
    pub root: PathBuf,
}

/// Write the generated parts of the documentation
#[derive(Debug, Args)]
pub struct Reference {
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
