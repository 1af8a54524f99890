//! Passes for the Xet protocol, by which these clients move large files.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderName;
use axum::response::IntoResponse;
use serde_json::json;

use super::{Answer, Asker, Base, Hub, Place};
use crate::app::App;
use crate::ops::transfers::{self, Right};

const CAS_URL: HeaderName = HeaderName::from_static("x-xet-cas-url");
const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-xet-access-token");
const EXPIRATION: HeaderName = HeaderName::from_static("x-xet-token-expiration");

/// `GET /api/{kind}s/{owner}/{name}/xet-read-token/{revision}`
pub async fn read(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    base: Base,
) -> Answer<impl IntoResponse, Hub> {
    grant(&app, asker, place, (&base, Right::Read)).await
}

/// `GET /api/{kind}s/{owner}/{name}/xet-write-token/{revision}`
pub async fn write(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    base: Base,
) -> Answer<impl IntoResponse, Hub> {
    grant(&app, asker, place, (&base, Right::Write)).await
}

/// Some clients read the headers, others the body.
async fn grant(
    app: &App,
    asker: Asker<Hub>,
    place: Place,
    (base, right): (&Base, Right),
) -> Answer<impl IntoResponse + use<>, Hub> {
    let granted = transfers::grant(app, &asker.actor, &place.at(), right).await?;
    let url = format!("{}/api/xet/{}", base.as_str(), granted.realm);
    let secret = granted.secret.expose().to_owned();
    let body = json!({ "casUrl": url, "accessToken": secret, "exp": granted.expires_s });
    let headers = [(CAS_URL, url), (ACCESS_TOKEN, secret), (EXPIRATION, granted.expires_s.to_string())];
    Ok((headers, Json(body)))
}

/// Where a reader of this place asks for a pass.
pub(super) fn read_route(base: &Base, place: &Place) -> String {
    let revision = percent_encoding::utf8_percent_encode(&place.revision, percent_encoding::NON_ALPHANUMERIC);
    format!("{}/api/{}s/{}/xet-read-token/{revision}", base.as_str(), place.kind.as_str(), place.name)
}
