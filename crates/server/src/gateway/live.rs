//! One runtime that answers: what it serves, and the links that reactors have to it.
//!
//! Knows nothing of why it was started. Invariant: dropping the last handle ends the process, so requests that
//! are under way keep the runtime they began with through a swap.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::HeaderValue;
use spec::digest::{Oid, Sha256};
use spec::facts::Offers;
use spec::frame::{Answer, Hello, IndexedTensor, Method};
use spec::limits;
use spec::schema::Schema;
use store::clock;
use tokio::sync::OnceCell;

use super::link::{self, Broken, Link};
use super::rest::End;
use crate::predict::plan::Plan;
use crate::provider::{Files, Process};

/// What an endpoint is to serve.
#[derive(Debug, Clone)]
pub struct Target {
    /// `owner/name`
    pub repository: String,
    pub revision: Oid,
    /// Of the model's file, or of the list of all files that hold its weights.
    pub weights: Sha256,
    pub files: Files,
    pub schema: Schema,
    /// Digest of the Python packages, for a model in Python.
    pub environment: Option<String>,
}

/// An answer that comes in pieces; it is under way until this is dropped.
#[derive(Debug)]
pub struct Streaming {
    pieces: link::Streaming,
    _counted: UnderWay,
}

impl Streaming {
    /// The next piece; none at the end of the answer.
    pub async fn next(&mut self) -> Result<Option<String>, Broken> {
        self.pieces.next().await
    }
}

/// Headers that name what answered.
pub type Names = [(&'static str, HeaderValue)];

/// A runtime that answers.
#[derive(Debug)]
pub struct Live {
    pub target: Target,
    /// The target's schema with the tensors that the runtime itself names.
    pub schema: Schema,
    pub plan: Option<Plan>,
    /// Repository, revision and weights, as every answer's headers name them.
    names: [(&'static str, HeaderValue); 3],
    process: Process,
    /// For each reactor a link for single rows and one for large requests, so that these hold up none of those.
    links: Vec<[OnceCell<Link>; 2]>,
    n_under_way: Arc<AtomicUsize>,
    /// Time on processors that was told already.
    told_us: AtomicU64,
    started_ms: i64,
}

thread_local! {
    static REACTOR: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Says which reactor this thread is. Threads that never said so share a link of their own.
pub fn set_reactor(index: usize) {
    REACTOR.set(Some(index));
}

impl Live {
    pub fn new(target: Target, process: Process, n_reactors: usize) -> Self {
        let schema = completed(&target.schema, &process.hello);
        let value = |text: &str| HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""));
        let names = [
            ("x-reenact-repository", value(&target.repository)),
            ("x-reenact-revision", value(&target.revision.to_string())),
            ("x-reenact-weights", value(&format!("sha256:{}", target.weights))),
        ];
        let links = (0..=n_reactors).map(|_| [OnceCell::new(), OnceCell::new()]).collect();
        let plan = Plan::new(&schema);
        let (n_under_way, told_us) = (Arc::default(), AtomicU64::new(0));
        let started_ms = clock::now_ms();
        Self { target, schema, plan, names, process, links, n_under_way, told_us, started_ms }
    }

    /// Headers that name what answered. The repository comes first, and tells whose it is.
    pub fn names(&self, is_anonymous: bool) -> &Names {
        &self.names[usize::from(is_anonymous)..]
    }

    /// What the runtime said of itself.
    pub fn hello(&self) -> &Hello {
        &self.process.hello
    }

    pub fn has_ended(&self) -> bool {
        self.process.has_ended()
    }

    /// What it does besides predicting.
    pub fn offers(&self) -> Offers {
        self.target.files.handler.as_ref().map(|handler| handler.offers).unwrap_or_default()
    }

    /// How its process ended, once it has.
    pub fn end(&self) -> End {
        End::clone(&self.process.end)
    }

    /// Requests that it has not answered yet.
    pub fn n_under_way(&self) -> usize {
        self.n_under_way.load(Ordering::Relaxed)
    }

    /// How long it has run, in milliseconds.
    pub fn life_ms(&self) -> i64 {
        clock::now_ms() - self.started_ms
    }

    /// How long its processes computed since this was asked last.
    pub fn take_processor_time(&self) -> Duration {
        let us = u64::try_from(self.process.processor_time().as_micros()).unwrap_or(u64::MAX);
        // A process that ended may take its time with it: then the sum is smaller than before.
        Duration::from_micros(us.saturating_sub(self.told_us.fetch_max(us, Ordering::Relaxed)))
    }

    /// Asks the runtime.
    pub async fn ask(
        &self,
        method: Method,
        tensors: &[IndexedTensor],
        deadline: Duration,
    ) -> Result<Answer, Broken> {
        let link = self.link(tensors).await?;
        let _counted = UnderWay::enter(&self.n_under_way);
        link.ask(method, tensors, milliseconds(deadline)).await
    }

    /// Asks the runtime for an answer in pieces.
    pub async fn stream(&self, tensors: &[IndexedTensor], deadline: Duration) -> Result<Streaming, Broken> {
        let link = self.link(tensors).await?;
        let counted = UnderWay::enter(&self.n_under_way);
        Ok(Streaming { pieces: link.stream(tensors, milliseconds(deadline))?, _counted: counted })
    }

    async fn link(&self, tensors: &[IndexedTensor]) -> Result<&Link, Broken> {
        let is_large = tensors.iter().any(|tensor| tensor.n_rows() > limits::BATCH_ROWS);
        let reactor = REACTOR.get().unwrap_or(self.links.len() - 1).min(self.links.len() - 1);
        let cell = &self.links[reactor][usize::from(is_large)];
        let link = cell
            .get_or_try_init(|| async { Link::connect(&self.process.socket).await.map(|(link, _)| link) });
        link.await.map_err(|_| Broken::Closed)
    }
}

fn milliseconds(deadline: Duration) -> u32 {
    u32::try_from(deadline.as_millis()).unwrap_or(u32::MAX)
}

/// A request that is counted for as long as this is there.
#[derive(Debug)]
struct UnderWay(Arc<AtomicUsize>);

impl UnderWay {
    fn enter(counter: &Arc<AtomicUsize>) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counter))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The schema from the files, with the tensors as the runtime that loaded them names them.
fn completed(schema: &Schema, hello: &Hello) -> Schema {
    Schema { inputs: hello.inputs.clone(), outputs: hello.outputs.clone(), ..schema.clone() }
}
