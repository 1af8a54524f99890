//! The doors at which models answer: Open Inference Protocol V2 over HTTP and gRPC, KServe V1 and MLflow scoring.
//!
//! Those over HTTP share one address, `/endpoints/OWNER/NAME/`, and all of them one way to the model and one table of errors.
//! Invariant: each answer's headers name repository, revision and weights.

use std::sync::Arc;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use spec::api::{EndpointState, Target};

use super::Dialect;
use super::identity;
use crate::app::App;
use crate::error::Error;
use crate::gateway::Live;
use crate::gateway::live::Names;
use crate::ops::access::Action;
use crate::ops::endpoints;
use crate::ops::endpoints::predict::{self, Open, Predicted};
use crate::ops::endpoints::targets::{self, Choice};
use crate::ops::links::{Guest, guard};
use crate::predict::answers;
use crate::secrets::Secret;

mod body;
pub mod generate;
pub mod grpc;
pub mod mlflow;
pub mod openapi;
mod origins;
mod receipt;
pub mod v1;
pub mod v2;

pub use origins::other_origins;

/// Bodies above this many bytes are read and written where they hold up no other request.
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

/// What an address asks: the endpoint `OWNER/NAME`, or the model that a link leads to.
#[derive(Debug, serde::Deserialize)]
pub struct Name {
    #[serde(default)]
    owner: String,
    #[serde(default)]
    name: String,
    /// A link's secret.
    #[serde(default)]
    link: Option<String>,
}

/// What the model is called that a link leads to, whatever its repository is called.
const LINKED: &str = "model";

impl Name {
    /// Opens it for a request of this size.
    async fn open(&self, app: &Arc<App>, headers: &HeaderMap, n_bytes: usize) -> Result<Open, Error> {
        self.open_version(app, headers, (n_bytes, None)).await
    }

    /// The same for whoever names a revision, by its first digits.
    async fn open_version(
        &self,
        app: &Arc<App>,
        headers: &HeaderMap,
        (n_bytes, version): (usize, Option<&str>),
    ) -> Result<Open, Error> {
        match &self.link {
            Some(secret) => {
                let guest = guard::admit(app, &Secret::new(secret.clone())).await?;
                check_version(version, &guest)?;
                predict::open_link(app, &guest, n_bytes as u64).await
            }
            None => {
                let actor = identity::recognise(app, &Method::POST, headers).await?;
                let choice = Choice {
                    revision: version.or_else(|| text(headers, &REVISION)),
                    key: headers.get(&KEY).map(HeaderValue::as_bytes),
                };
                predict::open(app, &actor, &self.full(), (n_bytes as u64, choice)).await
            }
        }
    }

    /// How its endpoint stands, or the target that is named by the first digits of its revision, for whoever may ask it.
    async fn described(&self, app: &App, headers: &HeaderMap, version: Option<&str>) -> Result<State, Error> {
        if let Some(secret) = &self.link {
            let guest = guard::admit(app, &Secret::new(secret.clone())).await?;
            check_version(version, &guest)?;
            // Whatever a link leads to wakes when it is asked.
            let (version, reason) = (guest.link.oid.to_string(), String::new());
            return Ok(State { version, is_servable: true, state: EndpointState::Idle, reason });
        }
        let actor = identity::recognise(app, &Method::GET, headers).await?;
        let described = endpoints::get_for(app, &actor, &self.full().parse()?, Action::Predict).await?;
        let newest = described.row.oid.to_string();
        if let Some(version) = version.or_else(|| text(headers, &REVISION)) {
            let mut targets = described.targets.iter();
            if let Some(target) = targets.find(|target| targets::is_named(version, &target.revision)) {
                let (version, state) = (target.revision.clone(), target.state);
                return Ok(State { version, is_servable: state.is_servable(), state, reason: String::new() });
            }
            if !targets::is_named(version, &newest) {
                return Err(targets::unknown(version));
            }
        }
        // Where a deploy did not start, what answered before goes on.
        let answers = |target: &Target| target.revision != newest;
        let is_servable = described.state.is_servable() || described.targets.iter().any(answers);
        Ok(State { version: newest, is_servable, state: described.state, reason: described.reason })
    }

    /// Refuses where a request would not be answered, not even by waking the model.
    async fn check_servable(
        &self,
        app: &App,
        headers: &HeaderMap,
        version: Option<&str>,
    ) -> Result<(), Error> {
        let now = self.described(app, headers, version).await?;
        match now.is_servable {
            true => Ok(()),
            false => Err(Error::EndpointDown {
                repository: self.full(),
                state: now.state.as_str(),
                reason: now.reason,
            }),
        }
    }

    fn full(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// What the one model at this address is called.
    fn model(&self) -> &str {
        if self.link.is_some() { LINKED } else { &self.name }
    }

    /// The model at this address has the repository's name, and no other is here.
    fn check_model(&self, model: &str) -> Result<(), Error> {
        match model.eq_ignore_ascii_case(self.model()) {
            true => Ok(()),
            false => Err(Error::NotFound {
                what: "model at this endpoint, but for its own name:",
                name: model.to_owned(),
            }),
        }
    }
}

/// The header that names the revision which is to answer.
const REVISION: HeaderName = HeaderName::from_static("x-reenact-revision");
/// The header by which requests that belong together are answered by one revision.
const KEY: HeaderName = HeaderName::from_static("x-reenact-key");

fn text<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or_default())
}

/// A link leads to one revision, by whichever of its first digits it is named.
fn check_version(asked: Option<&str>, guest: &Guest) -> Result<(), Error> {
    match asked {
        Some(version) if !targets::is_named(version, &guest.link.oid.to_string()) => {
            Err(targets::unknown(version))
        }
        _ => Ok(()),
    }
}

/// How what an address asks stands.
struct State {
    version: String,
    is_servable: bool,
    state: EndpointState,
    reason: String,
}

/// What computes, as these protocols name it.
fn platform(live: &Live) -> &str {
    match live.hello().backend.as_str() {
        "onnxruntime" => "onnxruntime_onnx",
        other => other,
    }
}

/// Does work on so many bytes of a request or an answer here, or apart if they are many.
async fn parse<T: Send + 'static>(
    n_bytes: usize,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    if n_bytes < LARGE_BODY_BYTES {
        return work();
    }
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Internal("read or write a body"))?
}

/// A JSON answer that names the model.
fn told(names: &Names, value: &Value) -> Response {
    let mut response = axum::Json(value).into_response();
    name_model(names, response.headers_mut());
    response
}

/// Predictions, with the receipt for them where one was asked for.
async fn predicted(predicted: Predicted, receipt: Option<String>) -> Result<Response, Error> {
    parse(predicted.n_bytes(), move || {
        let predictions = answers::predictions(&predicted.live.schema, &predicted.answer.tensors);
        let mut body = json!({ "predictions": predictions });
        if let Some(receipt) = receipt {
            body["receipt"] = Value::String(receipt);
        }
        Ok(told(predicted.names(), &body))
    })
    .await
}

fn name_model(names: &Names, headers: &mut HeaderMap) {
    for (name, value) in names {
        headers.insert(*name, value.clone());
    }
}

/// A body with its media type and the model's names.
fn sent(names: &Names, body: Vec<u8>, media_type: &'static str) -> Response {
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    // Room for these, their length and the date, at once.
    headers.reserve(names.len() + 3);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    name_model(names, headers);
    response
}
