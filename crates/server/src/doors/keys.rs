//! The server's public keys, at an address that anybody finds.
//!
//! Invariant: nothing secret is ever part of the answer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use spec::dsse::Keys;

use super::Answer;
use super::api::Api;
use crate::app::App;
use crate::ops::keys;

/// The keys that receipts and proofs are signed with, as a JSON Web Key Set.
#[utoipa::path(get, path = "/.well-known/reenact-keys.json", tag = "receipts",
    responses((status = 200, body = Keys)))]
pub async fn list(State(app): State<Arc<App>>) -> Answer<Json<Keys>, Api> {
    Ok(Json(keys::public(&app).await?))
}
