//! Our own API under `/api/v1/`: repositories with their facts, endpoints, predictions.
//!
//! Knows addresses; the types are `spec::api`'s, which the server writes.

use reqwest::{Method, StatusCode};
use serde_json::Value;
use spec::api::{Deploy, Endpoint, Logs, Me, Page, Repository};
use spec::name::{RepositoryKind, RepositoryName};

use crate::error::Error;
use crate::http::{self, Client};

/// Whom the token acts for.
pub async fn me(client: &Client) -> Result<Me, Error> {
    let operation = "sign in";
    let response = http::send_safe(operation, client.request(Method::GET, "/api/v1/me")).await?;
    http::read_json(operation, response).await
}

/// A repository at a revision, or at `main` where none is named.
pub async fn repository(
    client: &Client,
    kind: RepositoryKind,
    repository: &RepositoryName,
    revision: Option<&str>,
) -> Result<Repository, Error> {
    let operation = format!("look up `{repository}`");
    let request = client.request(Method::GET, &format!("/api/v1/{kind}s/{repository}"));
    let request = match revision {
        Some(revision) => request.query(&[("revision", revision)]),
        None => request,
    };
    let response = http::send_safe(&operation, request).await?;
    http::read_json(&operation, response).await
}

/// Puts a repository live, or moves its endpoint to another revision. The answer is the accepted endpoint,
/// most often not ready yet.
pub async fn deploy(client: &Client, deploy: &Deploy) -> Result<Endpoint, Error> {
    let operation = format!("deploy `{}`", deploy.repository);
    let request = client.request(Method::POST, "/api/v1/endpoints").json(deploy);
    let response = http::send_safe(&operation, request).await?;
    http::read_json(&operation, response).await
}

/// The endpoints that the caller may see, all pages.
pub async fn endpoints(client: &Client) -> Result<Vec<Endpoint>, Error> {
    let operation = "list the endpoints";
    let mut endpoints = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let request = client.request(Method::GET, "/api/v1/endpoints");
        let request = match &after {
            Some(after) => request.query(&[("after", after)]),
            None => request,
        };
        let response = http::send_safe(operation, request).await?;
        let page: Page<Endpoint> = http::read_json(operation, response).await?;
        endpoints.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(endpoints),
        }
    }
}

/// One endpoint.
pub async fn endpoint(client: &Client, repository: &RepositoryName) -> Result<Endpoint, Error> {
    let operation = format!("look up the endpoint of `{repository}`");
    let response = http::send_safe(&operation, client.request(Method::GET, &address(repository))).await?;
    http::read_json(&operation, response).await
}

/// Stops an endpoint.
pub async fn stop(client: &Client, repository: &RepositoryName) -> Result<(), Error> {
    let operation = format!("stop the endpoint of `{repository}`");
    http::send_safe(&operation, client.request(Method::DELETE, &address(repository))).await.map(drop)
}

/// The last lines of an endpoint's log, oldest first.
pub async fn logs(client: &Client, repository: &RepositoryName) -> Result<Vec<String>, Error> {
    let operation = format!("read the log of `{repository}`");
    let path = format!("{}/logs", address(repository));
    let response = http::send_safe(&operation, client.request(Method::GET, &path)).await?;
    http::read_json::<Logs>(&operation, response).await.map(|logs| logs.lines)
}

/// Asks an endpoint, by MLflow's scoring protocol: `rows` has one of its keys (`dataframe_split`,
/// `dataframe_records`, `instances`, `inputs`).
pub async fn predict(client: &Client, repository: &RepositoryName, rows: &Value) -> Result<Value, Error> {
    let operation = format!("ask `{repository}`");
    let request = client.request(Method::POST, &format!("/endpoints/{repository}/invocations"));
    let response = http::send_when_asked(&operation, request.json(rows)).await?;
    http::read_json(&operation, response).await
}

/// The status of a page, without redirects or repetition being errors.
pub async fn page_status(client: &Client, path: &str) -> Result<StatusCode, Error> {
    let operation = format!("open `{path}`");
    match client.request(Method::GET, path).send().await {
        Ok(response) => Ok(response.status()),
        Err(source) => Err(http::connection(&operation, source)),
    }
}

fn address(repository: &RepositoryName) -> String {
    format!("/api/v1/endpoints/{repository}")
}
