//! The model: what it takes and gives, and the sessions in which it is called.
//!
//! Knows nothing of requests. Invariant: inputs and outputs are tensors of types that the protocol has, in
//! the order of the model, which is the order of their indexes everywhere.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ort::environment::{Environment, EnvironmentBuilder};
use ort::logging::LogLevel;
use ort::session::Session;
use ort::value::{Outlet, ValueType};
use spec::digest::Sha256;
use spec::limits;
use spec::tensor::TensorSpec;

use crate::values;
use crate::{Error, Settings};

/// A model that is loaded.
pub(crate) struct Model {
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
    pub(crate) asking: Asking,
    sessions: Vec<Mutex<Option<Session>>>,
    streams: Mutex<Vec<usize>>,
    source: Source,
}

/// How many rows the model is given at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// The first dimension of everything counts rows that have nothing to do with each other.
    Rows {
        /// A call with fewer is filled up by repeating the last row.
        n_min: usize,
        n_max: usize,
    },
    /// One request, one call, whatever its dimensions mean.
    Whole,
}

struct Source {
    environment: Environment,
    path: PathBuf,
    n_threads: usize,
}

/// Brings ONNX Runtime into this process, which starts no thread and reads nothing but the library.
pub(crate) fn open_library(library: &Path) -> Result<EnvironmentBuilder, Error> {
    let failed =
        |error: ort::LoadDynamicError| Error::Library { path: library.into(), reason: error.to_string() };
    ort::init_from(library).map_err(failed)
}

/// Starts ONNX Runtime.
pub(crate) fn environment(builder: EnvironmentBuilder) -> Result<Environment, Error> {
    let builder = builder.with_name("reenact").with_telemetry(false).with_logger(Arc::new(log));
    let environment = builder.build().map_err(Error::Environment)?;
    environment.set_log_level(LogLevel::Warning);
    Ok(environment)
}

/// Most of what the library warns of is that it cannot see devices and files that it has no business with.
fn log(level: LogLevel, category: &str, _id: &str, location: &str, message: &str) {
    match level {
        LogLevel::Error | LogLevel::Fatal => tracing::warn!(category, location, "ONNX Runtime: {message}"),
        LogLevel::Warning => tracing::debug!(category, location, "ONNX Runtime: {message}"),
        LogLevel::Info | LogLevel::Verbose => tracing::trace!(category, location, "ONNX Runtime: {message}"),
    }
}

/// Loads the model into its first session.
pub(crate) fn load(environment: Environment, settings: &Settings) -> Result<Model, Error> {
    check_file(settings)?;
    let source = Source { environment, path: settings.model.clone(), n_threads: settings.n_threads.max(1) };
    let session = source.session()?;
    let inputs = session.inputs().iter().map(describe).collect::<Result<Vec<_>, _>>()?;
    let outputs = session.outputs().iter().map(describe).collect::<Result<Vec<_>, _>>()?;
    let n = inputs.len().max(outputs.len());
    if n > limits::REQUEST_TENSORS {
        return Err(Error::TooManyTensors { n });
    }
    let n_max = settings.n_batch_rows.clamp(1, limits::BATCH_ROWS);
    let n_sessions = settings.n_sessions.max(1);
    let mut sessions = vec![Mutex::new(Some(session))];
    sessions.resize_with(n_sessions, Mutex::default);
    let asking = asking(&inputs, &outputs, n_max);
    Ok(Model { inputs, outputs, asking, sessions, streams: Mutex::new(vec![0; n_sessions]), source })
}

impl Model {
    /// The session that the fewest streams use, made if it is not there yet. To be given back.
    pub(crate) fn join(&self) -> usize {
        let slot = {
            let mut streams = held(&self.streams);
            let fewest = (0..streams.len()).min_by_key(|slot| streams[*slot]).unwrap_or(0);
            streams[fewest] += 1;
            fewest
        };
        let mut session = held(&self.sessions[slot]);
        if session.is_none() {
            match self.source.session() {
                Ok(made) => *session = Some(made),
                Err(error) => {
                    // There may not be memory for a second one; the first serves this stream too.
                    tracing::warn!(%error, "could not make another session; streams share one");
                    drop(session);
                    self.leave(slot);
                    held(&self.streams)[0] += 1;
                    return 0;
                }
            }
        }
        slot
    }

