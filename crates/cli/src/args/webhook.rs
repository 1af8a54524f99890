//! Arguments of `reenact webhook`.

use clap::{Args, Subcommand, ValueEnum};
use spec::name::RepositoryName;

use super::remote::Server;

/// Have other programs told of what happens to a repository
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact webhook add alice/iris https://ci.example.org/hook
  reenact webhook add alice/iris https://ci.example.org/hook --topic content --topic endpoint
  reenact webhook list alice/iris
  reenact webhook test alice/iris 3
  reenact webhook remove alice/iris 3")]
pub struct Webhook {
    #[command(subcommand)]
    pub action: WebhookAction,
}

#[derive(Debug, Subcommand)]
pub enum WebhookAction {
    Add(WebhookAdd),
    List(WebhookList),
    Remove(WebhookRemove),
    Test(WebhookTest),
}

/// Whose webhooks are meant.
#[derive(Debug, Args)]
pub struct Of {
    /// Repository that you administer
    #[arg(value_name = "OWNER/NAME")]
    pub repository: RepositoryName,
    /// The repository holds a data set, not a model
    #[arg(long)]
    pub dataset: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Make a webhook, and print the key that signs what is sent, and nothing else
#[derive(Debug, Args)]
pub struct WebhookAdd {
    #[command(flatten)]
    pub of: Of,
    /// Address that is told
    #[arg(value_name = "ADDRESS")]
    pub address: String,
    /// What it is told; may be given several times [default: everything]
    #[arg(long = "topic", value_enum, value_name = "TOPIC")]
    pub topics: Vec<WebhookTopic>,
}

/// What a webhook is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WebhookTopic {
    /// Branches, tags and pull requests get other commits
    Content,
    /// Discussions and pull requests begin, change and are commented
    Discussions,
    /// The endpoint's state changes
    Endpoint,
    /// The repository is opened, closed, renamed or deleted
    Settings,
}

/// List the webhooks of a repository
#[derive(Debug, Args)]
pub struct WebhookList {
    #[command(flatten)]
    pub of: Of,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Take a webhook away
#[derive(Debug, Args)]
pub struct WebhookRemove {
    #[command(flatten)]
    pub of: Of,
    /// Number of the webhook, as `reenact webhook list` has it
    #[arg(value_name = "WEBHOOK")]
    pub id: i64,
}

/// Send a webhook something that says only that it works, and print how that went
#[derive(Debug, Args)]
pub struct WebhookTest {
    #[command(flatten)]
    pub of: Of,
    /// Number of the webhook, as `reenact webhook list` has it
    #[arg(value_name = "WEBHOOK")]
    pub id: i64,
}
