//! Receipts: asking with one, and the keys by which they are checked.
//!
//! Knows addresses, not what a receipt says. Invariant: a link is asked without a token, since it is its own key.

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use spec::dsse::Keys;
use spec::name::RepositoryName;
use url::Url;

use crate::credentials::Server;
use crate::error::Error;
use crate::http::{self, Client};

/// The server's public keys.
pub async fn keys(client: &Client) -> Result<Keys, Error> {
    let operation = "look up the server's keys";
    let request = client.request(Method::GET, "/.well-known/reenact-keys.json");
    http::read_json(operation, http::send_safe(operation, request).await?).await
}

/// Asks an endpoint as [`crate::api::predict`] does, and gives its answer and the receipt for it.
pub async fn predict(
    client: &Client,
    repository: &RepositoryName,
    rows: &Value,
) -> Result<(Value, String), Error> {
    let request = client.request(Method::POST, &format!("/endpoints/{repository}/invocations"));
    ask(&format!("ask `{repository}`"), request, rows).await
}

/// The same of what a link leads to.
pub async fn predict_by_link(link: &str, rows: &Value) -> Result<(Value, String), Error> {
    let bad = |source| Error::Url { value: link.chars().take(40).collect(), source };
    let url: Url = link.parse().map_err(|error| bad(Some(error)))?;
    let path = format!("{}/invocations", url.path().trim_end_matches('/'));
    let base: Url = url.join("/").map_err(|error| bad(Some(error)))?;
    let client = Client::new(&Server { url: base, token: None })?;
    ask("ask the link", client.request(Method::POST, &path), rows).await
}

async fn ask(operation: &str, request: RequestBuilder, rows: &Value) -> Result<(Value, String), Error> {
    let request = request.header("x-reenact-receipt", "1").json(rows);
    let response = http::send_when_asked(operation, request).await?;
    let answer: Value = http::read_json(operation, response).await?;
    let receipt = answer.get("receipt").and_then(Value::as_str).map(str::to_owned);
    let missing = || Error::Incomplete { operation: operation.to_owned(), missing: "receipt" };
    Ok((answer, receipt.ok_or_else(missing)?))
}
