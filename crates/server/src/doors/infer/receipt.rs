//! Whether a request to a model asks for a receipt.
//!
//! By a header or in the address, so that every client can. Invariant: who did not ask gets the answer that the
//! protocol describes and nothing more.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use spec::frame::IndexedTensor;

use crate::app::App;
use crate::error::Error;
use crate::ops::endpoints::predict::{Open, Predicted};
use crate::ops::receipts;

/// The header by which a receipt is asked for.
pub const HEADER: HeaderName = HeaderName::from_static("x-reenact-receipt");

/// Whether a receipt is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted(bool);

impl FromRequestParts<Arc<App>> for Wanted {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Self::Rejection> {
        let mut pairs =
            parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        let is_wanted = pairs.any(|(name, value)| name == "receipt" && is_yes(value));
        Ok(Self(is_wanted || Self::by_header(&parts.headers).0))
    }
}

fn is_yes(value: &str) -> bool {
    matches!(value, "1" | "true")
}

impl Wanted {
    /// What a header alone says.
    pub fn by_header(headers: &HeaderMap) -> Self {
        Self(headers.get(HEADER).and_then(|value| value.to_str().ok()).is_some_and(is_yes))
    }

    /// For answers that have no receipts.
    pub fn refuse(self, what: &'static str) -> Result<(), Error> {
        match self.0 {
            true => Err(Error::NotOffered(what)),
            false => Ok(()),
        }
    }

    /// The receipt, if it is wanted.
    pub async fn write(
        self,
        app: &App,
        open: &Open,
        input: &[IndexedTensor],
        predicted: &Predicted,
    ) -> Result<Option<String>, Error> {
        match self.0 {
            true => receipts::write(app, open, input, predicted).await.map(Some),
            false => Ok(None),
        }
    }
}
