//! Access requests, as Hub clients list them and decide over them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use store::db::access_requests::{AccessRequest, RequestState};
use store::db::ids::AccessRequestId;

use super::{Answer, Asked, Asker, Hub, Place, Sent};
use crate::app::App;
use crate::error::Error;
use crate::ops::access_requests::{self as requests, Decision, Whose};
use crate::text;

/// Requests in one page of a list, where the client does not say.
const PAGE: u32 = 100;

/// The last part of an address.
#[derive(Deserialize)]
pub struct Listed {
    status: String,
}

/// `GET /api/{kind}s/{owner}/{name}/user-access-request/{status}`
pub async fn list(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Path(listed): Path<Listed>,
    asked: Asked,
) -> Answer<impl IntoResponse, Hub> {
    let part = (asked.params.get("cursor"), asked.params.limit(PAGE));
    let of = (place.kind, &place.name);
    let page = requests::list(&app, &asker.actor, of, state(&listed.status)?, part).await?;
    let items: Vec<Value> = page.items.iter().map(describe).collect();
    Ok((asked.next_page(page.next.as_deref()), Json(items)))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Handled {
    user: Option<String>,
    request_id: Option<String>,
    status: String,
    #[serde(default)]
    rejection_reason: String,
}

/// `POST /api/{kind}s/{owner}/{name}/user-access-request/handle`
pub async fn handle(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Sent(handled): Sent<Handled>,
) -> Answer<Json<Value>, Hub> {
    let whose = match (&handled.user, &handled.request_id) {
        (Some(user), None) => Whose::Account(user),
        (None, Some(id)) => {
            let not_found = || Error::NotFound { what: "access request", name: id.clone() };
            Whose::Request(id.parse::<AccessRequestId>().map_err(|_| not_found())?)
        }
        _ => return Err(Error::BadRequest("name one of `user` and `requestId`".to_owned()).into()),
    };
    let decision = Decision { whose, state: state(&handled.status)?, reason: &handled.rejection_reason };
    requests::decide(&app, &asker.actor, (place.kind, &place.name), &decision).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
pub struct Granted {
    user: String,
}

/// `POST /api/{kind}s/{owner}/{name}/user-access-request/grant`
pub async fn grant(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Sent(granted): Sent<Granted>,
) -> Answer<Json<Value>, Hub> {
    requests::grant(&app, &asker.actor, (place.kind, &place.name), &granted.user).await?;
    Ok(Json(json!({})))
}

/// `POST /api/{kind}s/{owner}/{name}/user-access-request/cancel`, by whoever asked
pub async fn cancel(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
) -> Answer<Json<Value>, Hub> {
    requests::withdraw(&app, &asker.actor, place.kind, &place.name).await?;
    Ok(Json(json!({})))
}

fn describe(request: &AccessRequest) -> Value {
    let mut described = json!({
        "requestId": request.id.to_string(),
        "user": {
            "_id": request.account_id.to_string(),
            "user": request.account_name,
            "fullname": request.account_name,
            "type": "user",
        },
        "status": request.state,
        "timestamp": text::rfc3339(request.created_ms),
    });
    if !request.message.is_empty() {
        described["fields"] = json!({ "message": request.message });
    }
    if !request.reason.is_empty() {
        described["rejectionReason"] = json!(request.reason);
    }
    described
}

fn state(text: &str) -> Result<RequestState, Error> {
    let wanted = "`pending`, `accepted` or `rejected`";
    RequestState::try_from(text.to_owned())
        .map_err(|_| Error::BadRequest(format!("a request is {wanted}, not `{text}`")))
}
