//! Wire types of our own API under `/api/v1/`, shared by the server that writes them and the client that reads.
//!
//! Knows no HTTP. Invariants: times are RFC 3339 in UTC, lists are pages, and a field that is not known is
//! left out, never null.

use serde::{Deserialize, Serialize};

use crate::facts::Facts;
use crate::name::RepositoryKind;

mod apps;
pub mod attestations;
mod endpoints;
mod files;
mod people;
mod sharing;
pub mod webhooks;

pub use apps::{App, StartApp};
pub use endpoints::{
    EndpointChange, EndpointMetrics, EndpointOptions, NewTarget, NewTargets, RecordedRequest, Target, Usage,
};
pub use files::WantedFiles;
pub use people::{Leave, Me, Profile, Session};
pub use sharing::{
    AcceptInvitation, CreatedInvitation, CreatedLink, Event, Grant, Invitation, Link, LinkChange, LinkUse,
    Member, NewGrant, NewInvitation, NewLink, NewMember, NewOrganization, Organization, Trace,
};

/// One page of a list. Ask again with `after` set to `next` for the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A repository as one page about it shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Repository {
    /// `owner/name`
    pub repository: String,
    pub kind: RepositoryKind,
    pub private: bool,
    /// The commit that was asked for, 40 hex digits.
    pub revision: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub library: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    pub tags: Vec<String>,
    pub downloads: i64,
    pub created: String,
    pub modified: String,
    /// Address of the page.
    pub url: String,
    /// What reading the files brought to light; absent while they are still being read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<Facts>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Endpoint>,
}

/// Where a model answers predictions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Endpoint {
    /// `owner/name`
    pub repository: String,
    /// The commit that was deployed last, 40 hex digits.
    pub revision: String,
    pub state: EndpointState,
    /// Why it is in this state, with the last lines of its log where it failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Base address, ending in `/`.
    pub url: String,
    /// Address of the web app.
    pub try_url: String,
    /// `sha256:` and the digest of the file that is served; absent until it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// Whether the same row gets the same bytes each time; absent while the model is not loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<bool>,
    /// The same in a sentence, as it was found when the model was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stability: Option<String>,
    /// The revisions that answer, oldest first.
    #[serde(default)]
    pub targets: Vec<Target>,
    #[serde(default)]
    pub options: EndpointOptions,
    pub created: String,
    pub updated: String,
}

/// What an endpoint is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EndpointState {
    /// Accepted; its job has not begun.
    Pending,
    /// The Python environment of its model is being built.
    Building,
    /// Its runtime is loading the model.
    Starting,
    /// Answering.
    Ready,
    /// No runtime; the next request wakes it.
    Idle,
    /// Its runtime crashed again and again; it can be started again after a pause.
    Crashed,
    /// It could not start; `reason` says why.
    Failed,
    /// Stopped by its owner.
    Stopped,
}

impl EndpointState {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Building => "building",
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Idle => "idle",
            Self::Crashed => "crashed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
        }
    }

    /// The state of this name, if it is one.
    pub fn from_name(name: &str) -> Option<Self> {
        const ALL: [EndpointState; 8] = [
            EndpointState::Pending,
            EndpointState::Building,
            EndpointState::Starting,
            EndpointState::Ready,
            EndpointState::Idle,
            EndpointState::Crashed,
            EndpointState::Failed,
            EndpointState::Stopped,
        ];
        ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Whether a request would be answered, at once or after a while.
    pub fn is_servable(self) -> bool {
        matches!(self, Self::Ready | Self::Idle | Self::Starting)
    }

    /// Whether nothing more will happen without a request or its owner.
    pub fn is_settled(self) -> bool {
        !matches!(self, Self::Pending | Self::Building | Self::Starting)
    }
}

/// Asks for a repository to be put live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deploy {
    /// `owner/name` of a model
    pub repository: String,
    /// A branch, a tag or a commit; `main` where it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// How many requests of a hundred it is to answer, 1 to 99, while the others answer the rest; all where it is left
    /// out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u8>,
}

/// The last lines that an endpoint's runtime wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Logs {
    /// Oldest first.
    pub lines: Vec<String>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Token {
    pub id: i64,
    pub name: String,
    pub scope: TokenScope,
    pub created: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `owner/name` of the one repository it is for, with `datasets/` before a dataset's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// What a token may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TokenScope {
    /// Ask endpoints, and nothing else.
    Predict,
    /// Read what its account may read.
    Read,
    /// All that its account may do, but for making tokens and passwords.
    Write,
}

impl TokenScope {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Predict => "predict",
            Self::Read => "read",
            Self::Write => "write",
        }
    }
}

/// Asks for a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What it is for, in the owner's words; 1 to 96 characters.
    pub name: String,
    pub scope: TokenScope,
    /// When it ends by itself: a date (`2027-03-01`), a time (RFC 3339) or a time from now (`90d`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<String>,
    /// `owner/name` of the one model it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
}

/// A new token with its secret, which is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreatedToken {
    #[serde(flatten)]
    pub token: Token,
    pub secret: String,
}

/// What went wrong (RFC 9457, "Problem Details for HTTP APIs").
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// Address of the explanation of `code`.
    #[serde(rename = "type")]
    pub kind: String,
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong this time.
    pub detail: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// One of the codes in the reference, such as `repository-not-found`.
    pub code: String,
}
