//! Files and folders: lists of them, and what is known of some.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request, State};
use axum::response::IntoResponse;
use serde_json::{Value, json};
use spec::digest::Sha256;
use spec::xet::XetHash;
use store::db::entries::{Entry, Listing};

use super::{Answer, Asked, Asker, Hub, Params, Place, small_body};
use crate::app::App;
use crate::doors::Refusal;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::entries;
use crate::text;

mod resolve;

pub use resolve::{download, head};

/// Entries in one page, where the client does not say.
const PAGE: u32 = 1000;
/// Most paths that are looked up by one request.
const PATHS: usize = 1000;

/// `GET /api/{kind}s/{owner}/{name}/tree/{revision}[/{path}]`; with `digests=true` also the SHA-256 of each file
pub async fn tree(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    asked: Asked,
) -> Answer<impl IntoResponse, Hub> {
    let params = &asked.params;
    let listing = Listing {
        folder: place.path.trim_matches('/'),
        is_recursive: params.is_set("recursive"),
        after: params.get("cursor"),
        limit: params.limit(PAGE),
    };
    let page = entries::list(&app, &asker.actor, &place.at(), &listing).await?;
    let hashes = entries::chunk_hashes(&app, &asker.actor, &place.at(), &page.items).await?;
    let detail = Detail::of(params);
    let mut items: Vec<Value> = page.items.iter().map(|entry| describe(entry, &hashes, detail)).collect();
    if params.is_set("digests") {
        for (item, entry) in items.iter_mut().zip(&page.items) {
            item["sha256"] = json!(entry.sha256);
        }
    }
    Ok((asked.next_page(page.next.as_deref()), Json(items)))
}

/// `POST /api/{kind}s/{owner}/{name}/paths-info/{revision}`, with a form
pub async fn paths_info(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Form(params): Form,
) -> Answer<Json<Vec<Value>>, Hub> {
    let paths: Vec<&str> = params.all("paths").map(|path| path.trim_matches('/')).collect();
    if paths.len() > PATHS {
        return Err(Error::BadRequest(format!("at most {PATHS} paths are looked up at once")).into());
    }
    let found = entries::by_paths(&app, &asker.actor, &place.at(), Action::Read, &paths).await?;
    let hashes = entries::chunk_hashes(&app, &asker.actor, &place.at(), &found).await?;
    let detail = Detail::of(&params);
    Ok(Json(found.iter().map(|entry| describe(entry, &hashes, detail)).collect()))
}

/// A form, or the same as JSON.
pub struct Form(Params);

impl FromRequest<Arc<App>> for Form {
    type Rejection = Refusal<Hub>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let content_type = request.headers().get("content-type").and_then(|value| value.to_str().ok());
        let is_json = content_type.is_some_and(|content_type| content_type.starts_with("application/json"));
        let body: Bytes = small_body(request, app).await?;
        Ok(Self(if is_json { from_json(&body)? } else { Params::parse(&body) }))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Detail {
    Plain,
    /// With the commit that last changed it.
    Expanded,
}

impl Detail {
    fn of(params: &Params) -> Self {
        if params.is_set("expand") { Self::Expanded } else { Self::Plain }
    }
}

/// A file that clients fetch in chunks, as tools of git see it: its digest, and the length of what stands for it there.
pub(super) struct Large {
    pub(super) sha256: Sha256,
    pub(super) pointer_bytes: usize,
}

/// `None` for what is fetched as it is.
pub(super) fn large(entry: &Entry, hashes: &BTreeMap<Sha256, XetHash>) -> Option<(Large, XetHash)> {
    let sha256 = entry.sha256?;
    let hash = hashes.get(&sha256)?;
    let pointer =
        format!("version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {}\n", entry.n_bytes);
    Some((Large { sha256, pointer_bytes: pointer.len() }, *hash))
}

fn from_json(body: &[u8]) -> Result<Params, Error> {
    #[derive(serde::Deserialize)]
    struct Paths {
        paths: Vec<String>,
        #[serde(default)]
        expand: bool,
    }
    let sent: Paths = serde_json::from_slice(body).map_err(|error| Error::BadRequest(error.to_string()))?;
    let mut params: Vec<_> = sent.paths.into_iter().map(|path| ("paths".to_owned(), path)).collect();
    params.push(("expand".to_owned(), sent.expand.to_string()));
    Ok(Params(params))
}

fn describe(entry: &Entry, hashes: &BTreeMap<Sha256, XetHash>, detail: Detail) -> Value {
    let (kind, n_bytes) = if entry.is_folder() { ("directory", 0) } else { ("file", entry.n_bytes) };
    let mut described = json!({ "type": kind, "oid": entry.git_oid, "size": n_bytes, "path": entry.path });
    if let Some((lfs, hash)) = large(entry, hashes) {
        described["lfs"] = json!({ "oid": lfs.sha256, "size": n_bytes, "pointerSize": lfs.pointer_bytes });
        described["xetHash"] = json!(hash);
    }
    if detail == Detail::Expanded {
        let last = &entry.last_revision;
        let date = text::rfc3339(last.created_ms);
        described["lastCommit"] = json!({ "id": last.oid, "title": last.title, "date": date });
    }
    described
}
