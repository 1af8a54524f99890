//! Health and metrics, for whoever watches over the server.
//!
//! Tells numbers only, nothing of whom they belong to. Invariant: `/healthz` is 200 only when the store answers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::app::App;
use crate::ops;

/// Whether the server can do its work.
pub async fn healthz(State(app): State<Arc<App>>) -> impl IntoResponse {
    match ops::health::check(&app).await {
        Ok(_) => (StatusCode::OK, "ok\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n"),
    }
}

/// What the server has done since it started, as OpenMetrics text.
pub async fn metrics(State(app): State<Arc<App>>) -> impl IntoResponse {
    let text = app.gateway.metrics();
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text)
}
