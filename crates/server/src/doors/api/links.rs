//! Links to models, for those who make them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use spec::api::{CreatedLink, Link, LinkChange, NewLink, Page, Problem};
use spec::name::RepositoryName;

use super::{Api, PageQuery, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::address::Base;
use crate::doors::identity::Asker;
use crate::error::Error;
use crate::ops::links;

/// The links to a model, newest first.
#[utoipa::path(get, path = "/api/v1/models/{owner}/{name}/links", tag = "sharing",
    params(("owner" = String, Path), ("name" = String, Path), PageQuery),
    responses((status = 200, body = Page<Link>), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Path((owner, name)): Path<(String, String)>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Link>>, Api> {
    let name = RepositoryName::new(&owner, &name)?;
    Ok(Json(links::list(&app, &asker.actor, &name, page.after.as_deref(), page.limit()).await?))
}

/// Makes a link to the revision that is named, for good. Its address is in the answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/models/{owner}/{name}/links", tag = "sharing", request_body = NewLink,
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "What a dry run found", body = CreatedLink), (status = 201, body = CreatedLink),
        (status = 403, body = Problem), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Path((owner, name)): Path<(String, String)>,
    base: Base,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<(StatusCode, Json<CreatedLink>), Api> {
    let name = RepositoryName::new(&owner, &name)?;
    let (made, secret) = links::create(&app, &asker.actor, &name, &read::<NewLink>(&body)?).await?;
    let Some(secret) = secret else { return Ok((StatusCode::OK, Json(made))) };
    let url = Some(base.link(secret.expose()));
    Ok((StatusCode::CREATED, Json(CreatedLink { url, ..made })))
}

/// The links that whoever asks has made, newest first.
#[utoipa::path(get, path = "/api/v1/links", tag = "sharing", params(PageQuery),
    responses((status = 200, body = Page<Link>), (status = 401, body = Problem)))]
pub async fn mine(
    State(app): State<Arc<App>>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Link>>, Api> {
    Ok(Json(links::mine(&app, &asker.actor, page.after.as_deref(), page.limit()).await?))
}

/// One link.
#[utoipa::path(get, path = "/api/v1/links/{id}", tag = "sharing", params(("id" = i64, Path)),
    responses((status = 200, body = Link), (status = 404, body = Problem)))]
pub async fn get(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    asker: Asker<Api>,
) -> Answer<Json<Link>, Api> {
    Ok(Json(links::get(&app, &asker.actor, number(&id)?).await?))
}

/// Lets a link live longer or be asked more often. Its address stays.
#[utoipa::path(put, path = "/api/v1/links/{id}", tag = "sharing", request_body = LinkChange,
    params(("id" = i64, Path)),
    responses((status = 200, body = Link), (status = 404, body = Problem), (status = 410, body = Problem)))]
pub async fn change(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<Json<Link>, Api> {
    Ok(Json(links::change(&app, &asker.actor, number(&id)?, &read(&body)?).await?))
}

/// Ends a link for good.
#[utoipa::path(delete, path = "/api/v1/links/{id}", tag = "sharing", params(("id" = i64, Path)),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    asker: Asker<Api>,
) -> Answer<StatusCode, Api> {
    links::revoke(&app, &asker.actor, number(&id)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A signed statement of what a link leads to, which stands for good.
#[utoipa::path(get, path = "/api/v1/links/{id}/proof", tag = "receipts", params(("id" = i64, Path)),
    responses((status = 200, body = String, content_type = "application/json"), (status = 404, body = Problem)))]
pub async fn proof(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    asker: Asker<Api>,
) -> Answer<Response, Api> {
    Ok(crate::doors::statement("proof.json", links::prove(&app, &asker.actor, number(&id)?).await?))
}

fn number(id: &str) -> Result<i64, Error> {
    id.parse().map_err(|_| Error::NotFound { what: "link", name: id.to_owned() })
}
