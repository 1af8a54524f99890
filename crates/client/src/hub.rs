//! The Hub protocol, as far as pushing and pulling need it: accounts, repositories, trees, commits.
//!
//! Knows addresses and JSON of the protocol, nothing of folders or retries of a whole push. The forms are
//! those that `huggingface_hub` sends, so that this client works against any server that serves that one.

pub mod commits;
pub mod repositories;
pub mod trees;

use serde::Deserialize;
use spec::name::{RepositoryKind, RepositoryName};

use crate::error::Error;
use crate::http::{self, Client};

/// Whom the token acts for.
#[derive(Debug, Clone, Deserialize)]
pub struct Whoami {
    pub name: String,
}

/// Asks whom the token acts for. An unknown token is refused with status 401.
pub async fn whoami(client: &Client) -> Result<Whoami, Error> {
    let operation = "sign in";
    let response = http::send_safe(operation, client.request(reqwest::Method::GET, "/api/whoami-v2")).await?;
    http::read_json(operation, response).await
}

/// `/api/models/owner/name` or `/api/datasets/owner/name`.
pub(crate) fn api_path(kind: RepositoryKind, repository: &RepositoryName) -> String {
    format!("/api/{kind}s/{repository}")
}
