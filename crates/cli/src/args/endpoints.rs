//! Commands about endpoints that are there.

use clap::{Args, Subcommand};
use spec::name::RepositoryName;

use super::remote::Server;

/// List endpoints; look at one, deal out its requests, set its limits, read its log
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  reenact endpoints
  reenact endpoints show alice/iris
  reenact endpoints traffic alice/iris v1=90 v2=10
  reenact endpoints set alice/iris max_replicas=2 request_timeout=10s
  reenact endpoints logs alice/iris --follow
  reenact endpoints stop alice/iris"
)]
pub struct Endpoints {
    #[command(subcommand)]
    pub action: Option<EndpointsAction>,
    #[command(flatten)]
    pub list: EndpointsList,
}

#[derive(Debug, Subcommand)]
pub enum EndpointsAction {
    List(EndpointsList),
    Show(EndpointsShow),
    Traffic(EndpointsTraffic),
    Promote(EndpointsPromote),
    Rollback(EndpointsRollback),
    Set(EndpointsSet),
    Metrics(EndpointsMetrics),
    Requests(EndpointsRequests),
    Logs(EndpointsLogs),
    Stop(EndpointsStop),
}

/// List the endpoints that you may see
#[derive(Debug, Args)]
pub struct EndpointsList {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Which endpoint, and on which server.
#[derive(Debug, Args)]
pub struct Which {
    /// Model that was deployed
    #[arg(value_name = "OWNER/NAME")]
    pub model: RepositoryName,
    #[command(flatten)]
    pub server: Server,
}

/// Show one endpoint: state, reason, addresses, who answers, limits
#[derive(Debug, Args)]
pub struct EndpointsShow {
    #[command(flatten)]
    pub which: Which,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Deal the requests out among revisions that were deployed before
#[derive(Debug, Args)]
pub struct EndpointsTraffic {
    #[command(flatten)]
    pub which: Which,
    /// Branch, tag or commit, and how many requests of a hundred it answers
    #[arg(value_name = "REV=PERCENT", required = true, value_parser = share)]
    pub shares: Vec<(String, u8)>,
}

/// Give all requests to the revision that was deployed last
#[derive(Debug, Args)]
pub struct EndpointsPromote {
    #[command(flatten)]
    pub which: Which,
}

/// Go back to who answered before the last change; again for the one before
#[derive(Debug, Args)]
pub struct EndpointsRollback {
    #[command(flatten)]
    pub which: Which,
}

/// Set what an endpoint may take, within what the operator allows
///
/// What can be set: min_replicas, max_replicas, concurrency, request_timeout, load_timeout, idle_after, memory,
/// log_sample. `default` is the operator's choice.
#[derive(Debug, Args)]
pub struct EndpointsSet {
    #[command(flatten)]
    pub which: Which,
    /// What to set, such as `max_replicas=2`, `memory=512MiB` or `log_sample=0.1`
    #[arg(value_name = "KEY=VALUE", required = true, value_parser = pair)]
    pub options: Vec<(String, String)>,
}

/// Show what was counted of an endpoint in the last hour
#[derive(Debug, Args)]
pub struct EndpointsMetrics {
    #[command(flatten)]
    pub which: Which,
    /// Print JSON, with the hours of the last month
    #[arg(long)]
    pub json: bool,
}

/// Show requests that were recorded, newest first; `set OWNER/NAME log_sample=0.1` records some
#[derive(Debug, Args)]
pub struct EndpointsRequests {
    #[command(flatten)]
    pub which: Which,
    /// How many to show at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub limit: usize,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Print the last lines of an endpoint's log
#[derive(Debug, Args)]
pub struct EndpointsLogs {
    #[command(flatten)]
    pub which: Which,
    /// Go on with what is written from now on
    #[arg(long, short)]
    pub follow: bool,
}

/// Stop an endpoint; `reenact deploy` starts it again
#[derive(Debug, Args)]
pub struct EndpointsStop {
    #[command(flatten)]
    pub which: Which,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write a key and a value with `=` between them")?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

fn share(text: &str) -> Result<(String, u8), String> {
    // A branch may have a `=` in its name, a number has none.
    let (revision, percent) =
        text.rsplit_once('=').ok_or("write a revision and its percents with `=` between")?;
    let percent = percent.parse().ok().filter(|percent| (1..=100).contains(percent));
    Ok((revision.to_owned(), percent.ok_or("the share is a whole number of percents from 1 to 100")?))
}
