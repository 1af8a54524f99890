//! Recording some of the requests to an endpoint whose owner asked for it.
//!
//! Knows tensors and rows. Invariants: what comes by a link is never recorded; no request waits for its record; when
//! too many records wait to be written, more are dropped.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Map, Value, json};
use spec::frame::IndexedTensor;
use spec::limits::RECORDED_BYTES;
use spec::tensor::TensorSpec;
use store::clock;
use store::db::endpoints::recorded::{self, NewRecorded};

use crate::app::App;
use crate::error::Error;
use crate::gateway::{Live, Service};
use crate::predict::answers;

/// Records that may wait to be written.
const WAITING: usize = 64;
/// Elements of a tensor that can fit into a record.
const ELEMENTS: usize = RECORDED_BYTES / 2;

/// How many records wait to be written in this process.
static N_WAITING: AtomicUsize = AtomicUsize::new(0);

/// What was asked and what became of it.
pub(super) struct Asked<'a> {
    pub live: &'a Live,
    pub tensors: &'a [IndexedTensor],
    pub outcome: Outcome<'a>,
    pub took: Duration,
}

/// What became of a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome<'a> {
    Tensors(&'a [IndexedTensor]),
    /// The beginning of an answer in pieces.
    Text(&'a str),
    Failed(&'a Error),
}

/// Records it.
pub(super) fn note(app: &Arc<App>, service: &Service, asked: &Asked<'_>) {
    if N_WAITING.fetch_add(1, Ordering::Relaxed) >= WAITING {
        N_WAITING.fetch_sub(1, Ordering::Relaxed);
        return;
    }
    let live = asked.live;
    let (outcome, response) = match asked.outcome {
        Outcome::Tensors(tensors) => ("answered", text(&live.schema.outputs, tensors)),
        Outcome::Text(said) => {
            let name = live.schema.outputs.first().map(|spec| spec.name.as_str()).unwrap_or_default();
            ("answered", cut(json!({ name: [said] }).to_string()))
        }
        Outcome::Failed(error) => (error.entry().name, cut(error.detail())),
    };
    let new = NewRecorded {
        repository_id: service.repository,
        revision: live.target.revision.to_string(),
        at_ms: clock::now_ms(),
        took_us: i64::try_from(asked.took.as_micros()).unwrap_or(i64::MAX),
        outcome,
        request: text(&live.schema.inputs, asked.tensors),
        response,
    };
    let app_of_task = Arc::clone(app);
    app.background.spawn(async move {
        if let Err(error) = recorded::add(&app_of_task.store.db, &new).await {
            tracing::warn!("a request could not be recorded: {error}");
        }
        N_WAITING.fetch_sub(1, Ordering::Relaxed);
    });
}

/// Tensors by name as JSON, cut off where that is long.
fn text(specs: &[TensorSpec], tensors: &[IndexedTensor]) -> String {
    let mut object = Map::new();
    for tensor in tensors {
        if let Some(spec) = specs.get(usize::from(tensor.index)) {
            object.insert(spec.name.clone(), answers::first_rows(tensor, ELEMENTS));
        }
    }
    cut(Value::Object(object).to_string())
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(RECORDED_BYTES));
    text
}
