//! Copies between repositories.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use spec::digest::Sha256;
use spec::name::RepositoryName;
use spec::xet::XetHash;

use super::repositories::visibility;
use super::{Answer, Asker, Base, Hub, Place, Sent, text};
use crate::app::App;
use crate::error::Error;
use crate::ops::copies::{self, Wanted};
use crate::ops::repositories;

#[derive(Deserialize)]
pub struct Files {
    target: Target,
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Deserialize)]
struct Target {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: RepositoryName,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    sha256: Sha256,
    xet_hash: XetHash,
}

/// `POST /api/{kind}s/{owner}/{name}/lfs-files/duplicate`: for a commit to another repository, which the body names
pub async fn files(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Sent(sent): Sent<Files>,
) -> Answer<Json<Value>, Hub> {
    let kind = sent.target.kind.as_deref().unwrap_or("model").parse()?;
    let (from, to) = ((place.kind, &place.name), (kind, &sent.target.name));
    let wanted = sent.files.iter().map(|file| Wanted { sha256: file.sha256, hash: file.xet_hash });
    let wanted: Vec<Wanted> = wanted.collect();
    let missing = copies::files(&app, &asker.actor, from, to, &wanted).await?;
    let reason = "no commit of the repository has this file in chunks";
    let failed = missing.iter().map(|sha256| json!({ "sha256": sha256, "error": reason }));
    Ok(Json(json!({ "failed": failed.collect::<Vec<Value>>() })))
}

#[derive(Deserialize)]
pub struct Copy {
    repository: RepositoryName,
    visibility: Option<String>,
    /// How other clients say it.
    private: Option<bool>,
}

/// `POST /api/{kind}s/{owner}/{name}/duplicate`
pub async fn repository(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    base: Base,
    Sent(copy): Sent<Copy>,
) -> Answer<Response, Hub> {
    let visibility = visibility(copy.visibility.as_deref(), copy.private)?;
    let from = (place.kind, &place.name);
    match copies::repository(&app, &asker.actor, from, &copy.repository, visibility).await {
        Ok(made) => {
            let url = base.page(place.kind, &repositories::full_name(&made));
            Ok(Json(json!({ "url": url, "filesCopyPending": false })).into_response())
        }
        // Clients that do not mind read the address from the refusal.
        Err(error @ Error::AlreadyExists { .. }) => {
            let Error::AlreadyExists { name, .. } = &error else { return Err(error.into()) };
            let body = json!({ "error": text(&error), "url": base.page(place.kind, name) });
            Ok((StatusCode::CONFLICT, Json(body)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}
