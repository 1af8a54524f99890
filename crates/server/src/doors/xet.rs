//! The door of the Xet protocol: chunks in and out, as `hf_xet` moves them.
//!
//! Speaks the protocol and decides nothing. Whoever comes shows a pass that the door `hub` handed out, or an address that
//! carries its own right. Invariant: what clients meet with another try is never answered to a mistake of theirs.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, CONTENT_RANGE, RANGE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use spec::xet::XetHash;

use super::hub::range::{self, Wanted};
use super::{Answer, Dialect, Refusal, header_value};
use crate::app::App;
use crate::error::Error;
use crate::ops::transfers::{self, Pass, Right};
use crate::secrets::Secret;

pub mod files;
pub mod shards;
pub mod xorbs;

/// How this door writes errors.
#[derive(Debug)]
pub struct Xet;

impl Dialect for Xet {
    fn write(error: &Error) -> Response {
        let text = format!("{}. Hint: {}", error.detail(), error.entry().hint);
        let mut response = axum::Json(json!({ "error": text })).into_response();
        if let Error::Range { size } = error {
            response.headers_mut().insert(CONTENT_RANGE, header_value(&format!("bytes */{size}")));
        }
        response
    }
}

/// A part of the protocol that we do not speak. Clients then go another way.
pub async fn not_found(uri: Uri) -> Refusal<Xet> {
    Error::PageNotFound(uri.path().to_owned()).into()
}

/// Whoever may read.
#[derive(Debug)]
pub struct Reader(Pass);

/// Whoever may write.
#[derive(Debug)]
pub struct Writer(Pass);

impl FromRequestParts<Arc<App>> for Reader {
    type Rejection = Refusal<Xet>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Self(admit(parts, app, Right::Read).await?))
    }
}

impl FromRequestParts<Arc<App>> for Writer {
    type Rejection = Refusal<Xet>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        Ok(Self(admit(parts, app, Right::Write).await?))
    }
}

async fn admit(parts: &Parts, app: &App, right: Right) -> Result<Pass, Error> {
    let value = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let secret = value.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Error::NotSignedIn)?;
    transfers::admit(app, &Secret::new(secret.trim().to_owned()), right).await
}

/// The hash in an address.
fn hash(text: &str) -> Result<XetHash, Error> {
    text.parse().map_err(|_| Error::BadRequest(format!("`{text}` is not a hash: 64 hex digits")))
}

/// The header `Range`, of what has no length yet.
fn wanted(headers: &HeaderMap) -> Result<Option<std::ops::Range<u64>>, Error> {
    match range::parse(headers.get(RANGE).and_then(|value| value.to_str().ok()), u64::MAX) {
        Wanted::Whole => Ok(None),
        Wanted::Part(part) => Ok(Some(part)),
        Wanted::Outside => Err(Error::BadRequest("the range is empty".to_owned())),
    }
}
