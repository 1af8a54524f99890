//! Who asks: the account that a token or session acts for.
//!
//! Translates only; it knows no rule.

use axum::Json;
use spec::api::{Me, Problem};

use super::Api;
use crate::doors::Answer;
use crate::doors::identity::Asker;
use crate::ops::accounts;

/// Whom the token acts for.
#[utoipa::path(get, path = "/api/v1/me", tag = "accounts",
    responses((status = 200, body = Me), (status = 401, body = Problem)))]
pub async fn me(asker: Asker<Api>) -> Answer<Json<Me>, Api> {
    Ok(Json(accounts::me(&asker.actor)?))
}
