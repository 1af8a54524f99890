//! Commits: the history, what a client asks before it commits, and the commit itself.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::USER_AGENT;
use axum::response::IntoResponse;
use serde::Deserialize;
use serde_json::{Value, json};
use spec::name::FilePath;
use store::db::revisions::Revision;

use super::{Answer, Asked, Asker, Base, Hub, Params, Place, Sent};
use crate::app::App;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::{entries, repositories, revisions};
use crate::settings::LargeFiles;
use crate::text;

mod body;
mod content;
mod line;
mod source;

/// Commits in one page of a history, where the client does not say.
const PAGE: u32 = 100;

/// `GET /api/{kind}s/{owner}/{name}/commits/{revision}`
pub async fn history(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    asked: Asked,
) -> Answer<impl IntoResponse, Hub> {
    let params = &asked.params;
    let (after, limit) = (params.get("cursor"), params.limit(PAGE));
    let page = revisions::history(&app, &asker.actor, &place.at(), after, limit).await?;
    let is_formatted = params.all("expand[]").chain(params.all("expand")).any(|field| field == "formatted");
    let items: Vec<Value> = page.items.iter().map(|revision| describe(revision, is_formatted)).collect();
    Ok((asked.next_page(page.next.as_deref()), Json(items)))
}

#[derive(Deserialize)]
pub struct SuperSquash {
    #[serde(default)]
    message: String,
}

/// `POST /api/{kind}s/{owner}/{name}/super-squash/{revision}`
pub async fn super_squash(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Sent(sent): Sent<SuperSquash>,
) -> Answer<Json<Value>, Hub> {
    let squashed = revisions::squash(&app, &asker.actor, &place.at(), sent.message).await?;
    Ok(Json(json!({ "commitOid": squashed.oid })))
}

#[derive(Deserialize)]
pub struct Preupload {
    #[serde(default)]
    files: Vec<Candidate>,
}

#[derive(Deserialize)]
struct Candidate {
    path: FilePath,
    #[serde(default)]
    size: u64,
}

/// `POST /api/{kind}s/{owner}/{name}/preupload/{revision}`
pub async fn preupload(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    (params, headers): (Params, HeaderMap),
    Sent(sent): Sent<Preupload>,
) -> Answer<Json<Value>, Hub> {
    let is_pull = params.is_set("create_pr");
    let limit = spec::limits::PREUPLOAD_FILES;
    if sent.files.len() > limit {
        return Err(Error::BadRequest(format!("at most {limit} files are compared at once")).into());
    }
    // Whoever may read may offer a change; what they send comes in the commit, whose size is bounded.
    let action = if is_pull { Action::Read } else { Action::Write };
    let action = if place.revision.starts_with("refs/pr/") { Action::Read } else { action };
    let paths: Vec<&str> = sent.files.iter().map(|file| file.path.as_str()).collect();
    let found = entries::by_paths(&app, &asker.actor, &place.at(), action, &paths).await?;
    let is_apart = action == Action::Write && sends_apart(&app, &headers);
    let answer = |sent: &Candidate| {
        let path = sent.path.as_str();
        let is_large = sent.size >= app.settings.large_file.0 || repositories::is_kept_apart(path);
        let is_large = is_apart && is_large;
        let mode = if is_large { "lfs" } else { "regular" };
        let mut answer = json!({ "path": sent.path, "uploadMode": mode, "shouldIgnore": false });
        let file = found.iter().find(|entry| entry.path == path);
        if let Some((file, sha256)) = file.and_then(|file| Some((file, file.sha256?))) {
            // The client compares this with the digest that it will send.
            answer["oid"] = if is_large { json!(sha256) } else { json!(file.git_oid) };
        }
        answer
    };
    let files: Vec<Value> = sent.files.iter().map(answer).collect();
    Ok(Json(json!({ "files": files })))
}

/// `POST /api/{kind}s/{owner}/{name}/commit/{revision}`, whose body is read as it arrives
pub async fn commit(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    (base, params): (Base, Params),
    body: Body,
) -> Answer<Json<Value>, Hub> {
    let mut stream = body.into_data_stream();
    let result = async {
        let mut draft = match params.is_set("create_pr") {
            true => revisions::begin_pull(&app, &asker.actor, &place.at()).await?,
            false => revisions::begin(&app, &asker.actor, &place.at()).await?,
        };
        body::read(&app, &mut draft, &mut stream).await?;
        let page = base.page(place.kind, &repositories::full_name(draft.repository()));
        let done = revisions::commit(&app, draft).await?;
        let oid = done.committed.revision.oid;
        let url = format!("{page}/commit/{oid}");
        let mut answer = json!({ "success": true, "commitOid": oid, "commitUrl": url });
        if let Some(number) = done.pull_request {
            answer["pullRequestUrl"] = json!(format!("{page}/discussions/{number}"));
        }
        Ok::<_, Error>(answer)
    };
    match result.await {
        Ok(answer) => Ok(Json(answer)),
        Err(error) => {
            super::drain(&mut stream).await;
            Err(error.into())
        }
    }
}

/// Whether this client can send large files ahead of the commit: in chunks, or by Git LFS.
fn sends_apart(app: &App, headers: &HeaderMap) -> bool {
    let agent = headers.get(USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match app.settings.large_files {
        LargeFiles::Apart => true,
        LargeFiles::InCommit => false,
        LargeFiles::Auto => {
            agent.split("; ").any(|part| part.starts_with("hf_hub/") || part.starts_with("reenact/"))
        }
    }
}

fn describe(revision: &Revision, is_formatted: bool) -> Value {
    let mut described = json!({
        "id": revision.oid,
        "title": revision.title,
        "message": revision.description,
        "date": text::rfc3339(revision.created_ms),
        "authors": [{ "user": revision.author }],
    });
    if is_formatted {
        described["formatted"] =
            json!({ "title": escape(&revision.title), "message": escape(&revision.description) });
    }
    described
}

/// The text as HTML that shows it.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
