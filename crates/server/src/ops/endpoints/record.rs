//! Recording some of the requests to an endpoint whose owner asked for it.
//!
//! Knows tensors and rows. Invariants: what comes by a link is never recorded; no request waits for its record, not even
//! for its text; when records that wait to be written hold too much, more are dropped.

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
use crate::error::{During, Error};
use crate::gateway::{Live, Service};
use crate::predict::answers;

/// Bytes that records which wait to be written may hold; a single one may hold more.
const WAITING_BYTES: usize = 64 << 20;
/// What a record counts for beside its tensors.
const LEAST_BYTES: usize = 1 << 20;
/// Elements of a tensor that can fit into a record.
const ELEMENTS: usize = RECORDED_BYTES / 2;

/// What the records hold that wait to be written in this process.
static WAITING: AtomicUsize = AtomicUsize::new(0);

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
    let answered = match asked.outcome {
        Outcome::Tensors(tensors) => tensors,
        Outcome::Text(_) | Outcome::Failed(_) => &[],
    };
    let tensors = asked.tensors.iter().chain(answered);
    let n_bytes = LEAST_BYTES + tensors.map(|tensor| tensor.data.len()).sum::<usize>();
    let n_before = WAITING.fetch_add(n_bytes, Ordering::Relaxed);
    if n_before > 0 && n_before + n_bytes > WAITING_BYTES {
        WAITING.fetch_sub(n_bytes, Ordering::Relaxed);
        return;
    }
    let live = asked.live;
    let (outcome, response) = match asked.outcome {
        Outcome::Tensors(tensors) => {
            ("answered", Side::Tensors(live.schema.outputs.clone(), tensors.to_vec()))
        }
        Outcome::Text(said) => {
            let name = live.schema.outputs.first().map(|spec| spec.name.as_str()).unwrap_or_default();
            ("answered", Side::Words(json!({ name: [said] }).to_string()))
        }
        Outcome::Failed(error) => (error.entry().name, Side::Words(error.detail())),
    };
    let request = Side::Tensors(live.schema.inputs.clone(), asked.tensors.to_vec());
    let new = NewRecorded {
        repository_id: service.repository,
        revision: live.target.revision.to_string(),
        at_ms: clock::now_ms(),
        took_us: i64::try_from(asked.took.as_micros()).unwrap_or(i64::MAX),
        outcome,
        request: String::new(),
        response: String::new(),
    };
    let app_of_task = Arc::clone(app);
    app.background.spawn(async move {
        let write = move || NewRecorded { request: request.text(), response: response.text(), ..new };
        let stored = match tokio::task::spawn_blocking(write).await {
            Ok(new) => recorded::add(&app_of_task.store.db, &new).await.during("record a request"),
            Err(_) => Err(Error::Internal("write a request down")),
        };
        if let Err(error) = stored {
            tracing::warn!("a request could not be recorded: {error}");
        }
        WAITING.fetch_sub(n_bytes, Ordering::Relaxed);
    });
}

/// What was asked or answered.
enum Side {
    Tensors(Vec<TensorSpec>, Vec<IndexedTensor>),
    Words(String),
}

impl Side {
    fn text(self) -> String {
        match self {
            Self::Tensors(specs, tensors) => text(&specs, &tensors),
            Self::Words(words) => cut(words),
        }
    }
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
