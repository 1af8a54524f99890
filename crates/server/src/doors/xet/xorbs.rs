//! Xorbs: sent, fetched, and asked for by one of their chunks.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use futures_util::TryStreamExt;
use serde_json::{Value, json};

use super::{Answer, Reader, Writer, Xet, hash, wanted};
use crate::app::App;
use crate::doors::hub::{self, Params};
use crate::error::Error;
use crate::ops::transfers::Ticket;
use crate::ops::xorbs;

const BYTES: &str = "application/octet-stream";

/// `POST …/v1/xorb-grants/{prefix}/{hash}`: 200 says that nothing is to be sent, 404 that it is sent to us.
pub async fn grant(
    State(app): State<Arc<App>>,
    Writer(pass): Writer,
    Path((_, _, name)): Path<(String, String, String)>,
) -> Answer<Json<Value>, Xet> {
    match xorbs::is_sent(&app, &pass, hash(&name)?).await? {
        true => Ok(Json(json!({}))),
        false => Err(Error::NotFound { what: "xorb", name }.into()),
    }
}

/// `POST …/v1/xorbs/{prefix}/{hash}` with its bytes
pub async fn receive(
    State(app): State<Arc<App>>,
    Writer(pass): Writer,
    Path((_, _, name)): Path<(String, String, String)>,
    body: Body,
) -> Answer<Json<Value>, Xet> {
    let mut stream = body.into_data_stream();
    match xorbs::receive(&app, &pass, hash(&name)?, &mut stream).await {
        Ok(is_new) => Ok(Json(json!({ "was_inserted": is_new }))),
        Err(error) => {
            hub::drain(&mut stream).await;
            Err(error.into())
        }
    }
}

/// `GET …/v1/chunks/{prefix}/{hash}`: a shard that tells of the chunk, or 404
pub async fn with_chunk(
    State(app): State<Arc<App>>,
    Reader(pass): Reader,
    Path((_, _, name)): Path<(String, String, String)>,
) -> Answer<impl IntoResponse, Xet> {
    let shard = xorbs::with_chunk(&app, &pass, hash(&name)?).await?;
    let shard = shard.ok_or(Error::NotFound { what: "chunk", name })?;
    Ok(([(CONTENT_TYPE, BYTES)], shard))
}

/// `GET /api/xet/xorbs/{hash}?…`, an address that was handed out
pub async fn fetch(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    params: Params,
    headers: HeaderMap,
) -> Answer<impl IntoResponse, Xet> {
    let ticket = read(&name, &params)?;
    let (range, reading) = xorbs::read(&app, &ticket, wanted(&headers)?).await?;
    // The head is sent already: all that is left is to break off, which the client notices by the length.
    let stream = reading.stream.inspect_err(move |error| tracing::error!(name, "a xorb broke off: {error}"));
    let headers = [
        (CONTENT_TYPE, BYTES.to_owned()),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CONTENT_LENGTH, (range.end - range.start).to_string()),
        (CONTENT_RANGE, format!("bytes {}-{}/{}", range.start, range.end - 1, reading.size_bytes)),
    ];
    Ok((StatusCode::PARTIAL_CONTENT, headers, Body::from_stream(stream)))
}

/// The query of an address from which a ticket's bytes are fetched.
pub(super) fn query(ticket: &Ticket) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("start", &ticket.bytes.start.to_string());
    query.append_pair("end", &ticket.bytes.end.to_string());
    query.append_pair("expires", &ticket.expires_ms.to_string());
    query.append_pair("signature", &ticket.signature);
    query.finish()
}

/// The ticket that an address carries. Whatever is wrong with it, it is not one of ours.
fn read(name: &str, params: &Params) -> Result<Ticket, Error> {
    let text = |name| params.get(name).ok_or(Error::BadFetchAddress);
    let number = |name| text(name)?.parse::<u64>().map_err(|_| Error::BadFetchAddress);
    Ok(Ticket {
        xorb: name.parse().map_err(|_| Error::BadFetchAddress)?,
        bytes: number("start")?..number("end")?,
        expires_ms: i64::try_from(number("expires")?).map_err(|_| Error::BadFetchAddress)?,
        signature: text("signature")?.to_owned(),
    })
}
