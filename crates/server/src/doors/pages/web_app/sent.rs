//! The form of a web app as a browser sends it: fields alone, or files among them.
//!
//! Knows how forms are written, nothing of what is in them. Invariant: no form is longer than a request to the
//! endpoint itself may be.

use std::sync::Arc;

use axum::extract::multipart::MultipartError;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::{Form, RequestExt};

use crate::app::App;
use crate::doors::Refusal;
use crate::doors::pages::Html;
use crate::error::Error;

/// Names and values in their order.
#[derive(Debug)]
pub struct Sent(pub Vec<(String, Vec<u8>)>);

impl FromRequest<Arc<App>> for Sent {
    type Rejection = Refusal<Html>;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let has_files = content_type.is_some_and(|value| value.starts_with("multipart/form-data"));
        let too_large = || Error::TooLarge { limit: app.settings.predict_limit.to_string() };
        if !has_files {
            let fields = request.extract::<Form<Vec<(String, String)>>, _>().await;
            let Form(fields) = fields.map_err(|error| match error.status() {
                StatusCode::PAYLOAD_TOO_LARGE => too_large(),
                StatusCode::UNSUPPORTED_MEDIA_TYPE => Error::MediaType("what is no form".to_owned()),
                _ => Error::BadRequest("the form could not be read".to_owned()),
            })?;
            return Ok(Self(fields.into_iter().map(|(name, value)| (name, value.into_bytes())).collect()));
        }
        let refuse = |error: MultipartError| match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => too_large(),
            _ => Error::BadRequest(format!("the form cannot be read: {}", error.body_text())),
        };
        let form = request.extract::<Multipart, _>().await;
        let mut form = form.map_err(|error| Error::BadRequest(error.body_text()))?;
        let mut fields = Vec::new();
        while let Some(field) = form.next_field().await.map_err(refuse)? {
            let name = field.name().unwrap_or_default().to_owned();
            fields.push((name, field.bytes().await.map_err(refuse)?.to_vec()));
        }
        Ok(Self(fields))
    }
}
