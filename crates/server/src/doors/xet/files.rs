//! Files: of which chunks one is made, and where those are fetched.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};

use super::{Answer, Reader, Xet, hash, wanted, xorbs};
use crate::app::App;
use crate::doors::address::Base;
use crate::doors::hub::Params;
use crate::error::Error;
use crate::ops::chunk_lists;
use crate::ops::chunked_files::{self, Fetch, Piece, Reconstruction};

/// `GET …/v1/reconstructions/{hash}`, of a part where the header `Range` names one
pub async fn first(
    State(app): State<Arc<App>>,
    Reader(pass): Reader,
    Path((_, name)): Path<(String, String)>,
    (base, headers): (Base, HeaderMap),
) -> Answer<Json<Value>, Xet> {
    let found = chunked_files::reconstruction(&app, &pass, hash(&name)?, wanted(&headers)?).await?;
    Ok(Json(describe(
        &found,
        "fetch_info",
        |fetch| json!({ "range": chunks(fetch), "url": url(&base, fetch), "url_range": bytes(fetch) }),
    )))
}

/// `GET …/v2/reconstructions/{hash}`, the same with an address for each range
pub async fn second(
    State(app): State<Arc<App>>,
    Reader(pass): Reader,
    Path((_, name)): Path<(String, String)>,
    (base, headers): (Base, HeaderMap),
) -> Answer<Json<Value>, Xet> {
    let found = chunked_files::reconstruction(&app, &pass, hash(&name)?, wanted(&headers)?).await?;
    Ok(Json(describe(
        &found,
        "xorbs",
        |fetch| json!({ "url": url(&base, fetch), "ranges": [{ "chunks": chunks(fetch), "bytes": bytes(fetch) }] }),
    )))
}

/// `GET …/v1/files/{hash}?from={byte}`: a shard that tells of which chunks the file is made from there on, as far as one
/// answer goes. Not of the protocol's first makers, but in their form.
pub async fn chunks_of(
    State(app): State<Arc<App>>,
    Reader(pass): Reader,
    Path((_, name)): Path<(String, String)>,
    params: Params,
) -> Answer<impl IntoResponse, Xet> {
    let from = match params.get("from") {
        Some(from) => {
            from.parse().map_err(|_| Error::BadRequest(format!("`{from}` is not a place in a file")))?
        }
        None => 0,
    };
    let shard = chunk_lists::list(&app, &pass, hash(&name)?, from).await?;
    Ok(([(CONTENT_TYPE, "application/octet-stream")], shard.write()))
}

fn describe(found: &Reconstruction, fetches: &str, fetch: impl Fn(&Fetch) -> Value) -> Value {
    let term = |piece: &Piece| {
        json!({
            "hash": piece.xorb,
            "unpacked_length": piece.n_bytes,
            "range": { "start": piece.chunks.start, "end": piece.chunks.end },
        })
    };
    let terms: Vec<Value> = found.terms.iter().map(term).collect();
    let of_xorbs: BTreeMap<String, Vec<Value>> = found
        .fetches
        .iter()
        .map(|(hash, all)| (hash.to_string(), all.iter().map(&fetch).collect()))
        .collect();
    json!({ "offset_into_first_range": found.n_skipped, "terms": terms, fetches: of_xorbs })
}

fn chunks(fetch: &Fetch) -> Value {
    json!({ "start": fetch.chunks.start, "end": fetch.chunks.end })
}

/// The last byte is in the range, as HTTP has it.
fn bytes(fetch: &Fetch) -> Value {
    json!({ "start": fetch.ticket.bytes.start, "end": fetch.ticket.bytes.end - 1 })
}

fn url(base: &Base, fetch: &Fetch) -> String {
    if let Some(direct) = &fetch.direct {
        return direct.clone();
    }
    format!("{}/api/xet/xorbs/{}?{}", base.as_str(), fetch.ticket.xorb, xorbs::query(&fetch.ticket))
}
