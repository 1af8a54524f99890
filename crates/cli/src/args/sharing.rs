//! Commands that say who may do what.

use clap::{Args, Subcommand, ValueEnum};
use spec::name::RepositoryName;
use spec::rights::Action;

use super::remote::Server;

/// Share a model by a link, and print the link
///
/// Whoever holds the link has a page to try the model on, and an endpoint; the files stay where they are unless
/// `--allow files` is given. The link stays at the revision it was made for. With `--anonymous` nothing that is
/// reached through it tells whose the model is; where the model itself tells, that is listed and hidden.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    arg_required_else_help = true,
    after_help = "Examples:
  reenact share alice/iris --anonymous --expires 90d --calls 1000
  reenact share alice/iris --anonymous --hide 'University of Nowhere' --dry-run
  reenact share alice/iris --round 3 --top-k 1 --rate 60/min
  reenact share list
  reenact share extend 3 --expires 2027-06-01
  reenact share revoke 3"
)]
pub struct Share {
    #[command(subcommand)]
    pub action: Option<ShareAction>,
    #[command(flatten)]
    pub new: ShareNew,
}

#[derive(Debug, Subcommand)]
pub enum ShareAction {
    List(ShareList),
    Show(ShareShow),
    Extend(ShareExtend),
    Revoke(ShareRevoke),
}

#[derive(Debug, Args)]
pub struct ShareNew {
    /// Model, and the branch, tag or commit if it is not `main`
    #[arg(value_name = "OWNER/NAME[@REV]")]
    pub model: Option<spec::name::RepositoryAt>,
    /// Hide whose the model is from whoever holds the link
    #[arg(long)]
    pub anonymous: bool,
    /// One more word that would tell, such as an institution's name; may be given several times
    #[arg(long, value_name = "WORD", requires = "anonymous")]
    pub hide: Vec<String>,
    /// When the link ends: a day (2027-03-01) or a time from now (90d)
    #[arg(long, value_name = "END")]
    pub expires: Option<String>,
    /// Rows that are answered in all
    #[arg(long, value_name = "N")]
    pub calls: Option<i64>,
    /// Rows that are answered in a minute, such as `60/min`
    #[arg(long, value_name = "N/min", value_parser = per_minute)]
    pub rate: Option<i64>,
    /// Digits after the point that outputs are rounded to
    #[arg(long, value_name = "DIGITS")]
    pub round: Option<i64>,
    /// How many of the most probable classes are told
    #[arg(long, value_name = "K")]
    pub top_k: Option<i64>,
    /// What whoever holds the link may do; may be given several times
    #[arg(long, value_enum, default_value = "predict")]
    pub allow: Vec<Allow>,
    /// Only list what the model tells of whose it is, and make no link
    #[arg(long, requires = "anonymous")]
    pub dry_run: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// What whoever holds a link may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Allow {
    /// Try the model and ask it
    Predict,
    /// Download its files too, weights included
    Files,
    /// Use the app beside it too, whose words nobody changes and whose rows nobody counts
    App,
}

