//! `reenact run-app`: the process of one web app. It confines itself and becomes the interpreter that runs the app.
//!
//! The socket on which the app answers is made here, and handed on: once confined, nobody makes one. Invariant: nothing of
//! the app's is read before the process is confined.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use sandbox::{Policy, Scratch};
use serde_json::json;

use crate::args::local::RunApp;
use crate::commands::ExitStatus;
use crate::commands::runtime::{confine, open_null, whole};
use crate::environment::locked::Locked;
use crate::error::Error;
use crate::logging::{self, Format};

/// What the interpreter runs.
const SCRIPT: &str = include_str!("run_app/app.py");
/// Nothing of the user's own, nothing compiled on the way, and what is printed is seen at once.
const INTERPRETER: [&str; 4] = ["-s", "-B", "-u", "-c"];
/// By which libraries of numbers are told how many threads to compute with.
const THREADS: [&str; 4] =
    ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"];
/// Files, folders and links that an app may make.
const SCRATCH_FILES: u64 = 10_000;

pub fn run(args: &RunApp) -> anyhow::Result<ExitStatus> {
    logging::start("warn", Format::Text)?;
    let folder = whole(&args.folder)?;
    let environment = Locked::open(&whole(&args.environment)?)?;
    let listener = UnixListener::bind(&args.socket).map_err(failed("make the socket", &args.socket))?;
    let (own, bytes) = (whole(&args.scratch)?, args.scratch_bytes);
    let scratch = Scratch { folder: own.clone(), bytes, n_files: SCRATCH_FILES, is_needed: true };
    let mut readable = environment.readable();
    readable.push(folder.clone());
    let bounds = (args.memory_bytes, args.cpu_s);
    let policy = open_null(Policy::for_app(readable, environment.executable(), scratch, bounds));
    confine(&policy, args.allow_unsandboxed).map_err(anyhow::Error::from_boxed)?;
    // From here on it stays open in what this process becomes.
    let handed_on = rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty());
    handed_on.map_err(|error| failed("hand on the socket", &args.socket)(error.into()))?;
    fs::create_dir(own.join(".tmp")).map_err(failed("make a folder in", &own))?;
    let told = json!({
        "socket": listener.as_raw_fd(),
        "sdk": args.sdk.as_str(),
        "folder": folder,
        "file": &args.file,
        "scratch": own,
    });
    let program = environment.python();
    let mut command = Command::new(&program);
    command.args(INTERPRETER).arg(SCRIPT).arg(told.to_string()).current_dir(&own).env_clear();
    command
        .env("PYTHONHASHSEED", "0")
        .env("LANG", "C.UTF-8")
        .env("HOME", &own)
        .env("TMPDIR", own.join(".tmp"));
    // Nothing there can be run, but libraries look.
    command.env("PATH", "/usr/bin:/bin");
    command.envs(THREADS.iter().map(|name| (name, args.threads.max(1).to_string())));
    let source = command.exec();
    Err(Error::Program { program: program.display().to_string(), source }.into())
}

fn failed<'a>(operation: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> Error + 'a {
    move |source| Error::File { operation, path: path.to_owned(), source }
}
