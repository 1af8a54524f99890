//! Wire types of webhooks: what is asked for, what is shown, and what is sent.
//!
//! Knows no HTTP. Invariants: the key that signs is in the one answer that made the webhook; what is sent has the fields
//! that the Hugging Face Hub sends (version 3), so that receivers written for it can read it.

use serde::{Deserialize, Serialize};

use crate::name::RepositoryKind;

/// A kind of event that a webhook is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Topic {
    /// Branches, tags and pull requests name other commits.
    Content,
    /// Discussions and pull requests begin, change and are commented.
    Discussions,
    /// The endpoint's state changes.
    Endpoint,
    /// The repository is opened, closed, renamed or deleted.
    Settings,
}

impl Topic {
    pub const ALL: [Self; 4] = [Self::Content, Self::Discussions, Self::Endpoint, Self::Settings];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Content => "content",
            Self::Discussions => "discussions",
            Self::Endpoint => "endpoint",
            Self::Settings => "settings",
        }
    }
}

/// Asks for a webhook, or for another address and other topics of one that is there, which also enables it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebhook {
    /// Where it is told, `https://…` or `http://…`; at most 2,048 characters.
    pub url: String,
    /// What it is told; everything where it is left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<Topic>,
}

/// An address that is told of what happens to a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Webhook {
    pub id: i64,
    pub url: String,
    pub topics: Vec<Topic>,
    pub created_by: String,
    pub created: String,
    /// Why nothing is sent any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<String>,
}

/// A new webhook with the key that signs what is sent to it, which is shown this once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CreatedWebhook {
    #[serde(flatten)]
    pub webhook: Webhook,
    /// `whsec_` and the key in Base64, as Standard Webhooks writes it.
    pub secret: String,
}

/// Something that was or is to be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Delivery {
    pub id: i64,
    /// Such as `repo.content`.
    pub event: String,
    /// `waiting`, `sent` or `failed`.
    pub state: String,
    pub attempts: i64,
    /// The HTTP status of the last answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<i64>,
    /// Why the last attempt failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    pub created: String,
    pub updated: String,
}

/// What is sent, as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Payload {
    pub event: PayloadEvent,
    pub repo: PayloadRepository,
    pub webhook: PayloadWebhook,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub updated_refs: Vec<UpdatedRef>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discussion: Option<PayloadDiscussion>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comment: Option<PayloadComment>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<PayloadEndpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<PayloadMovedTo>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadEvent {
    /// `create`, `update`, `move` or `delete`.
    pub action: String,
    /// `repo`, `repo.content`, `repo.config`, `discussion`, `discussion.comment`, `endpoint` or `test`.
    pub scope: String,
}

/// What it happened to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadRepository {
    #[serde(rename = "type")]
    pub kind: RepositoryKind,
    /// `owner/name`
    pub name: String,
    pub id: String,
    pub private: bool,
    pub url: PayloadUrl,
    pub owner: PayloadId,
}

/// What a repository that was renamed or handed over is called now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadMovedTo {
    pub name: String,
    pub owner: PayloadId,
}

/// Where its page and its API are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadUrl {
    pub web: String,
    pub api: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadId {
    pub id: String,
}

/// To whom it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadWebhook {
    pub id: String,
    /// Of the form.
    pub version: u8,
}

/// A branch, tag or pull request that names another commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdatedRef {
    /// Such as `refs/heads/main`.
    #[serde(rename = "ref")]
    pub name: String,
    /// None where it is new.
    pub old_sha: Option<String>,
    /// None where it is gone.
    pub new_sha: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PayloadDiscussion {
    pub id: String,
    pub title: String,
    pub num: i64,
    pub status: String,
    pub is_pull_request: bool,
    pub url: PayloadUrl,
    pub author: PayloadId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadComment {
    pub id: String,
    pub author: PayloadId,
    pub content: String,
    pub hidden: bool,
    pub url: PayloadUrl,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PayloadEndpoint {
    pub state: String,
}
