//! Starts the process that holds one model, and ends it.
//!
//! Knows processes and sockets; nothing of requests, rights or the database. The process is our own binary
//! again, which confines itself before it reads the model. Invariant: a process whose handle is gone is gone.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use spec::digest::Sha256;
use spec::facts::Offers;
use spec::frame::Hello;
use spec::handler::Takes;
use spec::schema::Schema;
use store::blobs::Checkout;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::gateway::link::Link;
use crate::gateway::rest::End;
use crate::settings::Gpu;

pub mod app;
pub mod environment;
mod log;
mod processor_time;

pub use log::{Log, Voice};

/// What stands in the log where a runtime's own lines begin.
const STARTING: &str = "starting the runtime";
/// What a runtime's own error begins with.
const ERROR: &str = "error: ";

/// Our own binary, which is started again as a runtime and as a builder of environments.
#[derive(Debug, Clone)]
pub struct Launcher {
    pub program: PathBuf,
}

/// What to run.
#[derive(Debug, Clone)]
pub struct Order {
    pub files: Files,
    pub n_threads: usize,
    /// Most calls of a model in Python at one time, each in a process of its own.
    pub n_workers: usize,
    pub memory_bytes: u64,
    /// Which a model in Python may use.
    pub gpu: Gpu,
    pub onnxruntime: Option<PathBuf>,
    pub allow_unsandboxed: bool,
    pub load_timeout: Duration,
    /// After which a model in Python that computes is ended.
    pub call_timeout: Duration,
}

/// The files of a model, as a runtime opens them.
#[derive(Debug, Clone)]
pub struct Files {
    /// Holds the others.
    pub checkout: Arc<Checkout>,
    pub model: PathBuf,
    pub model_sha256: Sha256,
    /// Those that hold some of the model's weights.
    pub external_data: Vec<PathBuf>,
    pub examples: Option<PathBuf>,
    /// How the model is run, where its file is Python.
    pub handler: Option<Handler>,
}

/// How a handler is run.
#[derive(Debug, Clone)]
pub struct Handler {
    pub object: String,
    pub takes: Takes,
    pub offers: Offers,
    pub schema: Schema,
    /// Folder of its environment.
    pub environment: PathBuf,
}

/// A runtime that said hello.
#[derive(Debug)]
pub struct Process {
    pub socket: PathBuf,
    pub hello: Hello,
    /// How it ended, once it has done so by itself.
    pub end: End,
    pid: Option<u32>,
    kill: CancellationToken,
    _folder: tempfile::TempDir,
}

/// Why a runtime did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error("the runtime could not be started")]
    Spawn(#[source] std::io::Error),
    #[error("the runtime ended before it was ready: {0}")]
    Ended(String),
    #[error("the model was not loaded within {0:?}")]
    TooSlow(Duration),
    #[error("the app ended before it answered: {0}")]
    AppEnded(String),
    #[error("the app did not answer within {0:?}")]
    AppTooSlow(Duration),
}

/// What a runtime's environment keeps: where programs and libraries are.
const KEPT: [&str; 7] =
    ["PATH", "HOME", "ORT_DYLIB_PATH", "VIRTUAL_ENV", "REENACT_CACHE", "TMPDIR", "LD_LIBRARY_PATH"];

impl Process {
    /// Whether it has ended by itself.
    pub fn has_ended(&self) -> bool {
        self.end.get().is_some()
    }

    /// How long it and the processes it started have computed.
    pub fn processor_time(&self) -> Duration {
        self.pid.filter(|_| !self.has_ended()).map(processor_time::of_tree).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill.cancel();
    }
}