    /// Gives a session back that a stream used.
    pub(crate) fn leave(&self, slot: usize) {
        let mut streams = held(&self.streams);
        streams[slot] = streams[slot].saturating_sub(1);
    }

    /// Does something with a session, when nobody else does.
    pub(crate) fn with_session<T>(&self, slot: usize, act: impl FnOnce(&mut Session) -> T) -> Option<T> {
        held(&self.sessions[slot]).as_mut().map(act)
    }
}

impl Source {
    fn session(&self) -> Result<Session, Error> {
        self.try_session().map_err(|source| Error::Load { path: self.path.clone(), source })
    }

    fn try_session(&self) -> Result<Session, ort::Error> {
        let builder = Session::builder(&self.environment)?.with_intra_threads(self.n_threads)?;
        // A thread that waits by spinning would take the processor from the gateway.
        let builder = builder.with_inter_threads(1)?.with_intra_op_spinning(false)?;
        let builder = builder.with_deterministic_compute(true)?.with_log_level(LogLevel::Warning)?;
        let mut builder = builder;
        builder.commit_from_file(&self.path)
    }
}

fn check_file(settings: &Settings) -> Result<(), Error> {
    let path = || settings.model.clone();
    let read = |source| Error::Read { path: path(), source };
    let metadata = std::fs::metadata(&settings.model).map_err(read)?;
    if metadata.len() == 0 {
        return Err(Error::Empty { path: path() });
    }
    let Some(wanted) = settings.weights_sha256 else {
        return Ok(());
    };
    let got = Sha256::of(&std::fs::read(&settings.model).map_err(read)?);
    if got == wanted { Ok(()) } else { Err(Error::Digest { path: path(), wanted, got }) }
}

fn describe(outlet: &Outlet) -> Result<TensorSpec, Error> {
    let name = outlet.name().to_owned();
    let unsupported = |what: String| Error::Unsupported { name: name.clone(), what };
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let datatype = values::datatype(*ty).ok_or_else(|| unsupported(format!("a tensor of {ty}")))?;
            Ok(TensorSpec { name: name.clone(), datatype, shape: shape.to_vec() })
        }
        ValueType::Sequence(_) => Err(unsupported("a sequence".into())),
        ValueType::Map { .. } => Err(unsupported("a map".into())),
        ValueType::Optional(_) => Err(unsupported("optional".into())),
    }
}

/// What the declared shapes let one hope for; probing may find that rows are not independent after all.
fn asking(inputs: &[TensorSpec], outputs: &[TensorSpec], n_max: usize) -> Asking {
    let all_begin = |tensors: &[TensorSpec], with: &[i64]| {
        !tensors.is_empty()
            && tensors.iter().all(|tensor| tensor.shape.first().is_some_and(|n| with.contains(n)))
    };
    // An output whose rank the model does not declare has no shape here; the answer will show its rows.
    let declared: Vec<_> = outputs.iter().filter(|output| !output.shape.is_empty()).cloned().collect();
    let outputs_begin = |with: &[i64]| declared.is_empty() || all_begin(&declared, with);
    if all_begin(inputs, &[-1]) && outputs_begin(&[-1]) {
        Asking::Rows { n_min: 1, n_max }
    } else if all_begin(inputs, &[1]) && outputs_begin(&[1, -1]) {
        Asking::Rows { n_min: 1, n_max: 1 }
    } else {
        Asking::Whole
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left half-done is a call of the model, and a session has no half-done state of ours.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use spec::tensor::Datatype;

    use super::*;

    #[test]
    fn the_first_dimension_says_how_a_model_is_asked() {
        let tensor =
            |shape: &[i64]| TensorSpec { name: "x".into(), datatype: Datatype::Fp32, shape: shape.into() };
        let asked = |input: &[i64], output: &[i64]| asking(&[tensor(input)], &[tensor(output)], 64);
        assert_eq!(asked(&[-1, 4], &[-1]), Asking::Rows { n_min: 1, n_max: 64 });
        assert_eq!(asked(&[1, 4], &[1, 3]), Asking::Rows { n_min: 1, n_max: 1 });
        assert_eq!(asked(&[-1, 4], &[]), Asking::Rows { n_min: 1, n_max: 64 });
        assert_eq!(asked(&[-1, 4], &[3]), Asking::Whole);
        assert_eq!(asked(&[3, 224, 224], &[1000]), Asking::Whole);
        assert_eq!(asking(&[], &[tensor(&[-1])], 64), Asking::Whole);
    }
}
