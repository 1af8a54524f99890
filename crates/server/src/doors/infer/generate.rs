//! The generate extension of the Open Inference Protocol: one row in, one text out, whole or piece by piece.
//!
//! Source: the extension as Triton and KServe describe it. A request names the model's inputs, at its top or under
//! `parameters`; `text_input` stands for the only input of a model that has no other. Invariant: an error before the
//! first piece has its status, a later one is the last event.

use std::convert::Infallible;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Map, Value, json};
use spec::frame::IndexedTensor;
use spec::limits;

use super::body::Sent;
use super::receipt::Wanted;
use super::v1::no_rows;
use super::v2::Model;
use super::{name_model, parse, told};
use crate::app::App;
use crate::doors::Answer;
use crate::error::Error;
use crate::gateway::Live;
use crate::ops::endpoints::predict::{self, Open, stream as pieces};
use crate::predict::Misfit;
use crate::predict::answers;
use crate::predict::rows::Rows;

/// The name of a model's only input, where it is not called by its own.
const INPUT: &str = "text_input";
/// The name of what comes out.
const OUTPUT: &str = "text_output";

/// One question, understood.
struct Asked {
    open: Open,
    tensors: Vec<IndexedTensor>,
    about: Map<String, Value>,
}

pub async fn whole(
    State(app): State<Arc<App>>,
    Path(model): Path<Model>,
    headers: HeaderMap,
    receipt: Wanted,
    Sent(body): Sent,
) -> Answer<Response, super::Infer> {
    let Asked { open, tensors, mut about } = read(&app, &model, &headers, body).await?;
    let predicted = predict::infer(&app, &open, &tensors).await?;
    let predictions = answers::predictions(&predicted.live.schema, &predicted.answer.tensors);
    let text = predictions.first().map(answers::text).unwrap_or_default();
    about.insert(OUTPUT.to_owned(), Value::String(text));
    let receipt = receipt.write(&app, &open, &tensors, &predicted).await?;
    about.extend(receipt.map(|receipt| ("receipt".to_owned(), Value::String(receipt))));
    Ok(told(predicted.names(), &Value::Object(about)))
}

pub async fn in_pieces(
    State(app): State<Arc<App>>,
    Path(model): Path<Model>,
    headers: HeaderMap,
    receipt: Wanted,
    Sent(body): Sent,
) -> Answer<Response, super::Infer> {
    receipt.refuse("receipts for answers in pieces")?;
    let Asked { open, tensors, about } = read(&app, &model, &headers, body).await?;
    let pieces = pieces::begin(&app, open, &tensors).await?;
    let names = pieces.names().to_vec();
    let events = stream::unfold((pieces.relay(), about), |(mut pieces, about)| async {
        let data = match pieces.recv().await? {
            Ok(text) => {
                let mut data = about.clone();
                data.insert(OUTPUT.to_owned(), Value::String(text));
                Value::Object(data)
            }
            Err(error) => {
                crate::doors::report(&error);
                let entry = error.entry();
                json!({ "error": format!("{}; hint: {}", error.detail(), entry.hint), "code": entry.name })
            }
        };
        Some((Ok::<_, Infallible>(Event::default().data(data.to_string())), (pieces, about)))
    });
    let mut response = Sse::new(events).into_response();
    name_model(&names, response.headers_mut());
    Ok(response)
}

async fn read(
    app: &Arc<App>,
    model: &Model,
    headers: &HeaderMap,
    body: axum::body::Bytes,
) -> Result<Asked, Error> {
    model.name.check_model(&model.model)?;
    let open = model.name.open_version(app, headers, (body.len(), model.version.as_deref())).await?;
    let version = open.live.target.revision.to_string();
    let (live, n_bytes) = (Arc::clone(&open.live), body.len());
    let (tensors, id) = parse(n_bytes, move || row(&live, &body)).await?;
    let mut about = Map::new();
    about.insert("model_name".to_owned(), json!(model.model));
    about.insert("model_version".to_owned(), json!(version));
    about.extend(id.map(|id| ("id".to_owned(), Value::String(id))));
    Ok(Asked { open, tensors, about })
}

/// The only row, and the request's own id.
fn row(live: &Live, body: &[u8]) -> Result<(Vec<IndexedTensor>, Option<String>), Error> {
    let plan = live.plan.as_ref().ok_or_else(no_rows)?;
    let mut given: Map<String, Value> =
        serde_json::from_slice(body).map_err(|error| Misfit(error.to_string()))?;
    let id = match plan.column_named("id") {
        None => id(given.remove("id"))?,
        Some(_) => None,
    };
    if plan.column_named("parameters").is_none()
        && let Some(parameters) = given.remove("parameters")
    {
        let Value::Object(parameters) = parameters else {
            return Err(Misfit("`parameters` is no object".to_owned()).into());
        };
        for (name, value) in parameters {
            given.entry(name).or_insert(value);
        }
    }
    if let [only] = plan.columns.as_slice()
        && plan.column_named(INPUT).is_none()
        && let Some(text) = given.remove(INPUT)
    {
        given.insert(only.name.clone(), text);
    }
    let mut rows = Rows::new(plan);
    rows.read_json(&Value::Array(vec![Value::Object(given)]).to_string())?;
    Ok((rows.into_tensors()?, id))
}

/// What a client calls its request. Every piece of an answer says it again.
fn id(given: Option<Value>) -> Result<Option<String>, Misfit> {
    match given {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.len() <= limits::REQUEST_ID_BYTES => Ok(Some(id)),
        Some(_) => Err(Misfit(format!("`id` is a text of at most {} bytes", limits::REQUEST_ID_BYTES))),
    }
}
