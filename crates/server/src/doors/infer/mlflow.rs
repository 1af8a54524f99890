//! MLflow's scoring protocol: `invocations` and `ping`.
//!
//! Source: what `mlflow models serve` answers. Invariant: exactly one of the four forms of input, or 400.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::value::RawValue;
use spec::frame::IndexedTensor;

use super::body::Sent;
use super::receipt::Wanted;
use super::v1::no_rows;
use super::{Infer, Name, parse};
use crate::app::App;
use crate::doors::Answer;
use crate::error::Error;
use crate::ops::endpoints::predict;
use crate::predict::Misfit;
use crate::predict::plan::Plan;
use crate::predict::rows::Rows;

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    dataframe_split: Option<&'a RawValue>,
    #[serde(borrow)]
    dataframe_records: Option<&'a RawValue>,
    #[serde(borrow)]
    instances: Option<&'a RawValue>,
    #[serde(borrow)]
    inputs: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Split<'a> {
    #[serde(default)]
    columns: Option<Vec<serde_json::Value>>,
    #[serde(borrow)]
    data: &'a RawValue,
}

/// The two media types that are understood.
#[derive(Debug, Clone, Copy)]
enum Form {
    Json,
    Csv,
}

pub async fn ping(
    State(app): State<Arc<App>>,
    Path(name): Path<Name>,
    headers: HeaderMap,
) -> Answer<&'static str, Infer> {
    name.check_servable(&app, &headers, None).await?;
    Ok("\n")
}

pub async fn version(Path(_): Path<Name>) -> Response {
    env!("CARGO_PKG_VERSION").into_response()
}

pub async fn invocations(
    State(app): State<Arc<App>>,
    Path(name): Path<Name>,
    headers: HeaderMap,
    receipt: Wanted,
    Sent(body): Sent,
) -> Answer<Response, Infer> {
    let form = form(&headers)?;
    let open = name.open(&app, &headers, body.len()).await?;
    let (live, n_bytes) = (Arc::clone(&open.live), body.len());
    let read = move || {
        let plan = live.plan.as_ref().ok_or_else(no_rows)?;
        match form {
            Form::Json => read_json(plan, &body),
            Form::Csv => read_csv(plan, &body),
        }
        .map_err(Error::from)
    };
    let tensors = parse(n_bytes, read).await?;
    let predicted = predict::infer(&app, &open, &tensors).await?;
    let receipt = receipt.write(&app, &open, &tensors, &predicted).await?;
    Ok(super::predicted(predicted, receipt).await?)
}

fn form(headers: &HeaderMap) -> Result<Form, Error> {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let refuse = || Err(Error::MediaType(value.to_owned()));
    let mut parts = value.split(';').map(str::trim);
    let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
        "application/json" => Form::Json,
        "text/csv" => Form::Csv,
        _ => return refuse(),
    };
    for parameter in parts {
        match parameter.to_ascii_lowercase().as_str() {
            "charset=utf-8" | "" => {}
            _ => return refuse(),
        }
    }
    Ok(form)
}

fn read_json(plan: &Plan, body: &[u8]) -> Result<Vec<IndexedTensor>, Misfit> {
    let request: Request<'_> = serde_json::from_slice(body).map_err(|error| Misfit(error.to_string()))?;
    let Request { dataframe_split, dataframe_records, instances, inputs } = request;
    let mut rows = Rows::new(plan);
    match (dataframe_split, dataframe_records, instances, inputs) {
        (Some(split), None, None, None) => {
            let split: Split<'_> = serde_json::from_str(split.get())
                .map_err(|error| Misfit(format!("dataframe_split: {error}")))?;
            if let Some(columns) = named(&split) {
                rows.set_columns(columns)?;
            }
            rows.read_json(split.data.get())?;
        }
        (None, Some(list), None, None) | (None, None, Some(list), None) | (None, None, None, Some(list)) => {
            rows.read_json(list.get())?;
        }
        _ => {
            let forms = "`dataframe_split`, `dataframe_records`, `instances` or `inputs`";
            return Err(Misfit(format!("the body must be an object with exactly one of {forms}")));
        }
    }
    rows.into_tensors()
}

/// The columns' names, unless they are only numbers, as pandas writes for columns that have none.
fn named<'s>(split: &'s Split<'_>) -> Option<Vec<&'s str>> {
    let columns = split.columns.as_ref()?;
    columns.iter().map(serde_json::Value::as_str).collect()
}

fn read_csv(plan: &Plan, body: &[u8]) -> Result<Vec<IndexedTensor>, Misfit> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::Headers).from_reader(body);
    let misfit = |error: csv::Error| Misfit(format!("CSV: {error}"));
    let mut rows = Rows::new(plan);
    rows.set_columns(reader.headers().map_err(misfit)?.iter())?;
    for record in reader.records() {
        rows.read_texts(record.map_err(misfit)?.iter())?;
    }
    rows.into_tensors()
}
