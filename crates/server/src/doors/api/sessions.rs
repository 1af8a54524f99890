//! The browsers in which whoever asks is signed in.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use spec::api::{Page, Problem, Session};

use super::Api;
use crate::app::App;
use crate::doors::Answer;
use crate::doors::identity::Asker;
use crate::ops::sessions;

/// The sessions of whoever asks, newest first; at most 200.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "accounts",
    responses((status = 200, body = Page<Session>), (status = 401, body = Problem)))]
pub async fn list(State(app): State<Arc<App>>, asker: Asker<Api>) -> Answer<Json<Page<Session>>, Api> {
    Ok(Json(sessions::list(&app, &asker.actor).await?))
}

/// Ends all sessions but the one that asks.
#[utoipa::path(delete, path = "/api/v1/sessions", tag = "accounts",
    responses((status = 204), (status = 401, body = Problem)))]
pub async fn revoke_others(State(app): State<Arc<App>>, asker: Asker<Api>) -> Answer<StatusCode, Api> {
    sessions::revoke_others(&app, &asker.actor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends one session.
#[utoipa::path(delete, path = "/api/v1/sessions/{session}", tag = "accounts",
    params(("session" = String, Path, description = "The session's id")),
    responses((status = 204), (status = 404, body = Problem)))]
pub async fn revoke(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    asker: Asker<Api>,
) -> Answer<StatusCode, Api> {
    sessions::revoke(&app, &asker.actor, &session).await?;
    Ok(StatusCode::NO_CONTENT)
}