/// List links: those to a model, or all that you made
#[derive(Debug, Args)]
pub struct ShareList {
    /// Model whose links are meant
    #[arg(value_name = "OWNER/NAME")]
    pub model: Option<RepositoryName>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Show one link: what it leads to, until when, how often it was used
#[derive(Debug, Args)]
pub struct ShareShow {
    /// Number of the link, as `reenact share list` has it
    #[arg(value_name = "LINK")]
    pub id: i64,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Let a link live longer or be asked more often; its address stays
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ShareExtend {
    /// Number of the link, as `reenact share list` has it
    #[arg(value_name = "LINK")]
    pub id: i64,
    /// When the link ends: a day (2027-03-01) or a time from now (90d)
    #[arg(long, value_name = "END", required_unless_present = "calls")]
    pub expires: Option<String>,
    /// Rows that are answered in all, those before included
    #[arg(long, value_name = "N")]
    pub calls: Option<i64>,
    #[command(flatten)]
    pub server: Server,
}

/// End a link for good
#[derive(Debug, Args)]
pub struct ShareRevoke {
    /// Number of the link, as `reenact share list` has it
    #[arg(value_name = "LINK")]
    pub id: i64,
    #[command(flatten)]
    pub server: Server,
}

/// Give a person or an organisation a right to a repository; without a name, list who may do what
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact grant alice/iris bob predict
  reenact grant alice/iris the-lab write
  reenact grant alice/iris")]
pub struct Grant {
    /// Repository of yours
    #[arg(value_name = "OWNER/NAME")]
    pub repository: RepositoryName,
    /// Person or organisation
    #[arg(value_name = "PERSON-or-ORG", requires = "action")]
    pub who: Option<String>,
    /// The most they may do: see, predict, read, write or admin
    #[arg(value_name = "RIGHT")]
    pub action: Option<Action>,
    /// The repository holds a data set, not a model
    #[arg(long)]
    pub dataset: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Take back what a person or an organisation may do with a repository
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact revoke alice/iris bob")]
pub struct Revoke {
    /// Repository of yours
    #[arg(value_name = "OWNER/NAME")]
    pub repository: RepositoryName,
    /// Person or organisation
    #[arg(value_name = "PERSON-or-ORG")]
    pub who: String,
    /// The repository holds a data set, not a model
    #[arg(long)]
    pub dataset: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Make organisations, look after their members, invite
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact org create the-lab
  reenact org members the-lab
  reenact org members the-lab --add bob --role write
  reenact org invite the-lab --email grace@example.org --role read")]
pub struct Org {
    #[command(subcommand)]
    pub action: OrgAction,
}

#[derive(Debug, Subcommand)]
pub enum OrgAction {
    Create(OrgCreate),
    List(OrgList),
    Members(OrgMembers),
    Invite(OrgInvite),
}

/// Make an organisation, which you administer
#[derive(Debug, Args)]
pub struct OrgCreate {
    /// Name of the organisation
    pub name: String,
    #[command(flatten)]
    pub server: Server,
}

/// List the organisations that you are a member of
#[derive(Debug, Args)]
pub struct OrgList {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// List the members of an organisation, add one, change what one may do, or remove one
#[derive(Debug, Args)]
pub struct OrgMembers {
    /// Name of the organisation
    pub name: String,
    /// Make this account a member, or give a member another role
    #[arg(long, value_name = "PERSON", conflicts_with = "remove")]
    pub add: Option<String>,
    /// What the new member may do with all of its repositories: see, predict, read, write or admin
    #[arg(long, value_name = "RIGHT", default_value_t = Action::Read, requires = "add")]
    pub role: Action,
    /// End this account's membership
    #[arg(long, value_name = "PERSON")]
    pub remove: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Print an address at which somebody joins an organisation, once
#[derive(Debug, Args)]
pub struct OrgInvite {
    /// Name of the organisation
    pub name: String,
    /// For whom it is meant; nothing is sent there
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    pub email: String,
    /// What the new member may do with all of its repositories
    #[arg(long, value_name = "RIGHT", default_value_t = Action::Read)]
    pub role: Action,
    /// When it ends: a day (2027-03-01) or a time from now (7d)
    #[arg(long, value_name = "END")]
    pub expires: Option<String>,
    #[command(flatten)]
    pub server: Server,
}

/// Make tokens that may do less than yours, list them, take them back
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact token create ci --scope read --expires 90d
  reenact token create app --scope predict --repository alice/iris
  reenact token list
  reenact token revoke 7")]
pub struct Token {
    #[command(subcommand)]
    pub action: TokenAction,
}

#[derive(Debug, Subcommand)]
pub enum TokenAction {
    Create(TokenCreate),
    List(TokenList),
    Revoke(TokenRevoke),
}

/// Make a token, and print it and nothing else
#[derive(Debug, Args)]
pub struct TokenCreate {
    /// What it is for, in your words
    pub name: String,
    /// What it may do
    #[arg(long, value_enum, default_value_t = Scope::Read)]
    pub scope: Scope,
    /// When it ends by itself: a day (2027-03-01) or a time from now (90d)
    #[arg(long, value_name = "END")]
    pub expires: Option<String>,
    /// The one model it is for; `datasets/OWNER/NAME` for a data set
    #[arg(long, value_name = "OWNER/NAME")]
    pub repository: Option<String>,
    #[command(flatten)]
    pub server: Server,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Scope {
    /// Ask endpoints, and nothing else
    Predict,
    /// Read what you may read
    Read,
    /// All that you may do; with a token only for one repository
    Write,
}

/// List your tokens
#[derive(Debug, Args)]
pub struct TokenList {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub server: Server,
}

/// Take a token back, and those it made
#[derive(Debug, Args)]
pub struct TokenRevoke {
    /// Number of the token, as `reenact token list` has it
    #[arg(value_name = "TOKEN")]
    pub id: i64,
    #[command(flatten)]
    pub server: Server,
}

/// `60/min` or `60`
fn per_minute(text: &str) -> Result<i64, String> {
    let number = text.strip_suffix("/min").unwrap_or(text).trim();
    number.parse().map_err(|_| format!("`{text}` is no number of rows a minute: write it as `60/min`"))
}
