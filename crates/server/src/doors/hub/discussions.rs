//! Discussions and pull requests, as Hub clients begin, read and change them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Value, json};
use store::db::discussions::{Discussion, Event, EventKind, Filter, Status};
use store::db::repositories::Repository;

use super::{Answer, Asker, Hub, Params, Place, Sent};
use crate::app::App;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::discussions::{self, Details, Opening, Sort};
use crate::ops::repositories;
use crate::text;

/// Discussions in one page; clients learn it from how many there are.
const PAGE: u32 = 50;

/// The number in an address.
#[derive(Deserialize)]
pub struct Numbered {
    number: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct New {
    title: String,
    description: String,
    #[serde(default)]
    pull_request: bool,
}

/// `POST /api/{kind}s/{owner}/{name}/discussions`
pub async fn create(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Sent(new): Sent<New>,
) -> Answer<Json<Value>, Hub> {
    let sort = if new.pull_request { Sort::PullRequest } else { Sort::Discussion };
    let opening = Opening { title: &new.title, description: &new.description, sort };
    let created = discussions::open(&app, &asker.actor, (place.kind, &place.name), &opening).await?;
    Ok(Json(json!({ "num": created.number, "pullRequest": new.pull_request })))
}

/// `GET /api/{kind}s/{owner}/{name}/discussions`
pub async fn list(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    params: Params,
) -> Answer<Json<Value>, Hub> {
    let page: i64 = params.get("p").and_then(|page| page.parse().ok()).unwrap_or(0);
    let start = page.clamp(0, 1_000_000) * i64::from(PAGE);
    let author = match params.get("author") {
        None => None,
        Some(author) => match discussions::author(&app, author).await? {
            Some(author) => Some(author),
            None => return Ok(Json(json!({ "count": 0, "start": start, "discussions": [] }))),
        },
    };
    let filter = Filter {
        is_pull_request: match params.get("type") {
            Some("pull_request") => Some(true),
            Some("discussion") => Some(false),
            _ => None,
        },
        is_open: match params.get("status") {
            Some("open") => Some(true),
            Some("closed") => Some(false),
            _ => None,
        },
        author,
    };
    let of = (place.kind, &place.name);
    let repository = repositories::get(&app, &asker.actor, of.0, of.1, Action::See).await?;
    let (n_all, found) = discussions::list(&app, &asker.actor, of, filter, (start, PAGE)).await?;
    let items: Vec<Value> = found.iter().map(|found| describe(&repository, found)).collect();
    Ok(Json(json!({ "count": n_all, "start": start, "discussions": items })))
}

/// `GET /api/{kind}s/{owner}/{name}/discussions/{number}`
pub async fn get(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Path(Numbered { number }): Path<Numbered>,
) -> Answer<Json<Value>, Hub> {
    let details = discussions::get(&app, &asker.actor, (place.kind, &place.name), number).await?;
    let Details { repository, discussion, events, pull, .. } = &details;
    let mut described = describe(repository, discussion);
    described["events"] = events.iter().map(event).collect();
    if let Some(pull) = pull {
        described["changes"] = json!({ "base": "refs/heads/main" });
        if let Some(oid) = &discussion.merge_oid {
            described["changes"]["mergeCommitId"] = json!(oid);
        }
        described["filesWithConflicts"] = json!(pull.conflicts);
    }
    Ok(Json(described))
}

#[derive(Deserialize)]
pub struct Comment {
    comment: String,
}

/// `POST /api/{kind}s/{owner}/{name}/discussions/{number}/comment`
pub async fn comment(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Path(Numbered { number }): Path<Numbered>,
    Sent(sent): Sent<Comment>,
) -> Answer<Json<Value>, Hub> {
    let of = (place.kind, &place.name);
    let said = discussions::comment(&app, &asker.actor, of, number, &sent.comment).await?;
    Ok(Json(json!({ "newMessage": event(&said) })))
}

#[derive(Deserialize)]
pub struct Standing {
    status: String,
    comment: Option<String>,
}

/// `POST /api/{kind}s/{owner}/{name}/discussions/{number}/status`
pub async fn set_status(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Path(Numbered { number }): Path<Numbered>,
    Sent(sent): Sent<Standing>,
) -> Answer<Json<Value>, Hub> {
    let of = (place.kind, &place.name);
    let status = match sent.status.as_str() {
        "open" => Status::Open,
        "closed" => Status::Closed,
        other => return Err(Error::BadRequest(format!("`{other}` is neither `open` nor `closed`")).into()),
    };
    let changed = discussions::set_status(&app, &asker.actor, of, number, status).await?;
    if let Some(text) = sent.comment.filter(|text| !text.trim().is_empty()) {
        discussions::comment(&app, &asker.actor, of, number, &text).await?;
    }
    Ok(Json(json!({ "newStatus": event(&changed) })))
}

#[derive(Deserialize)]
pub struct Titled {
    title: String,
}

/// `POST /api/{kind}s/{owner}/{name}/discussions/{number}/title`
pub async fn set_title(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Path(Numbered { number }): Path<Numbered>,
    Sent(sent): Sent<Titled>,
) -> Answer<Json<Value>, Hub> {
    let of = (place.kind, &place.name);
    let changed = discussions::set_title(&app, &asker.actor, of, number, &sent.title).await?;
    Ok(Json(json!({ "newTitle": event(&changed) })))
}

#[derive(Deserialize)]
pub struct Merging {
    comment: Option<String>,
}

/// `POST /api/{kind}s/{owner}/{name}/discussions/{number}/merge`
pub async fn merge(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Path(Numbered { number }): Path<Numbered>,
    Sent(sent): Sent<Merging>,
) -> Answer<Json<Value>, Hub> {
    let of = (place.kind, &place.name);
    let merged = discussions::merge(&app, &asker.actor, of, number).await?;
    if let Some(text) = sent.comment.filter(|text| !text.trim().is_empty()) {
        discussions::comment(&app, &asker.actor, of, number, &text).await?;
    }
    Ok(Json(json!({ "mergeCommitId": merged.oid })))
}

fn describe(repository: &Repository, discussion: &Discussion) -> Value {
    let name = repositories::full_name(repository);
    json!({
        "num": discussion.number,
        "title": discussion.title,
        "author": author(discussion.author_name.as_deref()),
        "status": discussion.status,
        "isPullRequest": discussion.is_pull_request,
        "createdAt": text::rfc3339(discussion.created_ms),
        "repo": { "name": name, "type": repository.kind },
    })
}

fn event(event: &Event) -> Value {
    let data = discussions::data(event);
    let data = match event.kind {
        EventKind::Comment => json!({ "edited": false, "hidden": false, "latest": { "raw": data["text"] } }),
        EventKind::StatusChange | EventKind::TitleChange | EventKind::Commit => data,
    };
    json!({
        "id": event.id.to_string(),
        "type": event.kind,
        "createdAt": text::rfc3339(event.created_ms),
        "author": author(event.author_name.as_deref()),
        "data": data,
    })
}

/// Left out, clients say `deleted`.
fn author(name: Option<&str>) -> Value {
    name.map_or_else(|| json!({}), |name| json!({ "name": name, "type": "user" }))
}
