//! Changes to a repository by the Hub protocol: what the server already has, and the commit itself.
//!
//! Knows nothing of folders and of repeating a push. Invariant: a commit's body is made while it is sent, so
//! memory stays flat however large the files are.

mod body;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, header};
use serde::{Deserialize, Serialize};
use serde_json::json;
use spec::digest::Oid;
use spec::name::{RepositoryKind, RepositoryName};

use crate::error::Error;
use crate::http::{self, Client};
use crate::hub::api_path;

pub use body::{Content, Failure, Sent, stream};

/// The branch that pushes go to.
pub const BRANCH: &str = "main";

/// A file that would be pushed, as the server is asked about it.
#[derive(Debug)]
pub struct Candidate<'a> {
    pub path: &'a str,
    pub n_bytes: u64,
    /// Its first 512 bytes, or fewer where it has fewer.
    pub sample: &'a [u8],
}

/// What the server says of a candidate.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    pub path: String,
    /// `regular`, or `lfs` for content that goes another way.
    pub upload_mode: String,
    #[serde(default)]
    pub should_ignore: bool,
    /// The id of what the server has under this path.
    #[serde(default)]
    pub oid: Option<String>,
}

/// What a commit says besides its files.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// The title.
    pub summary: String,
    pub description: String,
    /// The commit this one must follow; the server refuses it with status 412 otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_commit: Option<Oid>,
}

impl Header {
    /// Splits a message into its first line and the rest.
    pub fn new(message: &str, parent_commit: Option<Oid>) -> Self {
        let (summary, description) = message.trim().split_once('\n').unwrap_or((message.trim(), ""));
        Self {
            summary: summary.trim_end().to_owned(),
            description: description.trim().to_owned(),
            parent_commit,
        }
    }
}

/// A commit that was acknowledged.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Committed {
    pub commit_oid: Oid,
}

/// Asks what the server has of these files: at most [`spec::limits::PREUPLOAD_FILES`].
pub async fn preupload(
    client: &Client,
    kind: RepositoryKind,
    repository: &RepositoryName,
    candidates: &[Candidate<'_>],
) -> Result<Vec<Answer>, Error> {
    #[derive(Deserialize)]
    struct Answers {
        files: Vec<Answer>,
    }
    let operation = format!("compare the files with `{repository}`");
    let file = |candidate: &Candidate<'_>| json!({ "path": candidate.path, "size": candidate.n_bytes, "sample": STANDARD.encode(candidate.sample) });
    let body = json!({ "files": candidates.iter().map(file).collect::<Vec<_>>() });
    let path = format!("{}/preupload/{BRANCH}", api_path(kind, repository));
    let response = http::send_safe(&operation, client.request(Method::POST, &path).json(&body)).await?;
    http::read_json::<Answers>(&operation, response).await.map(|answers| answers.files)
}

/// Sends one commit, once. Whether it may be repeated is for whoever knows the parent to decide.
pub async fn commit(
    client: &Client,
    kind: RepositoryKind,
    repository: &RepositoryName,
    body: reqwest::Body,
) -> Result<Committed, Error> {
    let operation = format!("push to `{repository}`");
    let path = format!("{}/commit/{BRANCH}", api_path(kind, repository));
    let request =
        client.request(Method::POST, &path).header(header::CONTENT_TYPE, "application/x-ndjson").body(body);
    let response = http::send_once(&operation, request).await?;
    http::read_json(&operation, response).await
}

/// Has a card's front matter checked; gives the warnings. Errors refuse the card.
pub async fn validate_card(
    client: &Client,
    kind: RepositoryKind,
    content: &str,
) -> Result<Vec<String>, Error> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Verdict {
        errors: Vec<Remark>,
        warnings: Vec<Remark>,
    }
    #[derive(Deserialize)]
    struct Remark {
        message: String,
    }
    let operation = "check the card";
    let body = json!({ "content": content, "repoType": kind });
    let response =
        http::send_safe(operation, client.request(Method::POST, "/api/validate-yaml").json(&body)).await;
    let verdict: Verdict = match response {
        Ok(response) => http::read_json(operation, response).await?,
        Err(Error::Refused { refusal, .. }) if refusal.status == 400 => {
            return Err(Error::Card(refusal.detail));
        }
        Err(error) => return Err(error),
    };
    let text = |remarks: Vec<Remark>| remarks.into_iter().map(|remark| remark.message).collect::<Vec<_>>();
    match verdict.errors.is_empty() {
        true => Ok(text(verdict.warnings)),
        false => Err(Error::Card(text(verdict.errors).join("; "))),
    }
}
