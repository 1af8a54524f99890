//! The door for clients of the Hugging Face Hub: `huggingface_hub`, `transformers`, `datasets`, the command `hf`.
//!
//! Speaks their protocol and decides nothing; each file here is named for the noun it serves. Invariant: an error
//! carries the headers by which these clients pick their exceptions, also where there is no body to carry it.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, OriginalUri, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::json;
use spec::name::{RepositoryKind, RepositoryName};

use super::address::Base;
use super::identity::Asker;
use super::{Answer, Dialect, Refusal, header_value};
use crate::app::App;
use crate::error::{Code, Error};
use crate::ops::revisions::At;

pub mod access_requests;
pub mod accounts;
pub mod cards;
pub mod copies;
pub mod discussions;
pub mod entries;
pub mod likes;
pub mod range;
pub mod refs;
pub mod repositories;
pub mod revisions;
pub mod transfers;
pub mod uploads;

/// How much of a refused body is still read, so that its sender gets to reading the refusal.
const DRAINED_BYTES: usize = 64 * 1024 * 1024;

/// How this door writes errors: `{"error": …}`, and `X-Error-Code` and `X-Error-Message` beside it.
#[derive(Debug)]
pub struct Hub;

impl Dialect for Hub {
    fn write(error: &Error) -> Response {
        let entry = error.entry();
        let text = text(error);
        let mut response = axum::Json(json!({ "error": text })).into_response();
        let headers = response.headers_mut();
        headers.insert("x-error-message", header_value(&text));
        if let Some(code) = entry.hub {
            headers.insert("x-error-code", HeaderValue::from_static(code));
        }
        if let Error::Range { size } = error {
            headers.insert(header::CONTENT_RANGE, header_value(&format!("bytes */{size}")));
        }
        response
    }
}

/// An address below ours that stands for nothing, such as the parts of the protocol that we do not speak.
pub async fn not_found(uri: Uri) -> Refusal<Hub> {
    Error::PageNotFound(uri.path().to_owned()).into()
}

/// What is said of an error. Clients look for some of these words.
fn text(error: &Error) -> String {
    match error.code() {
        Code::BadToken => "Invalid credentials in Authorization header".to_owned(),
        Code::EntryNotFound => format!("{}. A file with this name doesn't exist", error.detail()),
        _ => format!("{}. Hint: {}", error.detail(), error.entry().hint),
    }
}

/// The repository that an address names, and what else it names in it.
#[derive(Debug)]
pub struct Place {
    kind: RepositoryKind,
    name: RepositoryName,
    /// Empty where the address has none.
    revision: String,
    /// What follows it; empty where nothing does.
    path: String,
}

impl Place {
    fn at(&self) -> At<'_> {
        At { kind: self.kind, name: &self.name, revision: &self.revision }
    }
}

impl FromRequestParts<Arc<App>> for Place {
    type Rejection = Refusal<Hub>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        // Absent only where a route was put into the table without its kind.
        let kind = parts.extensions.get::<RepositoryKind>().copied();
        let kind = kind.ok_or(Error::Internal("tell the kind of repository"))?;
        let params = RawPathParams::from_request_parts(parts, app).await;
        let params = params.map_err(|_| Error::BadRequest("the address is not UTF-8".to_owned()))?;
        let param =
            |wanted: &str| params.iter().find(|(name, _)| *name == wanted).map_or("", |(_, value)| value);
        // `owner/name.git` is how tools of git write it.
        let (owner, name) = (param("owner"), param("name"));
        let name = name.strip_suffix(".git").unwrap_or(name);
        // What cannot be a name is the name of nothing.
        let name = RepositoryName::new(owner, name)
            .map_err(|_| Error::RepositoryNotFound(format!("{owner}/{name}")))?;
        Ok(Self { kind, name, revision: param("revision").to_owned(), path: param("path").to_owned() })
    }
}

/// A JSON body, whatever media type it was sent as. An empty one is `{}`.
pub struct Sent<T>(T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Sent<T> {
    type Rejection = Refusal<Hub>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let bytes = small_body(request, app).await?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let value = serde_json::from_slice(bytes).map_err(|error| Error::BadRequest(error.to_string()))?;
        Ok(Self(value))
    }
}

/// The body of a request that is no upload.
async fn small_body(request: Request, app: &Arc<App>) -> Result<Bytes, Error> {
    Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { limit: app.settings.request_limit.to_string() },
        _ => Error::BadRequest("the body broke off".to_owned()),
    })
}

/// Reads on without keeping anything. A connection that is closed while its client still sends takes the answer
/// with it.
pub(super) async fn drain(stream: &mut axum::body::BodyDataStream) {
    let mut n_bytes = 0;
    while let Some(Ok(block)) = stream.next().await {
        n_bytes += block.len();
        if n_bytes > DRAINED_BYTES {
            return;
        }
    }
}

/// The names and values after the `?` of an address, or in a form.
#[derive(Debug, Default)]
pub struct Params(Vec<(String, String)>);

impl Params {
    fn parse(text: &[u8]) -> Self {
        Self(url::form_urlencoded::parse(text).into_owned().collect())
    }

    pub(super) fn get(&self, name: &'static str) -> Option<&str> {
        self.all(name).next()
    }

    fn all(&self, name: &'static str) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(move |(key, value)| key == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    fn is_set(&self, name: &'static str) -> bool {
        self.get(name).is_some_and(|value| matches!(value, "true" | "True" | "1"))
    }

    fn limit(&self, default: u32) -> u32 {
        let most = u32::try_from(spec::limits::PAGE_ENTRIES).unwrap_or(u32::MAX);
        self.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(default).clamp(1, most)
    }
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::parse(parts.uri.query().unwrap_or_default().as_bytes()))
    }
}

/// What a request for a list asks, and what the address of its next page is made from.
#[derive(Debug, FromRequestParts)]
#[from_request(state(Arc<App>))]
pub struct Asked {
    base: Base,
    uri: OriginalUri,
    params: Params,
}

impl Asked {
    /// The header that leads to the next page: this very address with another cursor.
    fn next_page(&self, next: Option<&str>) -> Option<[(HeaderName, HeaderValue); 1]> {
        let next = next?;
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.params.0.iter().filter(|(name, _)| name != "cursor"));
        query.append_pair("cursor", next);
        let link = format!("<{}{}?{}>; rel=\"next\"", self.base.as_str(), self.uri.path(), query.finish());
        Some([(header::LINK, header_value(&link))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_keeps_what_was_asked() {
        let uri: Uri = "/api/models?filter=a&filter=b%2Fc&cursor=1".parse().unwrap();
        let params = Params::parse(uri.query().unwrap().as_bytes());
        let asked = Asked { base: Base::new("http://hub/"), uri: OriginalUri(uri), params };
        let [(_, link)] = asked.next_page(Some("2 3")).unwrap();
        assert_eq!(link, "<http://hub/api/models?filter=a&filter=b%2Fc&cursor=2+3>; rel=\"next\"");
        assert!(asked.next_page(None).is_none());
    }

    #[test]
    fn truth_is_written_in_three_ways() {
        let params = Params::parse(b"a=true&b=1&c=True&d=false&e=");
        assert!(params.is_set("a") && params.is_set("b") && params.is_set("c"));
        assert!(!params.is_set("d") && !params.is_set("e") && !params.is_set("f"));
    }
}
