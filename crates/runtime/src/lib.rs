//! The process that holds one model and answers predictions over framed streams.
//!
//! `listen -> stream -> queue -> call -> session`: a stream is one thread that reads what has arrived, calls
//! the model for many requests at once and answers them in one write. A session is ONNX Runtime's, or a worker
//! process that runs Python; the rest of the house meets both only through here. It knows nothing of accounts,
//! rights or HTTP. Invariant: the model, which is foreign, is not looked at before the caller's hook has run;
//! one request that fails fails alone.

mod backend;
mod call;
mod error;
mod example;
mod listen;
mod model;
mod onnx;
mod output;
mod pieces;
mod python;
mod queue;
mod request;
mod stability;
mod statistics;
mod stream;

pub use error::Error;
pub use onnx::{Search, find};
pub use python::Python;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ort::environment::EnvironmentBuilder;
use spec::digest::Sha256;
use spec::frame::{Hello, PROTOCOL};
use spec::handler::Takes;

use crate::model::Model;

/// What a runtime is started with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// What the model is called, for people.
    pub name: String,
    /// The ONNX file, or the file of the handler.
    pub model: PathBuf,
    /// How the file is run, where it is Python.
    pub python: Option<Python>,
    /// Where to listen. A socket that a dead runtime left behind is replaced.
    pub socket: PathBuf,
    /// Threads of one call of the model.
    pub n_threads: usize,
    /// Most calls at one time, each in a session of its own, made when a stream first needs it.
    pub n_sessions: usize,
    /// Most rows of one call; at most [`spec::limits::BATCH_ROWS`].
    pub n_batch_rows: usize,
    /// Where to look for ONNX Runtime.
    pub onnxruntime: Search,
    /// [`spec::manifest::Examples`] as JSON, to probe the model with.
    pub examples: Option<PathBuf>,
    /// Files beside the model that hold some of its weights.
    pub external_data: Vec<PathBuf>,
    /// What the model file has to be; not checked where this is not said.
    pub weights_sha256: Option<Sha256>,
}

impl Settings {
    /// One thread, two sessions and full batches, for this model at this socket.
    pub fn new(model: PathBuf, socket: PathBuf) -> Self {
        Self {
            name: "model".into(),
            model,
            python: None,
            socket,
            n_threads: 1,
            n_sessions: 2,
            n_batch_rows: spec::limits::BATCH_ROWS,
            onnxruntime: Search::default(),
            examples: None,
            external_data: Vec::new(),
            weights_sha256: None,
        }
    }

    /// The files that are opened after the hook, and so must be readable inside a sandbox: the model, its data and
    /// examples, and what the kernel tells of the processor, without which ONNX Runtime takes slower ways.
    /// Libraries, socket and what they need are open by then.
    pub fn files_read(&self) -> Vec<PathBuf> {
        let processor = ["/proc/cpuinfo", "/sys/devices/system/cpu"].map(PathBuf::from);
        let told = processor.into_iter().filter(|path| path.exists());
        let own = std::iter::once(&self.model).chain(&self.external_data).chain(&self.examples);
        own.cloned().chain(told).collect()
    }
}

/// What is ours of a backend, opened before the caller's hook.
enum Opened<'a> {
    Onnx(Box<EnvironmentBuilder>),
    Python(&'a Python),
}

/// Serves the model until the process is ended; returns only where that cannot begin.
///
/// `confine` is called between what is ours (socket, libraries) and what is foreign (the model): the place to
/// give up rights. This process has one thread until then. When the model is ready, one line of JSON with
/// `ready` (the socket) and `load_ms` goes to standard output, and streams are answered, each with a
/// [`Hello`] first. A model that refuses its own examples is an error. A process can do this once.
pub fn run<E>(settings: &Settings, confine: impl FnOnce() -> Result<(), E>) -> Result<(), Error>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let started = Instant::now();
    let listener = listen::bind(&settings.socket)?;
    let opened = match &settings.python {
        Some(python) => Opened::Python(python),
        None => Opened::Onnx(Box::new(onnx::open_library(&find(&settings.onnxruntime)?)?)),
    };
    confine().map_err(|source| Error::Confine(source.into()))?;

    // From here on there are threads, with which a process can no longer be confined as a whole.
    let (mut model, backend) = match opened {
        Opened::Onnx(builder) => (onnx::load(onnx::environment(*builder)?, settings)?, "onnxruntime"),
        Opened::Python(python) => (python::load(python, settings)?, "python"),
    };
    let loaded = started.elapsed();
    let stability = try_out(&mut model, settings)?;
    let hello = Hello {
        protocol: PROTOCOL,
        name: settings.name.clone(),
        inputs: model.inputs.clone(),
        outputs: model.outputs.clone(),
        weights_sha256: settings.weights_sha256,
        stability,
        backend: backend.into(),
        version: env!("CARGO_PKG_VERSION").into(),
    };
    let probed = started.elapsed().saturating_sub(loaded);
    announce(settings, loaded + probed)?;
    tracing::info!(
        model = %settings.model.display(),
        backend,
        load_ms = milliseconds(loaded),
        probe_ms = milliseconds(probed),
        is_stable = stability.is_stable(),
        min_rows = stability.min_rows,
        max_rows = stability.max_rows,
        "model is ready",
    );
    listen::serve(&listener, model, &hello)
}

/// Asks the model its own examples, and settles how it is asked from here on.
fn try_out(model: &mut Model, settings: &Settings) -> Result<spec::frame::Stability, Error> {
    let pushed = example::pushed(model, settings.examples.as_deref());
    if let Some(rows) = &pushed {
        stability::answers(model, rows).map_err(|refusal| Error::Example { reason: refusal.to_string() })?;
    }
    Ok(match settings.python.as_ref().map(|python| python.takes) {
        Some(Takes::Row) => stability::row_by_row(model, pushed.as_ref()),
        // Rows that nobody meant would only fill the log with what a handler says of them.
        Some(Takes::Rows) => stability::probe(model, pushed.as_ref()),
        None => stability::probe(model, pushed.or_else(|| example::made_up(model)).as_ref()),
    })
}

fn announce(settings: &Settings, took: Duration) -> Result<(), Error> {
    let line = serde_json::json!({ "ready": settings.socket, "load_ms": milliseconds(took) });
    let mut out = std::io::stdout().lock();
    std::io::Write::write_all(&mut out, format!("{line}\n").as_bytes()).map_err(Error::Announce)?;
    std::io::Write::flush(&mut out).map_err(Error::Announce)
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
