//! Invitations to the server, and taking one.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use spec::api::{AcceptInvitation, CreatedInvitation, Invitation, Page, Problem};

use super::{Api, PageQuery, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::address::Base;
use crate::doors::identity::Asker;
use crate::error::Error;
use crate::ops::invitations;
use crate::secrets::Secret;

/// Invitations to the server that nobody has taken yet, for admins.
#[utoipa::path(get, path = "/api/v1/invitations", tag = "accounts", params(PageQuery),
    responses((status = 200, body = Page<Invitation>), (status = 403, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Invitation>>, Api> {
    let (after, limit) = (page.after.as_deref(), page.limit());
    Ok(Json(invitations::list(&app, &asker.actor, None, after, limit).await?))
}

/// Invites somebody to make an account, for admins. The address in the answer works once, and is told nowhere else.
#[utoipa::path(post, path = "/api/v1/invitations", tag = "accounts", request_body = spec::api::NewInvitation,
    responses((status = 201, body = CreatedInvitation), (status = 403, body = Problem)))]
pub async fn create(
    State(app): State<Arc<App>>,
    base: Base,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<(StatusCode, Json<CreatedInvitation>), Api> {
    let (made, secret) = invitations::create(&app, &asker.actor, None, &read(&body)?).await?;
    let url = base.invitation(secret.expose());
    Ok((StatusCode::CREATED, Json(CreatedInvitation { url, ..made })))
}

/// Takes an invitation back, for admins.
#[utoipa::path(delete, path = "/api/v1/invitations/{id}", tag = "accounts", params(("id" = i64, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    asker: Asker<Api>,
) -> Answer<StatusCode, Api> {
    let number = id.parse().map_err(|_| Error::NotFound { what: "invitation", name: id })?;
    invitations::delete(&app, &asker.actor, None, number).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes an invitation to an organisation, with the account that asks.
#[utoipa::path(post, path = "/api/v1/invitations/accept", tag = "accounts", request_body = AcceptInvitation,
    responses((status = 200, body = Invitation), (status = 410, body = Problem)))]
pub async fn accept(
    State(app): State<Arc<App>>,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<Json<Invitation>, Api> {
    let taken: AcceptInvitation = read(&body)?;
    Ok(Json(invitations::accept(&app, &asker.actor, &Secret::new(taken.secret)).await?))
}
