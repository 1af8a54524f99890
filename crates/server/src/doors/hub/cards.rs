//! Cards: the check that clients ask for before they commit one.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::Sent;
use crate::ops::cards;

#[derive(Deserialize)]
pub struct Card {
    #[serde(default)]
    content: String,
}

/// `POST /api/validate-yaml`
pub async fn validate_yaml(Sent(card): Sent<Card>) -> Response {
    let verdict = cards::validate(&card.content);
    let remarks = |texts: &[String]| texts.iter().map(|text| json!({ "message": text })).collect::<Vec<_>>();
    let body = json!({ "errors": remarks(&verdict.errors), "warnings": remarks(&verdict.warnings) });
    let status = if verdict.errors.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    (status, Json(body)).into_response()
}
