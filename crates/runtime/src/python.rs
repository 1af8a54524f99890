//! Python code as a model: each session is a worker process that runs the handler.
//!
//! Knows how a worker is asked and started again; what confines it is the launcher that the caller names.
//! Invariants: no code of the model runs in this process; a worker that fell, or that was too slow, is ended and
//! its call answered, and the next call finds another.

mod keeper;
mod log;
mod memory;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use spec::frame::{Answer, Frame, Method};
use spec::handler::Takes;
use spec::schema::Schema;
use spec::tensor::{Datatype, TensorSpec};

use crate::backend::{Given, Pull, Session, Source};
use crate::model::{Loaded, Model};
use crate::output::Output;
use crate::request::Refusal;
use crate::{Error, Settings};
use keeper::Keeper;
use worker::{End, Worker};

/// How a worker opens and closes pictures, sounds, tables and objects.
const MEDIA: &str = include_str!("python/media.py");
/// How long nobody starts a worker again whose predecessors fell one after the other: nothing after the first.
const FIRST_REST: Duration = Duration::from_millis(250);
const LONGEST_REST: Duration = Duration::from_secs(30);

/// A handler and what it is run with. Its file is [`Settings::model`].
#[derive(Debug, Clone, PartialEq)]
pub struct Python {
    /// The folder that holds the handler, its modules and its weights.
    pub folder: PathBuf,
    /// What is called: a function, a class with `predict`, or an object that has it.
    pub object: String,
    pub takes: Takes,
    /// What the handler is given, in the order of its arguments, and what it gives.
    pub schema: Schema,
    /// A program with its arguments that confines itself and becomes the interpreter, whose arguments follow.
    pub launcher: Vec<OsString>,
    /// How long one call may take.
    pub call_timeout: Duration,
    /// How long loading may take.
    pub load_timeout: Duration,
    /// What a worker may hold in memory. Its launcher bounds what it can; the rest is looked at from here.
    pub memory_bytes: u64,
    /// Where a worker may write temporary files, if its launcher lets it.
    pub scratch: PathBuf,
}

/// Starts the first worker.
pub(crate) fn load(python: &Python, settings: &Settings) -> Result<Model, Error> {
    let setup = json!({
        "folder": python.folder,
        "file": settings.model,
        "object": python.object,
        "takes": python.takes.as_str(),
        "inputs": inputs(&python.schema),
        "outputs": outputs(&python.schema),
        "media": MEDIA,
    });
    let keeper = Keeper::start().map_err(Error::Thread)?;
    let shared =
        Shared { python: python.clone(), setup: setup.to_string(), n_threads: settings.n_threads, keeper };
    let source = Workers(Arc::new(shared));
    let Schema { inputs, outputs, .. } = python.schema.clone();
    let first = source.session()?;
    Model::new(Loaded { inputs, outputs, first, source: Box::new(source) }, settings)
}

/// Each input, with what it is for people where that is more than values.
fn inputs(schema: &Schema) -> Vec<Value> {
    let kind = |name: &str| schema.input_part(name).map(|part| part.kind.as_str());
    schema.inputs.iter().map(|spec| described(spec, kind(&spec.name))).collect()
}

fn outputs(schema: &Schema) -> Vec<Value> {
    let kind = |name: &str| schema.output_part(name).map(|part| part.kind.as_str());
    schema.outputs.iter().map(|spec| described(spec, kind(&spec.name))).collect()
}

fn described(spec: &TensorSpec, kind: Option<&str>) -> Value {
    json!({ "name": spec.name, "datatype": spec.datatype, "shape": spec.shape, "kind": kind })
}

struct Shared {
    python: Python,
    /// What a worker is told first, as JSON.
    setup: String,
    n_threads: usize,
    keeper: Keeper,
}

struct Workers(Arc<Shared>);

impl Source for Workers {
    fn session(&self) -> Result<Box<dyn Session>, Error> {
        let worker = start(&self.0).map_err(|end| Error::Handler { reason: end.to_string() })?;
        Ok(Box::new(Calling {
            shared: Arc::clone(&self.0),
            worker: Some(worker),
            n_falls: 0,
            rests_until: None,
        }))
    }
}

/// One worker, or the place of one that fell.
struct Calling {
    shared: Arc<Shared>,
    worker: Option<Worker>,
    /// Workers that fell since one last answered.
    n_falls: u32,
    rests_until: Option<Instant>,
}

