//! Our own API of web apps beside models.
//!
//! Knows addresses; the types are `spec::api`'s, which the server writes.

use reqwest::Method;
use spec::api::{App, Logs, StartApp};
use spec::name::RepositoryName;

use crate::error::Error;
use crate::http::{self, Client};

/// Starts the app of a model, or moves it to another revision. The answer is most often not ready yet.
pub async fn start(client: &Client, model: &RepositoryName, wanted: &StartApp) -> Result<App, Error> {
    let operation = format!("start the app of `{model}`");
    let request = client.request(Method::PUT, &path(model)).json(wanted);
    http::read_json(&operation, http::send_safe(&operation, request).await?).await
}

/// The app of a model.
pub async fn get(client: &Client, model: &RepositoryName) -> Result<App, Error> {
    let operation = format!("look up the app of `{model}`");
    let response = http::send_safe(&operation, client.request(Method::GET, &path(model))).await?;
    http::read_json(&operation, response).await
}

/// Stops the app of a model.
pub async fn stop(client: &Client, model: &RepositoryName) -> Result<(), Error> {
    let operation = format!("stop the app of `{model}`");
    http::send_safe(&operation, client.request(Method::DELETE, &path(model))).await.map(drop)
}

/// The last lines of its log, oldest first.
pub async fn logs(client: &Client, model: &RepositoryName) -> Result<Vec<String>, Error> {
    let operation = format!("read the log of the app of `{model}`");
    let request = client.request(Method::GET, &format!("{}/logs", path(model)));
    let response = http::send_safe(&operation, request).await?;
    http::read_json::<Logs>(&operation, response).await.map(|logs| logs.lines)
}

fn path(model: &RepositoryName) -> String {
    format!("/api/v1/apps/{model}")
}
