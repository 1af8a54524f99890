//! Our own API under `/api/v1/`: repositories with their facts, endpoints, predictions.
//!
//! Knows addresses; the types are `spec::api`'s, which the server writes.

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use spec::api::{
    Deploy, Endpoint, EndpointChange, EndpointMetrics, Logs, Me, NewTargets, Page, RecordedRequest,
    Repository,
};
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

/// Hands over the lines of an endpoint's log, then those that are written from now on, until the server ends it.
pub async fn follow_logs<E>(
    client: &Client,
    repository: &RepositoryName,
    mut each: impl FnMut(&str) -> Result<(), E>,
) -> Result<Result<(), E>, Error> {
    let operation = format!("follow the log of `{repository}`");
    let path = format!("{}/logs", address(repository));
    let request = client.request(Method::GET, &path).query(&[("follow", "1")]);
    let mut response = http::send_safe(&operation, request).await?;
    let mut pending = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|source| http::connection(&operation, source))? {
        pending.extend_from_slice(&chunk);
        while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = pending.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            // Everything else of a stream of events is what separates them, or says that it is still there.
            if let Some(text) = line.trim_end_matches(['\r', '\n']).strip_prefix("data:")
                && let Err(error) = each(text.strip_prefix(' ').unwrap_or(text))
            {
                return Ok(Err(error));
            }
        }
    }
    Ok(Ok(()))
}

/// Changes what an endpoint may take.
pub async fn set_endpoint(
    client: &Client,
    repository: &RepositoryName,
    change: &EndpointChange,
) -> Result<Endpoint, Error> {
    let operation = format!("change the endpoint of `{repository}`");
    let request = client.request(Method::PATCH, &address(repository)).json(change);
    http::read_json(&operation, http::send_safe(&operation, request).await?).await
}

/// Deals an endpoint's requests out anew.
pub async fn set_targets(
    client: &Client,
    repository: &RepositoryName,
    targets: &NewTargets,
) -> Result<Endpoint, Error> {
    let operation = format!("change the targets of `{repository}`");
    let path = format!("{}/targets", address(repository));
    let request = client.request(Method::PUT, &path).json(targets);
    http::read_json(&operation, http::send_safe(&operation, request).await?).await
}

/// Gives all requests to what was deployed last.
pub async fn promote(client: &Client, repository: &RepositoryName) -> Result<Endpoint, Error> {
    let operation = format!("promote the canary of `{repository}`");
    let request = client.request(Method::POST, &format!("{}/promote", address(repository)));
    http::read_json(&operation, http::send_once(&operation, request).await?).await
}

/// Goes back to the targets before the last change.
pub async fn roll_back(client: &Client, repository: &RepositoryName) -> Result<Endpoint, Error> {
    let operation = format!("roll the endpoint of `{repository}` back");
    let request = client.request(Method::POST, &format!("{}/rollback", address(repository)));
    http::read_json(&operation, http::send_once(&operation, request).await?).await
}

/// What was counted of an endpoint.
pub async fn endpoint_metrics(
    client: &Client,
    repository: &RepositoryName,
) -> Result<EndpointMetrics, Error> {
    let operation = format!("read what was counted of `{repository}`");
    let request = client.request(Method::GET, &format!("{}/metrics", address(repository)));
    http::read_json(&operation, http::send_safe(&operation, request).await?).await
}

/// The newest recorded requests of an endpoint.
pub async fn recorded_requests(
    client: &Client,
    repository: &RepositoryName,
    limit: usize,
) -> Result<Vec<RecordedRequest>, Error> {
    let operation = format!("read the recorded requests of `{repository}`");
    let request = client.request(Method::GET, &format!("{}/requests", address(repository)));
    let response = http::send_safe(&operation, request.query(&[("limit", limit)])).await?;
    http::read_json::<Page<RecordedRequest>>(&operation, response).await.map(|page| page.items)
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
