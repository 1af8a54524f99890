//! Tokens of whoever is signed in.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use spec::api::{CreatedToken, NewToken, Page, Problem, Token};

use super::{Api, PageQuery, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::identity::Asker;
use crate::error::Error;
use crate::ops::tokens;

/// The tokens of whoever asks.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(PageQuery),
    responses((status = 200, body = Page<Token>), (status = 401, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Token>>, Api> {
    Ok(Json(tokens::list(&app, &asker.actor, page.after.as_deref(), page.limit()).await?))
}

/// Makes a token. Its secret is in the answer and nowhere else. Only a signed-in session may; a token may not.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = NewToken,
    responses((status = 201, body = CreatedToken), (status = 403, body = Problem)))]
pub async fn create(
    State(app): State<Arc<App>>,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<(StatusCode, Json<CreatedToken>), Api> {
    let created = tokens::create(&app, &asker.actor, &read(&body)?).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Takes a token back.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = i64, Path, description = "The token's id")),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    asker: Asker<Api>,
) -> Answer<StatusCode, Api> {
    let number = id.parse().map_err(|_| Error::NotFound { what: "token", name: id });
    tokens::revoke(&app, &asker.actor, number?).await?;
    Ok(StatusCode::NO_CONTENT)
}