/// Starts a runtime and waits until it has loaded its model.
pub async fn start(launcher: &Launcher, order: &Order, log: &Log) -> Result<Process, StartError> {
    // A socket's path has at most 107 bytes, which a data folder's path may already be.
    let folder = tempfile::Builder::new().prefix("reenact-").tempdir().map_err(StartError::Spawn)?;
    let socket = folder.path().join("s");
    let voice = log.voice();
    voice.push(STARTING);
    let schema = folder.path().join("schema.json");
    if let Some(handler) = &order.files.handler {
        let json = serde_json::to_vec(&handler.schema).map_err(|error| StartError::Spawn(error.into()))?;
        tokio::fs::write(&schema, json).await.map_err(StartError::Spawn)?;
    }
    let mut child = command(launcher, order, (&socket, &schema)).spawn().map_err(StartError::Spawn)?;
    let folder_of_files = format!("{}/", order.files.checkout.path().display());
    if let Some(stdout) = child.stdout.take() {
        tokio::spawn(keep_lines(stdout, voice.clone(), folder_of_files.clone()));
    }
    if let Some(stderr) = child.stderr.take() {
        tokio::spawn(keep_lines(stderr, voice.clone(), folder_of_files));
    }
    let (end, pid) = (End::default(), child.id());
    let kill = CancellationToken::new();
    let guard = kill.clone().drop_guard();
    let exit = tokio::spawn(supervise("runtime", child, kill.clone(), Arc::clone(&end), voice.clone()));
    let said_hello = tokio::time::timeout(order.load_timeout, greet(&socket));
    let hello = tokio::select! {
        hello = said_hello => hello.map_err(|_| StartError::TooSlow(order.load_timeout))?,
        _ = exit => {
            // Its last words may still be on their way through the pipe.
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Err(StartError::Ended(voice.last_words(STARTING)));
        }
    };
    guard.disarm();
    Ok(Process { socket, hello, end, pid, kill, _folder: folder })
}

fn command(launcher: &Launcher, order: &Order, (socket, schema): (&Path, &Path)) -> Command {
    let mut command = Command::new(&launcher.program);
    let files = &order.files;
    command.arg("runtime").arg("--model").arg(&files.model).arg("--socket").arg(socket);
    command.arg("--weights-sha256").arg(files.model_sha256.to_string());
    command.arg("--threads").arg(order.n_threads.to_string());
    command.arg("--memory-bytes").arg(order.memory_bytes.to_string());
    for path in &files.external_data {
        command.arg("--external-data").arg(path);
    }
    if let Some(examples) = &files.examples {
        command.arg("--examples").arg(examples);
    }
    if let Some(handler) = &files.handler {
        command.arg("--folder").arg(files.checkout.path()).arg("--object").arg(&handler.object);
        command.arg("--takes").arg(handler.takes.as_str()).arg("--schema").arg(schema);
        command.arg("--environment").arg(&handler.environment);
        command.arg("--sessions").arg(order.n_workers.to_string());
        command.arg("--gpu").arg(order.gpu.to_string());
        command.arg("--call-timeout-ms").arg(order.call_timeout.as_millis().to_string());
        command.arg("--load-timeout-ms").arg(order.load_timeout.as_millis().to_string());
    }
    if let Some(library) = &order.onnxruntime {
        command.arg("--onnxruntime").arg(library);
    }
    if order.allow_unsandboxed {
        command.arg("--allow-unsandboxed");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    leave_bare(&mut command);
    command
}

/// Takes everything out of a command's environment that a runtime does not need: secrets of the server have no business
/// in a process that reads foreign bytes.
fn leave_bare(command: &mut Command) {
    command.env_clear();
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
}

/// Waits for the end of a process that is called so, or ends it.
async fn supervise(what: &'static str, mut child: Child, kill: CancellationToken, end: End, voice: Voice) {
    let status = tokio::select! {
        status = child.wait() => status,
        () = kill.cancelled() => {
            // It holds nothing that must be put away, and may be stuck in a long computation.
            let _ = child.kill().await;
            return;
        }
    };
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    voice.push(&format!("the {what} ended: {status}"));
    // Nobody else sets it.
    let _ = end.set(status);
}

async fn greet(socket: &Path) -> Hello {
    loop {
        match Link::connect(socket).await {
            Ok((_, hello)) => return hello,
            // Not there yet; if it never will be, the process ends and that is seen.
            Err(_) => tokio::time::sleep(Duration::from_millis(3)).await,
        }
    }
}

/// Keeps what a runtime writes, with its files as their owner knows them.
async fn keep_lines(from: impl AsyncRead + Unpin, voice: Voice, checkout: String) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        tracing::debug!(target: "runtime", "{line}");
        voice.push(&line.replace(&checkout, ""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_computes_holds_no_credential() {
        // Set by whatever runs this test, as an operator sets tokens and passwords for the server.
        assert!(std::env::vars_os().any(|(name, _)| name.to_string_lossy().starts_with("CARGO")));
        let mut command = Command::new("env");
        leave_bare(&mut command);
        let output = command.output().await.unwrap();
        assert!(output.status.success());
        for line in String::from_utf8(output.stdout).unwrap().lines() {
            let name = line.split('=').next().unwrap_or_default();
            assert!(KEPT.contains(&name), "`{name}` was handed on");
        }
    }
}
