//! Who asks: the account that a token or session acts for, what is kept about it, and its end.
//!
//! Translates only; it knows no rule.

use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use spec::api::{Me, Problem, Profile};

use super::{Api, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::identity::Asker;
use crate::ops::accounts;

/// Whom the token acts for.
#[utoipa::path(get, path = "/api/v1/me", tag = "accounts",
    responses((status = 200, body = Me), (status = 401, body = Problem)))]
pub async fn me(State(app): State<Arc<App>>, asker: Asker<Api>) -> Answer<Json<Me>, Api> {
    Ok(Json(accounts::me(&app, &asker.actor).await?))
}

/// Sets one's name and e-mail address.
#[utoipa::path(put, path = "/api/v1/me", tag = "accounts", request_body = Profile,
    responses((status = 200, body = Me), (status = 400, body = Problem), (status = 401, body = Problem)))]
pub async fn change(State(app): State<Arc<App>>, asker: Asker<Api>, body: Bytes) -> Answer<Json<Me>, Api> {
    Ok(Json(accounts::set_profile(&app, &asker.actor, &read::<Profile>(&body)?).await?))
}

/// Ends one's account, for good. Only a signed-in session may; a token may not.
#[utoipa::path(delete, path = "/api/v1/me", tag = "accounts", request_body = spec::api::Leave,
    responses((status = 204), (status = 401, body = Problem), (status = 403, body = Problem), (status = 409, body = Problem)))]
pub async fn leave(State(app): State<Arc<App>>, asker: Asker<Api>, body: Bytes) -> Answer<StatusCode, Api> {
    accounts::leave(&app, &asker.actor, &read(&body)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// All that is kept about one's account: JSON, one object on each line. Only a signed-in session may ask.
#[utoipa::path(get, path = "/api/v1/me/export", tag = "accounts",
    responses((status = 200, content_type = "application/x-ndjson"), (status = 403, body = Problem)))]
pub async fn export(State(app): State<Arc<App>>, asker: Asker<Api>) -> Answer<Response, Api> {
    let lines = accounts::export(app, &asker.actor)?;
    let headers = [
        (CONTENT_TYPE, "application/x-ndjson"),
        (CONTENT_DISPOSITION, "attachment; filename=\"reenact-account.jsonl\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}
