//! A file's bytes, with the headers from which clients build their caches.
//!
//! Knows nothing of where bytes are kept. Invariants: whatever is in a file, a browser shows it as plain text or
//! offers to save it; a file that is missing is answered with the revision in which it is.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::app::App;
use crate::doors::hub::range::{self, Wanted};
use crate::doors::hub::{Answer, Asker, Base, Hub, Place, transfers};
use crate::doors::{Refusal, header_value};
use crate::error::Error;
use crate::ops::entries::{self, File, Found};
use crate::ops::repositories;

/// Which commit answered.
const REPO_COMMIT: HeaderName = HeaderName::from_static("x-repo-commit");
const XET_HASH: HeaderName = HeaderName::from_static("x-xet-hash");
const XET_REFRESH_ROUTE: HeaderName = HeaderName::from_static("x-xet-refresh-route");
/// Sent with every request of a download.
const DOWNLOAD_COUNTER: &str = "x-hf-download-counter";

/// `HEAD /[datasets/]{owner}/{name}/resolve/{revision}/{path}`
pub async fn head(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    (base, headers): (Base, HeaderMap),
) -> Answer<Response, Hub> {
    let found = entries::find(&app, &asker.actor, &place.at(), &place.path).await?;
    let Some(file) = &found.file else { return Ok(missing(&place, &found)) };
    let mut response = match is_known(&headers, file) {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => announced(&place, file),
    };
    offer_chunks(&mut response, file, &transfers::read_route(&base, &place));
    describe(&mut response, &found, file);
    Ok(response)
}

/// `GET /[datasets/]{owner}/{name}/resolve/{revision}/{path}`
pub async fn download(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    headers: HeaderMap,
) -> Answer<Response, Hub> {
    let found = entries::find(&app, &asker.actor, &place.at(), &place.path).await?;
    let Some(file) = &found.file else { return Ok(missing(&place, &found)) };
    let mut response = match wanted(&headers, file) {
        _ if is_known(&headers, file) => StatusCode::NOT_MODIFIED.into_response(),
        Wanted::Outside => Refusal::<Hub>::from(Error::Range { size: file.n_bytes }).into_response(),
        Wanted::Whole => {
            if headers.contains_key(DOWNLOAD_COUNTER) {
                repositories::count_download(&app, &found.repository, found.revision.tree_id, &place.path)
                    .await;
            }
            let mut response = announced(&place, file);
            *response.body_mut() = body(&app, file, 0..file.n_bytes).await?;
            response
        }
        Wanted::Part(part) => {
            let mut response = announced(&place, file);
            let (first, last) = (part.start, part.end - 1);
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(part.end - part.start));
            let range = format!("bytes {first}-{last}/{}", file.n_bytes);
            headers.insert(header::CONTENT_RANGE, header_value(&range));
            *response.body_mut() = body(&app, file, part).await?;
            response
        }
    };
    describe(&mut response, &found, file);
    Ok(response)
}

/// The answer for a file as if all of it were sent.
fn announced(place: &Place, file: &File) -> Response {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(file.n_bytes));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type(&place.path)));
    headers.insert(header::CONTENT_DISPOSITION, disposition(&place.path));
    response
}

/// What every answer about a file says.
fn describe(response: &mut Response, found: &Found, file: &File) {
    let headers = response.headers_mut();
    headers.insert(REPO_COMMIT, header_value(&found.revision.oid.to_string()));
    headers.insert(header::ETAG, header_value(&etag(file)));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    // Rights may change between two requests, so whoever keeps a copy asks again.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let policy = HeaderValue::from_static("default-src 'none'; sandbox");
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
}

/// Clients that can fetch a file in chunks are told its name there, and where a pass for it is had.
fn offer_chunks(response: &mut Response, file: &File, route: &str) {
    let Some(hash) = file.xet_hash else { return };
    let headers = response.headers_mut();
    headers.insert(XET_HASH, header_value(&hash.to_string()));
    headers.insert(XET_REFRESH_ROUTE, header_value(route));
    headers.insert(header::LINK, header_value(&format!("<{route}>; rel=\"xet-auth\"")));
}

/// Clients remember that a commit lacks a file, and ask no more.
fn missing(place: &Place, found: &Found) -> Response {
    let error = Error::EntryNotFound { revision: place.revision.clone(), path: place.path.clone() };
    let mut response = Refusal::<Hub>::from(error).into_response();
    response.headers_mut().insert(REPO_COMMIT, header_value(&found.revision.oid.to_string()));
    response
}

async fn body(app: &App, file: &File, part: std::ops::Range<u64>) -> Result<Body, Error> {
    if part.is_empty() {
        return Ok(Body::empty());
    }
    let reading = entries::open(app, file, Some(part)).await?;
    let sha256 = file.sha256;
    // The head is sent already: all that is left is to break off, which the client notices by the length.
    let stream =
        reading.stream.inspect_err(move |error| tracing::error!(%sha256, "a download broke off: {error}"));
    Ok(Body::from_stream(stream))
}

/// The name of the file's content, under which clients keep it: where they may fetch it in chunks its SHA-256, as lists have
/// it there, else its git id.
fn etag(file: &File) -> String {
    match file.xet_hash {
        Some(_) => format!("\"{}\"", file.sha256),
        None => format!("\"{}\"", file.git_oid),
    }
}

/// Whether the client has the file already.
fn is_known(headers: &HeaderMap, file: &File) -> bool {
    let etag = etag(file);
    let values = headers.get_all(header::IF_NONE_MATCH).into_iter().filter_map(|value| value.to_str().ok());
    let mut tags = values.flat_map(|value| value.split(',')).map(str::trim);
    tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

/// A range holds only for the content that the client has the rest of.
fn wanted(headers: &HeaderMap, file: &File) -> Wanted {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    match text(header::IF_RANGE) {
        Some(tag) if tag != etag(file) => Wanted::Whole,
        _ => range::parse(text(header::RANGE), file.n_bytes),
    }
}

/// Nothing that a browser would run.
fn media_type(path: &str) -> &'static str {
    const TEXTS: [&str; 12] =
        ["cfg", "csv", "ini", "json", "jsonl", "md", "py", "toml", "tsv", "txt", "yaml", "yml"];
    let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension).to_ascii_lowercase();
    match TEXTS.contains(&extension.as_str()) {
        true => "text/plain; charset=utf-8",
        false => "application/octet-stream",
    }
}

/// What may stand in `filename*` (RFC 8187).
const OUTSIDE_NAMES: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

fn disposition(path: &str) -> HeaderValue {
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_. ()+".contains(c);
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    let exact = utf8_percent_encode(name, OUTSIDE_NAMES);
    header_value(&format!("attachment; filename=\"{plain}\"; filename*=UTF-8''{exact}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_header() {
        let value = disposition("a/x\";\r\n é.html");
        assert_eq!(
            value,
            "attachment; filename=\"x____ _.html\"; filename*=UTF-8''x%22%3B%0D%0A%20%C3%A9.html"
        );
    }

    #[test]
    fn nothing_is_sent_that_a_browser_would_run() {
        assert_eq!(media_type("a/index.html"), "application/octet-stream");
        assert_eq!(media_type("image.svg"), "application/octet-stream");
        assert_eq!(media_type("README.md"), "text/plain; charset=utf-8");
        assert_eq!(media_type("md"), "application/octet-stream");
    }
}
