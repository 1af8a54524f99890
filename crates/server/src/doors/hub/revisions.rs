//! Commits: the history, what a client asks before it commits, and the commit itself.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::response::IntoResponse;
use futures_util::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use spec::name::FilePath;
use store::db::revisions::Revision;

use super::{Answer, Asked, Asker, Base, Hub, Params, Place, Sent};
use crate::app::App;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::{entries, repositories, revisions};
use crate::text;

mod body;
mod content;
mod line;
mod source;

/// Commits in one page of a history, where the client does not say.
const PAGE: u32 = 100;
/// How much of a refused commit is still read, so that its sender gets to reading the refusal.
const DRAINED_BYTES: usize = 64 * 1024 * 1024;

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
pub struct Preupload {
    #[serde(default)]
    files: Vec<Candidate>,
}

#[derive(Deserialize)]
struct Candidate {
    path: FilePath,
}

/// `POST /api/{kind}s/{owner}/{name}/preupload/{revision}`
pub async fn preupload(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    params: Params,
    Sent(sent): Sent<Preupload>,
) -> Answer<Json<Value>, Hub> {
    refuse_pull_request(&params)?;
    let limit = spec::limits::PREUPLOAD_FILES;
    if sent.files.len() > limit {
        return Err(Error::BadRequest(format!("at most {limit} files are compared at once")).into());
    }
    let paths: Vec<&str> = sent.files.iter().map(|file| file.path.as_str()).collect();
    let found = entries::by_paths(&app, &asker.actor, &place.at(), Action::Write, &paths).await?;
    let answer = |path: &&str| {
        let file = found.iter().find(|entry| entry.path == *path && !entry.is_folder());
        let mut answer = json!({ "path": path, "uploadMode": "regular", "shouldIgnore": false });
        if let Some(file) = file {
            answer["oid"] = json!(file.git_oid);
        }
        answer
    };
    let files: Vec<Value> = paths.iter().map(answer).collect();
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
        refuse_pull_request(&params)?;
        let mut draft = revisions::begin(&app, &asker.actor, &place.at()).await?;
        body::read(&app, &mut draft, &mut stream).await?;
        let page = base.page(place.kind, &repositories::full_name(draft.repository()));
        let committed = revisions::commit(&app, draft).await?;
        let oid = committed.revision.oid;
        Ok::<_, Error>(
            json!({ "success": true, "commitOid": oid, "commitUrl": format!("{page}/commit/{oid}") }),
        )
    };
    match result.await {
        Ok(answer) => Ok(Json(answer)),
        Err(error) => {
            drain(&mut stream).await;
            Err(error.into())
        }
    }
}

fn refuse_pull_request(params: &Params) -> Result<(), Error> {
    match params.is_set("create_pr") {
        true => Err(Error::BadRequest(
            "pull requests (`create_pr`) are not offered here: commit to a branch".to_owned(),
        )),
        false => Ok(()),
    }
}

/// Reads on without keeping anything. A connection that is closed while its client still sends takes the answer
/// with it.
async fn drain(stream: &mut axum::body::BodyDataStream) {
    let mut n_bytes = 0;
    while let Some(Ok(block)) = stream.next().await {
        n_bytes += block.len();
        if n_bytes > DRAINED_BYTES {
            return;
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
