//! Open Inference Protocol V2 over REST, JSON and binary tensors.
//!
//! Source: the protocol's REST specification and its binary tensor data extension; `tritonclient` and `kserve`
//! are the clients it is tried with. Invariant: what a client asks for by name comes back in that order.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::body::Sent;
use super::{Infer, Name, name_model, parse, sent};
use crate::app::App;
use crate::doors::{Answer, Refusal};
use crate::error::Error;
use crate::ops::endpoints::predict;
use crate::predict::answers::{self, About};
use crate::predict::tensors;

/// Where the JSON of a request or answer with raw tensors ends.
pub(super) const JSON_LENGTH: &str = "inference-header-content-length";

/// The address of a model's own things.
#[derive(Debug, serde::Deserialize)]
pub struct Model {
    #[serde(flatten)]
    pub(super) name: Name,
    pub(super) model: String,
    pub(super) version: Option<String>,
}

pub async fn server(Path(_): Path<Name>) -> Response {
    let version = env!("CARGO_PKG_VERSION");
    axum::Json(json!({ "name": "reenact", "version": version, "extensions": ["binary_tensor_data", "model_repository", "generate"] }))
        .into_response()
}

pub async fn live(Path(_): Path<Name>) -> Response {
    axum::Json(json!({ "live": true })).into_response()
}

/// Ready when a request would be answered, by waking the model if need be.
pub async fn ready(
    State(app): State<Arc<App>>,
    Path(name): Path<Name>,
    headers: HeaderMap,
) -> Answer<Response, Infer> {
    check(&app, &headers, &name).await?;
    Ok(axum::Json(json!({ "ready": true })).into_response())
}

pub async fn model_ready(
    State(app): State<Arc<App>>,
    Path(model): Path<Model>,
    headers: HeaderMap,
) -> Answer<Response, Infer> {
    model.name.check_model(&model.model)?;
    check(&app, &headers, &model.name).await?;
    Ok(axum::Json(json!({ "name": model.model, "ready": true })).into_response())
}

pub async fn metadata(
    State(app): State<Arc<App>>,
    Path(model): Path<Model>,
    headers: HeaderMap,
) -> Answer<Response, Infer> {
    model.name.check_model(&model.model)?;
    let open = model.name.open(&app, &headers, 0).await?;
    let live = &open.live;
    let version = live.target.revision.to_string();
    let body = json!({
        "name": model.model,
        "versions": [version],
        "platform": super::platform(live),
        "inputs": live.schema.inputs,
        "outputs": live.schema.outputs,
    });
    Ok(super::told(open.names(), &body))
}

/// The one model of this endpoint, as a list.
pub async fn index(
    State(app): State<Arc<App>>,
    Path(name): Path<Name>,
    headers: HeaderMap,
) -> Answer<Response, Infer> {
    let now = name.described(&app, &headers).await?;
    let state = if now.is_servable { "READY" } else { "UNAVAILABLE" };
    let (version, reason) = (now.version, now.reason);
    Ok(axum::Json(json!([{ "name": name.model(), "version": version, "state": state, "reason": reason }]))
        .into_response())
}

pub async fn infer(
    State(app): State<Arc<App>>,
    Path(model): Path<Model>,
    headers: HeaderMap,
    Sent(body): Sent,
) -> Answer<Response, Infer> {
    model.name.check_model(&model.model)?;
    let open = model.name.open(&app, &headers, body.len()).await?;
    check_version(model.version.as_deref(), &open.live.target.revision.to_string())?;
    let n_json_bytes = json_length(&headers)?;
    let (live, n_bytes) = (Arc::clone(&open.live), body.len());
    let read = move || tensors::read(&live.schema, &body, n_json_bytes).map_err(Error::from);
    let request = parse(n_json_bytes.unwrap_or(n_bytes), read).await?;
    let predicted = predict::infer(&app, &open, &request.tensors).await?;
    let version = predicted.live.target.revision.to_string();
    let about = About { model: &model.model, version: &version, id: request.id.as_deref() };
    let encoded = answers::encode(&predicted.live.schema, about, &predicted.answer.tensors, &request.wanted);
    let Some(n_json_bytes) = encoded.n_json_bytes else {
        return Ok(sent(predicted.names(), encoded.body, "application/json"));
    };
    let mut response = sent(predicted.names(), encoded.body, "application/octet-stream");
    response.headers_mut().insert(JSON_LENGTH, HeaderValue::from(n_json_bytes));
    name_model(predicted.names(), response.headers_mut());
    Ok(response)
}

/// Loading and unloading are the owner's deploy and stop, not a client's.
pub async fn refuse_load() -> Refusal<Infer> {
    Error::BadRequest(
        "models are loaded by `reenact deploy` and unloaded by `reenact endpoints stop`".to_owned(),
    )
    .into()
}

fn json_length(headers: &HeaderMap) -> Result<Option<usize>, Error> {
    let Some(value) = headers.get(JSON_LENGTH) else { return Ok(None) };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length.map(Some).ok_or_else(|| Error::BadRequest(format!("header `{JSON_LENGTH}` is no number of bytes")))
}

/// A version is a revision; only the one that is served can be asked.
pub(super) fn check_version(asked: Option<&str>, served: &str) -> Result<(), Error> {
    match asked {
        Some(version) if version.len() < 5 || !served.starts_with(version) => {
            Err(Error::NotFound { what: "version of this model served now:", name: version.to_owned() })
        }
        _ => Ok(()),
    }
}

async fn check(app: &App, headers: &HeaderMap, name: &Name) -> Result<(), Error> {
    let now = name.described(app, headers).await?;
    match now.is_servable {
        true => Ok(()),
        false => Err(Error::EndpointDown {
            repository: name.full(),
            state: now.state.as_str(),
            reason: now.reason,
        }),
    }
}
