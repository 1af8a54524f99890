//! Runtimes that tests start and end: `examples/serve.rs`, confined, on a socket of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use runtime::Search;

/// A runtime that is ready, ended when dropped.
pub struct Runtime {
    child: Child,
    pub socket: PathBuf,
    _folder: tempfile::TempDir,
}

/// Whether the tests of this crate can run. Without ONNX Runtime they fail, or are skipped where that was
/// asked for; either way it shows.
pub fn is_available() -> bool {
    if library().is_some() {
        return true;
    }
    assert!(
        std::env::var_os("REENACT_SKIP_ONNXRUNTIME").is_some(),
        "ONNX Runtime was not found. This gets it: `python3 -m venv .venv && .venv/bin/pip install onnxruntime` \
         in the repository's folder, or set ORT_DYLIB_PATH. REENACT_SKIP_ONNXRUNTIME=1 skips these tests"
    );
    // Past the test harness, which would hide it.
    let _ = writeln!(std::io::stderr(), "skipped: there is no ONNX Runtime");
    false
}

/// The library of the environment, or of the virtual environment in the repository.
fn library() -> Option<PathBuf> {
    let lib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.venv/lib");
    let pythons = std::fs::read_dir(lib).into_iter().flatten();
    let site_packages = pythons.filter_map(|entry| Some(entry.ok()?.path().join("site-packages"))).collect();
    runtime::find(&Search { library: None, site_packages }).ok()
}

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A command that serves a model at a socket, both captured.
pub fn command(model: &Path, socket: &Path) -> Command {
    let mut command = Command::new(example("serve"));
    command.args([model, socket]).env("ORT_DYLIB_PATH", library().unwrap());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Where cargo put the example beside this test.
pub fn example(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let found = own.ancestors().map(|folder| folder.join("examples").join(name)).find(|path| path.is_file());
    found.expect("`cargo test -p runtime` builds its examples")
}

/// Starts a runtime for a fixture and waits until it is ready.
pub fn start(model: &str) -> Runtime {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let child = start_at(&fixture(model), &socket);
    Runtime { child, socket, _folder: folder }
}

/// Starts a runtime for a file at a socket and waits until it is ready.
pub fn start_at(model: &Path, socket: &Path) -> Child {
    ready(command(model, socket))
}

/// Starts a runtime and waits until it is ready.
pub fn ready(mut command: Command) -> Child {
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    if !line.starts_with("{\"ready\":") {
        panic!("{:?}: {line}{}", child.wait(), rest(&mut child));
    }
    child
}

/// Runs one that cannot begin, and gives how it ended and what it logged.
pub fn fail(command: &mut Command) -> (ExitStatus, String) {
    let output = command.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "", "it must not say that it is ready");
    (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
}

impl Runtime {
    /// One that is ready, with the folder that is its own.
    pub fn new(child: Child, socket: PathBuf, folder: tempfile::TempDir) -> Self {
        Self { child, socket, _folder: folder }
    }

    /// Ends it and gives what it logged.
    pub fn end(mut self) -> String {
        self.child.kill().unwrap();
        rest(&mut self.child)
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rest(child: &mut Child) -> String {
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    log
}
