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
use super::receipt::Wanted;
use super::{Infer, Name, parse, sent};
use crate::app::App;
use crate::doors::{Answer, Refusal};
use crate::error::Error;
use crate::ops::endpoints::predict::{self, Predicted};
use crate::predict::answers::{self, About};
use crate::predict::tensors::{self, Request};

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
    name.check_servable(&app, &headers, None).await?;
    Ok(axum::Json(json!({ "ready": true })).into_response())
}

pub async fn model_ready(
    State(app): State<Arc<App>>,
    Path(model): Path<Model>,
    headers: HeaderMap,
) -> Answer<Response, Infer> {
    model.name.check_model(&model.model)?;
    model.name.check_servable(&app, &headers, model.version.as_deref()).await?;
    Ok(axum::Json(json!({ "name": model.model, "ready": true })).into_response())
}

pub async fn metadata(
    State(app): State<Arc<App>>,
    Path(model): Path<Model>,
    headers: HeaderMap,
) -> Answer<Response, Infer> {
    model.name.check_model(&model.model)?;
    let open = model.name.open_version(&app, &headers, (0, model.version.as_deref())).await?;
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
    let now = name.described(&app, &headers, None).await?;
    let state = if now.is_servable { "READY" } else { "UNAVAILABLE" };
    let (version, reason) = (now.version, now.reason);
    Ok(axum::Json(json!([{ "name": name.model(), "version": version, "state": state, "reason": reason }]))
        .into_response())
}

pub async fn infer(
    State(app): State<Arc<App>>,
    Path(model): Path<Model>,
    headers: HeaderMap,
    receipt: Wanted,
    Sent(body): Sent,
) -> Answer<Response, Infer> {
    model.name.check_model(&model.model)?;
    let asked = (body.len(), model.version.as_deref());
    let open = model.name.open_version(&app, &headers, asked).await?;
    let n_json_bytes = json_length(&headers)?;
    let (live, n_bytes) = (Arc::clone(&open.live), body.len());
    let read = move || tensors::read(&live.schema, &body, n_json_bytes).map_err(Error::from);
    let request = parse(n_json_bytes.unwrap_or(n_bytes), read).await?;
    let predicted = predict::infer(&app, &open, &request.tensors).await?;
    let receipt = receipt.write(&app, &open, &request.tensors, &predicted).await?;
    let n_answer_bytes = predicted.n_bytes();
    let write = move || Ok(write(&model.model, &request, (&predicted, receipt.as_deref())));
    Ok(parse(n_answer_bytes, write).await?)
}

fn write(model: &str, request: &Request, (predicted, receipt): (&Predicted, Option<&str>)) -> Response {
    let version = predicted.live.target.revision.to_string();
    let about = About { model, version: &version, id: request.id.as_deref(), receipt };
    let encoded = answers::encode(&predicted.live.schema, about, &predicted.answer.tensors, &request.wanted);
    let Some(n_json_bytes) = encoded.n_json_bytes else {
        return sent(predicted.names(), encoded.body, "application/json");
    };
    let mut response = sent(predicted.names(), encoded.body, "application/octet-stream");
    response.headers_mut().insert(JSON_LENGTH, HeaderValue::from(n_json_bytes));
    response
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
