//! Whom a client's token acts for.

use axum::Json;
use serde_json::{Value, json};

use super::{Answer, Asker, Hub};
use crate::ops::access::{self, By};

/// `GET /api/whoami-v2`
pub async fn whoami(asker: Asker<Hub>) -> Answer<Json<Value>, Hub> {
    let known = access::signed_in(&asker.actor)?;
    let kind = match known.by {
        By::Token(_) => "access_token",
        By::Session { .. } => "session",
    };
    let token = json!({ "displayName": known.name, "role": known.scope.as_str() });
    Ok(Json(json!({
        "type": "user",
        "id": known.id.to_string(),
        "name": known.name,
        "fullname": known.name,
        "isPro": false,
        "orgs": [],
        "auth": { "type": kind, "accessToken": token },
    })))
}
