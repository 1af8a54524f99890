//! The doors at which models answer: Open Inference Protocol V2, KServe V1 and MLflow scoring.
//!
//! They share one address, `/endpoints/OWNER/NAME/`, one way to the model and one form of errors that every
//! client of theirs can read. Invariant: each answer's headers name repository, revision and weights.

use std::sync::Arc;

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Dialect;
use super::identity;
use crate::app::App;
use crate::error::Error;
use crate::gateway::Live;
use crate::ops::endpoints::predict::{self, Open};

mod body;
pub mod mlflow;
pub mod v1;
pub mod v2;

/// Bodies above this many bytes are parsed where they hold up no other request.
const LARGE_BODY_BYTES: usize = 128 * 1024;

/// How these protocols write an error: `error` for V1 and V2, `error_code` and `message` for MLflow.
#[derive(Debug)]
pub struct Infer;

impl Dialect for Infer {
    fn write(error: &Error) -> Response {
        let entry = error.entry();
        let detail = error.detail();
        let code = if entry.status == 400 {
            "BAD_REQUEST".to_owned()
        } else {
            entry.name.to_uppercase().replace('-', "_")
        };
        let body = json!({
            "error": format!("{detail}; hint: {}", entry.hint),
            "error_code": code,
            "message": detail,
            "hint": entry.hint,
            "code": entry.name,
        });
        axum::Json(body).into_response()
    }
}

/// Opens the endpoint that an address names, for a request of this size.
async fn open(app: &Arc<App>, name: &Name, headers: &HeaderMap, n_bytes: usize) -> Result<Open, Error> {
    let actor = identity::recognise(app, &Method::POST, headers).await?;
    predict::open(app, &actor, &name.full(), n_bytes as u64).await
}

/// `OWNER` and `NAME` of the address.
#[derive(Debug, serde::Deserialize)]
pub struct Name {
    owner: String,
    name: String,
}

impl Name {
    fn full(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// The model at this address has the repository's name, and no other is here.
    fn check_model(&self, model: &str) -> Result<(), Error> {
        match model.eq_ignore_ascii_case(&self.name) {
            true => Ok(()),
            false => Err(Error::NotFound {
                what: "model at this endpoint, but for its own name:",
                name: model.to_owned(),
            }),
        }
    }
}

/// Does work on a body here, or apart if there is much of it.
async fn parse<T: Send + 'static>(
    n_bytes: usize,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if n_bytes < LARGE_BODY_BYTES {
        return work();
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Internal("parse a request"))?
}

/// A JSON answer that names the model.
fn told(live: &Live, value: &Value) -> Response {
    let mut response = axum::Json(value).into_response();
    name_model(live, response.headers_mut());
    response
}

fn name_model(live: &Live, headers: &mut HeaderMap) {
    for (name, value) in &live.names {
        headers.insert(*name, value.clone());
    }
}

/// A body with its media type and the model's names.
fn sent(live: &Live, body: Vec<u8>, media_type: &'static str) -> Response {
    let mut response = Bytes::from(body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    name_model(live, response.headers_mut());
    response
}
