//! KServe V1: `instances` in, `predictions` or `explanations` out.
//!
//! Source: KServe's V1 data plane. Invariant: one prediction or explanation for each instance, in their order.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::body::Sent;
use super::receipt::Wanted;
use super::{Infer, Name, parse, told};
use crate::app::App;
use crate::doors::Answer;
use crate::error::Error;
use crate::ops::endpoints::predict;
use crate::predict::Misfit;
use crate::predict::answers;
use crate::predict::rows::Rows;

/// The address of a model and what is to be done with it, `NAME`, `NAME:predict` or `NAME:explain`.
#[derive(Debug, Deserialize)]
pub struct Verb {
    #[serde(flatten)]
    name: Name,
    verb: String,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    instances: &'a RawValue,
}

pub async fn models(Path(name): Path<Name>) -> Response {
    axum::Json(json!({ "models": [name.model()] })).into_response()
}

pub async fn model(
    State(app): State<Arc<App>>,
    Path(verb): Path<Verb>,
    headers: HeaderMap,
) -> Answer<Response, Infer> {
    verb.name.check_model(&verb.verb)?;
    let now = verb.name.described(&app, &headers, None).await?;
    Ok(axum::Json(json!({ "name": verb.verb, "ready": now.is_servable })).into_response())
}

/// What is asked of a model.
#[derive(Debug, Clone, Copy)]
enum Asked {
    Predictions,
    Explanations,
}

pub async fn ask(
    State(app): State<Arc<App>>,
    Path(verb): Path<Verb>,
    headers: HeaderMap,
    receipt: Wanted,
    Sent(body): Sent,
) -> Answer<Response, Infer> {
    let (model, wanted) = match verb.verb.split_once(':') {
        Some((model, "predict")) => (model, Asked::Predictions),
        Some((model, "explain")) => (model, Asked::Explanations),
        Some((_, other)) => {
            return Err(Error::NotFound { what: "verb of a model", name: other.to_owned() }.into());
        }
        None => return Err(Error::Method(verb.verb).into()),
    };
    verb.name.check_model(model)?;
    let open = verb.name.open(&app, &headers, body.len()).await?;
    let (live, n_bytes) = (Arc::clone(&open.live), body.len());
    let read = move || {
        let plan = live.plan.as_ref().ok_or_else(no_rows)?;
        let request: Request<'_> =
            serde_json::from_slice(&body).map_err(|error| Misfit(error.to_string()))?;
        let mut rows = Rows::new(plan);
        rows.read_json(request.instances.get())?;
        Ok(rows.into_tensors()?)
    };
    let tensors = parse(n_bytes, read).await?;
    match wanted {
        Asked::Predictions => {
            let predicted = predict::infer(&app, &open, &tensors).await?;
            let receipt = receipt.write(&app, &open, &tensors, &predicted).await?;
            Ok(super::predicted(predicted, receipt).await?)
        }
        Asked::Explanations => {
            receipt.refuse("receipts for explanations")?;
            let predicted = predict::explain(&app, &open, &tensors).await?;
            let n_answer_bytes = predicted.n_bytes();
            let write = move || {
                let explanations = answers::explanations(&predicted.answer.tensors);
                Ok(told(predicted.names(), &json!({ "explanations": explanations })))
            };
            Ok(parse(n_answer_bytes, write).await?)
        }
    }
}

/// What a model without rows answers to protocols that know rows only.
pub(super) fn no_rows() -> Error {
    Error::BadInput("this model takes tensors, not rows: use the Open Inference Protocol (`v2/…`)".to_owned())
}