impl Session for Calling {
    fn run(&mut self, inputs: &[Given<'_>]) -> Result<Vec<Output>, Refusal> {
        let answer = self.ask(Method::Predict, inputs)?;
        check(&self.shared.python.schema.outputs, answer)
    }

    fn explain(&mut self, inputs: &[Given<'_>]) -> Result<Vec<Output>, Refusal> {
        let answer = self.ask(Method::Explain, inputs)?;
        let explanation =
            TensorSpec { name: "explanation".into(), datatype: Datatype::Bytes, shape: vec![-1] };
        check(&[explanation], answer)
    }

    fn pull(&mut self, number: u32, pull: Pull<'_>) -> Result<Option<String>, Refusal> {
        let limit = self.shared.python.call_timeout;
        let worker = self.standing()?;
        let told = match pull {
            Pull::First(inputs) => worker.ask((Method::Stream, number), inputs, limit),
            Pull::Next => worker.ask_more(number, limit),
        };
        match self.told(told)? {
            Frame::Part(part) => Ok(Some(part.text)),
            Frame::Answer(_) => Ok(None),
            _ => Err(self.fell(End::Direction)),
        }
    }

    fn close(&mut self, number: u32) {
        if let Some(worker) = &mut self.worker {
            worker.close(number);
        }
    }
}

impl Calling {
    fn ask(&mut self, method: Method, inputs: &[Given<'_>]) -> Result<Answer, Refusal> {
        let limit = self.shared.python.call_timeout;
        let told = self.standing()?.ask((method, 0), inputs, limit);
        match self.told(told)? {
            Frame::Answer(answer) => Ok(answer),
            _ => Err(self.fell(End::Direction)),
        }
    }

    /// What a worker told, and whether it still stands.
    fn told(&mut self, told: Result<Frame, End>) -> Result<Frame, Refusal> {
        let frame = told.map_err(|end| self.fell(end))?;
        self.n_falls = 0;
        match frame {
            Frame::Failure(failure) => Err(Refusal::Handler { code: failure.code, message: failure.message }),
            frame => Ok(frame),
        }
    }

    /// The worker; another where there is none, unless those before it fell too often.
    fn standing(&mut self) -> Result<&mut Worker, Refusal> {
        let lost = self.worker.as_mut().is_some_and(Worker::has_ended);
        if lost && let Some(end) = self.worker.take().map(Worker::end) {
            self.note_fall(&end);
        }
        if self.worker.is_none() {
            let rest = self.rests_until.map(|until| until.saturating_duration_since(Instant::now()));
            if let Some(rest) = rest.filter(|rest| !rest.is_zero()) {
                return Err(Refusal::Resting { n_falls: self.n_falls, rest });
            }
            match start(&self.shared) {
                Ok(worker) => self.worker = Some(worker),
                Err(end) => {
                    self.note_fall(&end);
                    return Err(Refusal::Fell(end.to_string()));
                }
            }
        }
        self.worker.as_mut().ok_or(Refusal::Panic)
    }

    fn fell(&mut self, end: End) -> Refusal {
        // What a process ended with says more than that its pipe is closed.
        let end = match (end, self.worker.take()) {
            (End::Closed, Some(worker)) => worker.end(),
            (end, _) => end,
        };
        self.note_fall(&end);
        match end {
            End::Slow(limit) => Refusal::Slow(limit),
            end => Refusal::Fell(end.to_string()),
        }
    }

    fn note_fall(&mut self, end: &End) {
        tracing::warn!("the worker fell: {end}");
        let rest = match self.n_falls {
            0 => Duration::ZERO,
            n => FIRST_REST.saturating_mul(1 << (n - 1).min(16)).min(LONGEST_REST),
        };
        self.n_falls += 1;
        self.rests_until = Some(Instant::now() + rest);
    }
}

fn start(shared: &Shared) -> Result<Worker, End> {
    let started = Instant::now();
    let worker = Worker::start(shared)?;
    let took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(took_ms, "a worker has loaded the handler");
    Ok(worker)
}

/// The outputs, each as the schema says it is.
fn check(outputs: &[TensorSpec], answer: Answer) -> Result<Vec<Output>, Refusal> {
    let mut tensors = answer.tensors;
    let take = |(index, spec): (usize, &TensorSpec)| {
        let name = || spec.name.clone();
        let place = tensors.iter().position(|tensor| usize::from(tensor.index) == index);
        let tensor = tensors.swap_remove(place.ok_or_else(|| Refusal::OutputMissing { name: name() })?);
        if tensor.datatype != spec.datatype {
            return Err(Refusal::OutputType { name: name(), what: tensor.datatype.to_string() });
        }
        if !spec.accepts(&tensor.shape) {
            return Err(Refusal::OutputForm { name: name(), got: tensor.shape, wanted: spec.shape.clone() });
        }
        Ok(Output::of_tensor(tensor.datatype, tensor.shape, &tensor.data))
    };
    outputs.iter().enumerate().map(take).collect()
}
