//! Our own API under `/api/v1/`: repositories with their facts, endpoints, predictions.
//!
//! Knows addresses; the types are `spec::api`'s, which the server writes.

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use spec::api::{Deploy, Endpoint, Logs, Me, Page, Repository};
use spec::name::{RepositoryKind, RepositoryName};

use crate::error::{Error, Refusal};
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

/// Asks an endpoint for its answer piece by piece, by the generate extension of the Open Inference Protocol: `inputs`
/// names the model's inputs. Each piece is handed on as it comes.
pub async fn stream<E: From<Error>>(
    client: &Client,
    repository: &RepositoryName,
    inputs: &Value,
    mut on_piece: impl FnMut(&str) -> Result<(), E>,
) -> Result<(), E> {
    let operation = format!("ask `{repository}`");
    let name = repository.name();
    let path = format!("/endpoints/{repository}/v2/models/{name}/generate_stream");
    let request = client.request(Method::POST, &path).json(inputs);
    let response = http::send_when_asked(&operation, request).await?;
    let mut chunks = response.bytes_stream();
    let mut read = Vec::new();
    while let Some(chunk) = chunks.next().await {
        read.extend_from_slice(&chunk.map_err(|source| http::connection(&operation, source))?);
        // A piece of UTF-8 never holds the byte that ends a line.
        while let Some(end) = read.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = read.drain(..=end).collect();
            if let Some(piece) = piece(&operation, &line)? {
                on_piece(&piece)?;
            }
        }
    }
    Ok(())
}

/// The text in a line of an event stream; none in a line that has no data.
fn piece(operation: &str, line: &[u8]) -> Result<Option<String>, Error> {
    let Some(data) = line.strip_prefix(b"data:") else { return Ok(None) };
    let event: Value = serde_json::from_slice(data)
        .map_err(|source| Error::Answer { operation: operation.to_owned(), source })?;
    let text = |key: &str| event.get(key).and_then(Value::as_str).map(str::to_owned);
    let Some(detail) = text("error") else { return Ok(text("text_output")) };
    let (detail, hint) = detail.split_once("; hint: ").unwrap_or((&detail, ""));
    let (detail, hint) = (detail.to_owned(), hint.to_owned());
    let refusal = Refusal { status: 500, code: text("code").unwrap_or_default(), detail, hint };
    Err(Error::Refused { operation: operation.to_owned(), refusal })
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
