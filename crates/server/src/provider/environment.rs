//! Builds an environment in a process of its own, and keeps what that writes.
//!
//! Knows processes, and nothing of packages: our own binary finds `uv` and asks it. Invariant: a build ends in its
//! time, and what it wrote can be read while it goes on.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use spec::digest::Sha256;
use spec::handler::Wanted;
use store::db::environments;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, Command};

use super::{ERROR, Log, keep_lines};
use crate::app::App;

/// How often what was written is kept for readers.
const KEEP_EVERY: Duration = Duration::from_millis(500);
/// The list of all packages in the folder of an environment.
const LOCK: &str = "requirements.lock";

/// A complete environment.
#[derive(Debug)]
pub struct Made {
    pub digest: String,
    pub lock: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    #[error("the build could not be started: {0}")]
    Spawn(std::io::Error),
    #[error("the build took longer than {0:?}")]
    TooSlow(Duration),
    #[error("{0}")]
    Failed(String),
    #[error("the built environment cannot be read: {0}")]
    Read(std::io::Error),
}

/// Builds what is wanted below `root`. Its log is kept under `key`.
pub async fn build(app: &App, wanted: &Wanted, root: &Path, key: &Sha256) -> Result<Made, BuildError> {
    let mut child = command(app, root).spawn().map_err(BuildError::Spawn)?;
    let group = child.id();
    let log = Log::default();
    let limit = app.settings.build_timeout.0;
    let work = async {
        let keeping = keep(app, key, &log);
        tokio::select! {
            output = converse(&mut child, wanted, &log) => output,
            () = keeping => Err(BuildError::TooSlow(limit)),
        }
    };
    let outcome = tokio::time::timeout(limit, work).await.unwrap_or(Err(BuildError::TooSlow(limit)));
    if matches!(outcome, Err(BuildError::TooSlow(_))) {
        end_group(group);
    }
    // One that has ended is only waited for.
    let _ = child.kill().await;
    store_log(app, key, &log).await;
    let digest = outcome?;
    let path = root.join(&digest).join(LOCK);
    let lock = tokio::fs::read_to_string(path).await.map_err(BuildError::Read)?;
    Ok(Made { digest, lock })
}

fn command(app: &App, root: &Path) -> Command {
    let mut command = Command::new(&app.gateway.launcher.program);
    command.arg("build-environment").arg("--root").arg(root);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command.process_group(0);
    // The operator's index, proxy and caches are for it; what is ours is not.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("REENACT_") && name != "REENACT_CACHE" {
            command.env_remove(name);
        }
    }
    command
}

/// Ends a build that overstays with all that it started, which its own end would leave running.
fn end_group(leader: Option<u32>) {
    let leader = leader.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
    if let Some(leader) = leader {
        // What has ended meanwhile cannot be ended again.
        let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
    }
}

/// Says what is wanted and reads the answer.
async fn converse(child: &mut Child, wanted: &Wanted, log: &Log) -> Result<String, BuildError> {
    let description =
        serde_json::to_vec(wanted).map_err(|error| BuildError::Spawn(std::io::Error::other(error)))?;
    let lines = child.stderr.take().map(|stderr: ChildStderr| keep_lines(stderr, log.voice(), String::new()));
    let reading = tokio::spawn(async move {
        if let Some(lines) = lines {
            lines.await;
        }
    });
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(&description).await.map_err(BuildError::Spawn)?;
    }
    let mut answer = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut answer).await.map_err(BuildError::Read)?;
    }
    let status = child.wait().await.map_err(BuildError::Read)?;
    // Its last words may still be on their way through the pipe.
    let _ = reading.await;
    if status.success() {
        return Ok(answer.trim().to_owned());
    }
    let lines = log.lines();
    let said = lines.iter().rev().find_map(|line| line.strip_prefix(ERROR));
    Err(BuildError::Failed(said.map_or_else(|| format!("the build ended: {status}"), str::to_owned)))
}

/// Keeps what was written, again and again.
async fn keep(app: &App, key: &Sha256, log: &Log) {
    let mut n_kept = 0;
    loop {
        tokio::time::sleep(KEEP_EVERY).await;
        let n_lines = log.lines().len();
        if n_lines != n_kept {
            store_log(app, key, log).await;
            n_kept = n_lines;
        }
    }
}

async fn store_log(app: &App, key: &Sha256, log: &Log) {
    if let Err(error) = environments::set_log(&app.store.db, key, &log.lines().join("\n")).await {
        tracing::error!("could not keep the log of a build: {error}");
    }
}
