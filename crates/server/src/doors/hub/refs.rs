//! Branches and tags, as Hub clients list, make and delete them.
//!
//! Translates only; which of them may go is for `ops::refs` to say.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use spec::name::RefName;
use store::db::refs::{Ref, RefKind};

use super::{Answer, Asker, Hub, Params, Place, Sent};
use crate::app::App;
use crate::ops::refs::{self, New};
use crate::ops::repositories::MAIN;
use crate::ops::revisions::At;

/// `GET /api/{kind}s/{owner}/{name}/refs`
pub async fn list(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    params: Params,
) -> Answer<Json<Value>, Hub> {
    let all = refs::list(&app, &asker.actor, place.kind, &place.name).await?;
    let of = |kind: RefKind, folder: &str| {
        let found = all.iter().filter(|found| found.kind == kind);
        found.map(|found| describe(found, folder)).collect::<Vec<_>>()
    };
    let (branches, tags) = (of(RefKind::Branch, "heads"), of(RefKind::Tag, "tags"));
    let pulls: Vec<Value> = match params.is_set("include_prs") || params.is_set("include_pull_requests") {
        true => of(RefKind::Pull, "pr"),
        false => Vec::new(),
    };
    Ok(Json(json!({ "branches": branches, "converts": [], "tags": tags, "pullRequests": pulls })))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewBranch {
    starting_point: Option<String>,
}

/// `POST /api/{kind}s/{owner}/{name}/branch/{revision}`
pub async fn create_branch(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Sent(new): Sent<NewBranch>,
) -> Answer<Json<Value>, Hub> {
    let name: RefName = place.revision.parse()?;
    let target = At { revision: new.starting_point.as_deref().unwrap_or(MAIN), ..place.at() };
    let new = New { kind: RefKind::Branch, name: &name, message: "" };
    refs::create(&app, &asker.actor, &target, &new).await?;
    Ok(Json(json!({})))
}

/// `DELETE /api/{kind}s/{owner}/{name}/branch/{revision}`
pub async fn delete_branch(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
) -> Answer<Json<Value>, Hub> {
    refs::delete(&app, &asker.actor, &place.at(), RefKind::Branch).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
pub struct NewTag {
    tag: RefName,
    message: Option<String>,
}

/// `POST /api/{kind}s/{owner}/{name}/tag/{revision}`, where the revision is what the tag will name.
pub async fn create_tag(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Sent(new): Sent<NewTag>,
) -> Answer<Json<Value>, Hub> {
    let message = new.message.as_deref().unwrap_or_default();
    let new = New { kind: RefKind::Tag, name: &new.tag, message };
    refs::create(&app, &asker.actor, &place.at(), &new).await?;
    Ok(Json(json!({})))
}

/// `DELETE /api/{kind}s/{owner}/{name}/tag/{revision}`
pub async fn delete_tag(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
) -> Answer<Json<Value>, Hub> {
    refs::delete(&app, &asker.actor, &place.at(), RefKind::Tag).await?;
    Ok(Json(json!({})))
}

fn describe(found: &Ref, folder: &str) -> Value {
    json!({ "name": found.name, "ref": format!("refs/{folder}/{}", found.name), "targetCommit": found.oid })
}
