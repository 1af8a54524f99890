//! Whether a request to a model asks for a receipt.
//!
//! By a header or in the address, so that every client can. Invariant: who did not ask gets the answer that the
//! protocol describes and nothing more.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use spec::frame::IndexedTensor;

use crate::app::App;
use crate::error::Error;
use crate::ops::endpoints::predict::{Open, Predicted};
use crate::ops::receipts;

const HEADER: &str = "x-reenact-receipt";

/// Whether a receipt is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted(bool);

impl FromRequestParts<Arc<App>> for Wanted {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Self::Rejection> {
        let is_yes = |value: &str| matches!(value, "1" | "true");
        let header = parts.headers.get(HEADER).and_then(|value| value.to_str().ok()).is_some_and(is_yes);
        let mut pairs =
            parts.uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
        Ok(Self(header || pairs.any(|(name, value)| name == "receipt" && is_yes(value))))
    }
}

impl Wanted {
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
