//! Webhooks of a repository. The addresses are the same below `/api/v1/models` and `/api/v1/datasets`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use spec::api::webhooks::{CreatedWebhook, Delivery, NewWebhook, Webhook};
use spec::api::{Page, Problem};
use spec::name::{RepositoryKind, RepositoryName};

use super::{Api, PageQuery, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::identity::Asker;
use crate::error::Error;
use crate::ops::webhooks;

/// The address of a webhook, or of something that was sent to it.
#[derive(Debug, Deserialize)]
pub struct Place {
    owner: String,
    name: String,
    #[serde(default)]
    webhook: String,
    #[serde(default)]
    delivery: String,
}

impl Place {
    fn repository(&self) -> Result<RepositoryName, Error> {
        Ok(RepositoryName::new(&self.owner, &self.name)?)
    }

    fn webhook(&self) -> Result<i64, Error> {
        number("webhook", &self.webhook)
    }
}

/// The webhooks of a repository, for those who administer it. Data sets have the same addresses.
#[utoipa::path(get, path = "/api/v1/models/{owner}/{name}/webhooks", tag = "webhooks",
    params(("owner" = String, Path), ("name" = String, Path), PageQuery),
    responses((status = 200, body = Page<Webhook>), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Webhook>>, Api> {
    let (of, which) = ((kind, &place.repository()?), (page.after.as_deref(), page.limit()));
    Ok(Json(webhooks::list(&app, &asker.actor, of, which).await?))
}

/// Makes a webhook. The key that signs what is sent is in the answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/models/{owner}/{name}/webhooks", tag = "webhooks", request_body = NewWebhook,
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 201, body = CreatedWebhook), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<(StatusCode, Json<CreatedWebhook>), Api> {
    let of = (kind, &place.repository()?);
    let created = webhooks::create(&app, &asker.actor, of, &read(&body)?).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// One webhook.
#[utoipa::path(get, path = "/api/v1/models/{owner}/{name}/webhooks/{webhook}", tag = "webhooks",
    params(("owner" = String, Path), ("name" = String, Path), ("webhook" = i64, Path, description = "The webhook's id")),
    responses((status = 200, body = Webhook), (status = 404, body = Problem)))]
pub async fn get(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
) -> Answer<Json<Webhook>, Api> {
    let of = (kind, &place.repository()?);
    Ok(Json(webhooks::get(&app, &asker.actor, of, place.webhook()?).await?))
}

/// Changes where a webhook is and what it is told, and enables it again.
#[utoipa::path(put, path = "/api/v1/models/{owner}/{name}/webhooks/{webhook}", tag = "webhooks", request_body = NewWebhook,
    params(("owner" = String, Path), ("name" = String, Path), ("webhook" = i64, Path)),
    responses((status = 200, body = Webhook), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn change(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<Json<Webhook>, Api> {
    let (of, new) = ((kind, &place.repository()?), read(&body)?);
    Ok(Json(webhooks::change(&app, &asker.actor, of, (place.webhook()?, &new)).await?))
}

/// Takes a webhook away.
#[utoipa::path(delete, path = "/api/v1/models/{owner}/{name}/webhooks/{webhook}", tag = "webhooks",
    params(("owner" = String, Path), ("name" = String, Path), ("webhook" = i64, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
) -> Answer<StatusCode, Api> {
    let of = (kind, &place.repository()?);
    webhooks::delete(&app, &asker.actor, of, place.webhook()?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sends a webhook something that says only that it works.
#[utoipa::path(post, path = "/api/v1/models/{owner}/{name}/webhooks/{webhook}/test", tag = "webhooks",
    params(("owner" = String, Path), ("name" = String, Path), ("webhook" = i64, Path)),
    responses((status = 202, body = Delivery), (status = 404, body = Problem)))]
pub async fn test(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
) -> Answer<(StatusCode, Json<Delivery>), Api> {
    let of = (kind, &place.repository()?);
    let sent = webhooks::test(&app, &asker.actor, of, place.webhook()?).await?;
    Ok((StatusCode::ACCEPTED, Json(sent)))
}

/// What was sent to a webhook in the last seven days, newest first.
#[utoipa::path(get, path = "/api/v1/models/{owner}/{name}/webhooks/{webhook}/deliveries", tag = "webhooks",
    params(("owner" = String, Path), ("name" = String, Path), ("webhook" = i64, Path), PageQuery),
    responses((status = 200, body = Page<Delivery>), (status = 404, body = Problem)))]
pub async fn deliveries(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Delivery>>, Api> {
    let (of, which) = ((kind, &place.repository()?), (page.after.as_deref(), page.limit()));
    Ok(Json(webhooks::deliveries(&app, &asker.actor, of, place.webhook()?, which).await?))
}

/// Sends something again.
#[utoipa::path(post, path = "/api/v1/models/{owner}/{name}/webhooks/{webhook}/deliveries/{delivery}/redeliver",
    tag = "webhooks",
    params(("owner" = String, Path), ("name" = String, Path), ("webhook" = i64, Path), ("delivery" = i64, Path)),
    responses((status = 202, body = Delivery), (status = 404, body = Problem)))]
pub async fn redeliver(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
) -> Answer<(StatusCode, Json<Delivery>), Api> {
    let of = (kind, &place.repository()?);
    let which = (place.webhook()?, number("delivery", &place.delivery)?);
    let sent = webhooks::redeliver(&app, &asker.actor, of, which).await?;
    Ok((StatusCode::ACCEPTED, Json(sent)))
}

fn number(what: &'static str, text: &str) -> Result<i64, Error> {
    text.parse().map_err(|_| Error::NotFound { what, name: text.to_owned() })
}
