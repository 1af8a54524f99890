//! ONNX Runtime: its library, the model in it, and calls of the model.
//!
//! The only file besides its own that knows `ort`. Invariant: inputs and outputs are tensors of types that the
//! protocol has, in the order of the model.

mod library;
mod values;

pub use library::{Search, find};

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ort::environment::{Environment, EnvironmentBuilder};
use ort::logging::LogLevel;
use ort::session::SessionInputValue;
use ort::value::{Outlet, ValueType};
use spec::digest::Sha256;
use spec::tensor::TensorSpec;

use crate::backend::{Given, Session, Source};
use crate::model::{Loaded, Model};
use crate::output::Output;
use crate::request::Refusal;
use crate::{Error, Settings};

/// Where sessions of one model come from.
struct Sessions {
    environment: Environment,
    path: PathBuf,
    n_threads: usize,
}

/// One session, and what the model calls its outputs.
struct Computing {
    session: ort::session::Session,
    outputs: Vec<String>,
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
    let source = Sessions { environment, path: settings.model.clone(), n_threads: settings.n_threads.max(1) };
    let session = source.open()?;
    let inputs = session.inputs().iter().map(describe).collect::<Result<Vec<_>, _>>()?;
    let outputs = session.outputs().iter().map(describe).collect::<Result<Vec<_>, _>>()?;
    let first = Box::new(Computing::new(session));
    Model::new(Loaded { inputs, outputs, first, source: Box::new(source) }, settings)
}

impl Session for Computing {
    fn run(&mut self, inputs: &[Given<'_>]) -> Result<Vec<Output>, Refusal> {
        let inputs = inputs.iter().map(values::join).collect::<Result<Vec<SessionInputValue<'_>>, _>>()?;
        let given = self.session.run(inputs.as_slice())?;
        self.outputs.iter().zip(given.values()).map(|(name, value)| values::take(name, &value)).collect()
    }
}

impl Computing {
    fn new(session: ort::session::Session) -> Self {
        let outputs = session.outputs().iter().map(|outlet| outlet.name().to_owned()).collect();
        Self { session, outputs }
    }
}

impl Source for Sessions {
    fn session(&self) -> Result<Box<dyn Session>, Error> {
        Ok(Box::new(Computing::new(self.open()?)))
    }
}

impl Sessions {
    fn open(&self) -> Result<ort::session::Session, Error> {
        self.try_open().map_err(|source| Error::Load { path: self.path.clone(), source })
    }

    fn try_open(&self) -> Result<ort::session::Session, ort::Error> {
        let builder =
            ort::session::Session::builder(&self.environment)?.with_intra_threads(self.n_threads)?;
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
