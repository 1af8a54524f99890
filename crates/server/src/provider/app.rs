//! Starts the process of a web app, and ends it.
//!
//! Knows processes and sockets; of HTTP only how to see that somebody answers. The process is our own binary again, which
//! confines itself before it becomes the interpreter. Invariants: a process whose handle is gone is gone; however much it
//! prints, it costs only so much memory and time.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use spec::app::Sdk;
use store::blobs::Checkout;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::{Launcher, Log, StartError, Voice, leave_bare, supervise};
use crate::gateway::rest::End;

/// What stands in the log where an app's own lines begin.
const STARTING: &str = "starting the app";
/// Asked of a new app to see that it answers.
const GREETING: &[u8] = b"HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
/// How long nobody looks again for a socket that is not there yet.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// Most bytes of what an app prints that are read at a time, and how long nothing is read after so many.
const PRINTED_BYTES: usize = 16 * 1024;
const PRINTED_PAUSE: Duration = Duration::from_millis(100);
/// Longest line of it, in bytes.
const LINE_BYTES: usize = 2000;

/// What to run.
#[derive(Debug, Clone)]
pub struct Order {
    pub sdk: Sdk,
    /// The repository's files.
    pub checkout: Arc<Checkout>,
    /// The app's file among them.
    pub file: String,
    /// Folder of its environment.
    pub environment: PathBuf,
    pub n_threads: usize,
    pub memory_bytes: u64,
    /// What it may write, which is kept in memory, too.
    pub scratch_bytes: u64,
    /// Time on processors after which it is ended.
    pub processor_time: Duration,
    pub allow_unsandboxed: bool,
    pub load_timeout: Duration,
}

/// An app that answers.
#[derive(Debug)]
pub struct Process {
    pub socket: PathBuf,
    /// How it ended, once it has done so by itself.
    pub end: End,
    ended: CancellationToken,
    kill: CancellationToken,
    _folder: tempfile::TempDir,
    _checkout: Arc<Checkout>,
}

impl Process {
    /// Ends it, whoever still holds it.
    pub fn kill(&self) {
        self.kill.cancel();
    }

    /// Waits until it has ended.
    pub async fn ended(&self) {
        self.ended.cancelled().await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill.cancel();
    }
}

/// Starts an app and waits until it answers.
pub async fn start(launcher: &Launcher, order: &Order, log: &Log) -> Result<Process, StartError> {
    // A socket's path has at most 107 bytes, which a data folder's path may already be.
    let folder = tempfile::Builder::new().prefix("reenact-").tempdir().map_err(StartError::Spawn)?;
    let (socket, scratch) = (folder.path().join("s"), folder.path().join("w"));
    tokio::fs::create_dir(&scratch).await.map_err(StartError::Spawn)?;
    let voice = log.voice();
    voice.push(STARTING);
    let mut child = command(launcher, order, (&socket, &scratch)).spawn().map_err(StartError::Spawn)?;
    let own = [scratch.as_path(), order.checkout.path(), &order.environment];
    let paths: Vec<String> = own.iter().map(|path| format!("{}/", path.display())).collect();
    for pipe in [child.stdout.take().map(boxed), child.stderr.take().map(boxed)].into_iter().flatten() {
        tokio::spawn(keep_printed(pipe, voice.clone(), paths.clone()));
    }
    let (end, ended, kill) = (End::default(), CancellationToken::new(), CancellationToken::new());
    let guard = kill.clone().drop_guard();
    let life = supervise("app", child, kill.clone(), Arc::clone(&end), voice.clone());
    let is_over = ended.clone().drop_guard();
    tokio::spawn(async move {
        let _is_over = is_over;
        life.await;
    });
    let answers = tokio::time::timeout(order.load_timeout, greet(&socket));
    tokio::select! {
        answers = answers => answers.map_err(|_| StartError::AppTooSlow(order.load_timeout))?,
        () = ended.cancelled() => {
            // Its last words may still be on their way through the pipe.
            tokio::time::sleep(PRINTED_PAUSE).await;
            return Err(StartError::AppEnded(voice.last_words(STARTING)));
        }
    }
    guard.disarm();
    Ok(Process { socket, end, ended, kill, _folder: folder, _checkout: Arc::clone(&order.checkout) })
}

fn command(launcher: &Launcher, order: &Order, (socket, scratch): (&Path, &Path)) -> Command {
    let mut command = Command::new(&launcher.program);
    command.arg("run-app").arg("--sdk").arg(order.sdk.as_str());
    command.arg("--folder").arg(order.checkout.path()).arg("--file").arg(&order.file);
    command.arg("--environment").arg(&order.environment);
    command.arg("--socket").arg(socket).arg("--scratch").arg(scratch);
    command.arg("--scratch-bytes").arg(order.scratch_bytes.to_string());
    command.arg("--memory-bytes").arg(order.memory_bytes.to_string());
    command.arg("--cpu-s").arg(order.processor_time.as_secs().max(1).to_string());
    command.arg("--threads").arg(order.n_threads.to_string());
    if order.allow_unsandboxed {
        command.arg("--allow-unsandboxed");
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    leave_bare(&mut command);
    command
}

fn boxed(pipe: impl AsyncRead + Send + Unpin + 'static) -> Box<dyn AsyncRead + Send + Unpin> {
    Box::new(pipe)
}

/// Waits until somebody answers at the socket, whatever the answer is.
async fn greet(socket: &Path) {
    loop {
        // It is made before the app is read, and answers once that has begun to serve.
        if let Ok(mut stream) = UnixStream::connect(socket).await
            && stream.write_all(GREETING).await.is_ok()
            && stream.read_u8().await.is_ok()
        {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Keeps what an app prints, with its files as their owner knows them. Whoever prints more than is read waits.
async fn keep_printed(mut from: Box<dyn AsyncRead + Send + Unpin>, voice: Voice, paths: Vec<String>) {
    let mut line = Vec::new();
    let mut scratch = vec![0; PRINTED_BYTES];
    while let Ok(n @ 1..) = from.read(&mut scratch).await {
        for byte in &scratch[..n] {
            if *byte != b'\n' {
                line.push(*byte);
            }
            if *byte == b'\n' || line.len() >= LINE_BYTES {
                keep_line(&mut line, &voice, &paths);
            }
        }
        if n == PRINTED_BYTES {
            tokio::time::sleep(PRINTED_PAUSE).await;
        }
    }
    if !line.is_empty() {
        keep_line(&mut line, &voice, &paths);
    }
}

fn keep_line(line: &mut Vec<u8>, voice: &Voice, paths: &[String]) {
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    let text = text.trim_end().replace(|c: char| c.is_control() && c != '\t', "\u{fffd}");
    voice.push(&paths.iter().fold(text, |text, path| text.replace(path, "")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_an_app_prints_is_kept_in_short_lines_without_paths() {
        let log = Log::default();
        let long = "x".repeat(3 * LINE_BYTES);
        let printed = format!("in /tmp/a/app.py\n\u{1b}[31mred\r\n{long}\nlast").into_bytes();
        let paths = vec!["/tmp/a/".to_owned(), "/tmp/b/".to_owned()];
        keep_printed(Box::new(std::io::Cursor::new(printed)), log.voice(), paths).await;
        let lines = log.lines();
        assert_eq!(lines[..2], ["in app.py".to_owned(), "\u{fffd}[31mred".to_owned()]);
        assert_eq!((lines.len(), lines.last().map(String::as_str)), (7, Some("last")));
    }
}
