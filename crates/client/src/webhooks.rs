//! Our own API of webhooks.
//!
//! Knows addresses; the types are `spec::api`'s, which the server writes.

use reqwest::Method;
use spec::api::webhooks::{CreatedWebhook, Delivery, NewWebhook, Webhook};
use spec::name::{RepositoryKind, RepositoryName};

use crate::error::Error;
use crate::http::{self, Client};
use crate::sharing;

/// A repository, and what is meant of it.
pub type Of<'a> = (RepositoryKind, &'a RepositoryName);

/// Makes a webhook.
pub async fn create(client: &Client, of: Of<'_>, new: &NewWebhook) -> Result<CreatedWebhook, Error> {
    sharing::post(client, &format!("make a webhook of `{}`", of.1), &path(of), new).await
}

/// The webhooks of a repository.
pub async fn list(client: &Client, of: Of<'_>) -> Result<Vec<Webhook>, Error> {
    sharing::all(client, &format!("list the webhooks of `{}`", of.1), &path(of)).await
}

/// Takes a webhook away.
pub async fn delete(client: &Client, of: Of<'_>, id: i64) -> Result<(), Error> {
    let operation = format!("delete webhook {id} of `{}`", of.1);
    let request = client.request(Method::DELETE, &format!("{}/{id}", path(of)));
    http::send_safe(&operation, request).await.map(drop)
}

/// Has a webhook sent something that says only that it works.
pub async fn test(client: &Client, of: Of<'_>, id: i64) -> Result<Delivery, Error> {
    let operation = format!("test webhook {id} of `{}`", of.1);
    sharing::post(client, &operation, &format!("{}/{id}/test", path(of)), &()).await
}

/// What was sent to a webhook, newest first.
pub async fn deliveries(client: &Client, of: Of<'_>, id: i64) -> Result<Vec<Delivery>, Error> {
    let operation = format!("list what was sent to webhook {id} of `{}`", of.1);
    sharing::all(client, &operation, &format!("{}/{id}/deliveries", path(of))).await
}

fn path((kind, repository): Of<'_>) -> String {
    format!("/api/v1/{kind}s/{repository}/webhooks")
}
