//! Arguments of `reenact app`.

use clap::{Args, Subcommand};
use spec::name::{RepositoryAt, RepositoryName};

use super::remote::Server;

/// Run the Gradio or Streamlit app that a model's repository holds
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact app start alice/iris --wait
  reenact app show alice/iris
  reenact app logs alice/iris
  reenact app stop alice/iris")]
pub struct App {
    #[command(subcommand)]
    pub action: AppAction,
}

#[derive(Debug, Subcommand)]
pub enum AppAction {
    Start(AppStart),
    Stop(AppStop),
    Show(AppShow),
    Logs(AppLogs),
}

/// Whose app is meant.
#[derive(Debug, Args)]
pub struct Of {
    /// Model beside which the app lies
    #[arg(value_name = "OWNER/NAME")]
    pub model: RepositoryName,
    #[command(flatten)]
    pub server: Server,
}

/// Start the app, or move it to another revision, and print the address of its page
///
/// The repository names it in `reenact.toml` (`[app]` with `sdk = "gradio"` or `"streamlit"`, and `file` where that is not
/// `app.py`), or in its card as on Hugging Face Spaces.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact app start alice/iris --wait
  reenact app start alice/iris@v2")]
pub struct AppStart {
    /// Model, and the branch, tag or commit if it is not `main`
    #[arg(value_name = "OWNER/NAME[@REV]")]
    pub model: RepositoryAt,
    /// Wait until it answers; if it cannot start, say why and fail
    #[arg(long)]
    pub wait: bool,
    /// How long to wait at most, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 900, requires = "wait")]
    pub timeout: u64,
    #[command(flatten)]
    pub server: Server,
}

/// Stop the app; visitors no longer wake it
#[derive(Debug, Args)]
pub struct AppStop {
    #[command(flatten)]
    pub of: Of,
}

/// Show the app: state, reason, address of its page
#[derive(Debug, Args)]
pub struct AppShow {
    #[command(flatten)]
    pub of: Of,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Print the last lines of the app's log
#[derive(Debug, Args)]
pub struct AppLogs {
    #[command(flatten)]
    pub of: Of,
}
