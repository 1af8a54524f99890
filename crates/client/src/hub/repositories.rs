//! Repositories by the Hub protocol: make one, look at one.
//!
//! Knows nothing of their files.

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use spec::digest::Oid;
use spec::name::{RepositoryKind, RepositoryName};

use crate::error::Error;
use crate::http::{self, Client};
use crate::hub::api_path;

/// Who sees a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visibility {
    Private,
    Public,
}

impl Visibility {
    fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
        }
    }
}

/// What the server says of a repository at a revision.
#[derive(Debug, Clone, Deserialize)]
pub struct Info {
    /// The commit; none in a repository without any.
    pub sha: Option<Oid>,
    #[serde(default)]
    pub private: bool,
}

/// A repository that was asked to be made.
#[derive(Debug)]
pub struct Created {
    /// Address of its page.
    pub url: String,
    /// False where it was there before.
    pub is_new: bool,
}

/// Makes a repository; one that exists already is left as it is.
pub async fn create(
    client: &Client,
    kind: RepositoryKind,
    repository: &RepositoryName,
    visibility: Visibility,
) -> Result<Created, Error> {
    let operation = format!("create `{repository}`");
    let body = json!({
        "name": repository.name(),
        "organization": repository.owner(),
        "type": kind,
        "visibility": visibility.as_str(),
    });
    let page = format!("{}/{}{repository}", client.base(), kind.web_prefix());
    let request = client.request(Method::POST, "/api/repos/create").json(&body);
    match http::send_safe(&operation, request).await {
        Ok(response) => {
            let created: Address = http::read_json(&operation, response).await?;
            Ok(Created { url: created.url.unwrap_or(page), is_new: true })
        }
        Err(error) if error.status() == Some(409) => Ok(Created { url: page, is_new: false }),
        Err(error) => Err(error),
    }
}

/// Looks at a repository at a branch, a tag or a commit.
pub async fn info(
    client: &Client,
    kind: RepositoryKind,
    repository: &RepositoryName,
    revision: &str,
) -> Result<Info, Error> {
    let operation = format!("look up `{repository}`");
    let path = format!("{}/revision/{}", api_path(kind, repository), http::segment(revision));
    let response = http::send_safe(&operation, client.request(Method::GET, &path)).await?;
    http::read_json(&operation, response).await
}

/// Opens or closes a repository.
pub async fn set_visibility(
    client: &Client,
    kind: RepositoryKind,
    repository: &RepositoryName,
    visibility: Visibility,
) -> Result<(), Error> {
    let operation = format!("make `{repository}` {}", visibility.as_str());
    let request = client.request(Method::PUT, &format!("{}/settings", api_path(kind, repository)));
    let body = json!({ "visibility": visibility.as_str() });
    http::send_safe(&operation, request.json(&body)).await.map(drop)
}

#[derive(Deserialize)]
struct Address {
    url: Option<String>,
}
