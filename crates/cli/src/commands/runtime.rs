//! `reenact runtime`: the process of one endpoint. It confines itself before it looks at the model.
//!
//! Invariant: no thread is started before the process is confined, since a thread would stay free.

mod devices;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use runtime::{Python, Search, Settings};
use sandbox::{Policy, Scratch};
use spec::schema::Schema;

use crate::args::local::{Handler, Runtime};
use crate::commands::ExitStatus;
use crate::environment::{self, locked::Locked};
use crate::error::Error;
use crate::logging::{self, Format};

/// What a model in Python may write, to memory and until its runtime ends: many libraries want a place for temporary files.
const SCRATCH_BYTES: u64 = 64 * 1024 * 1024;
const SCRATCH_FILES: u64 = 4096;

pub fn run(args: Runtime) -> anyhow::Result<ExitStatus> {
    logging::start("info,ort=warn", Format::Text)?;
    let (python, worker) = match &args.handler.folder {
        Some(folder) => {
            let (python, worker) = handler(folder, &args)?;
            (Some(python), Some(worker))
        }
        None => (None, None),
    };
    let settings = Settings {
        python,
        n_threads: args.threads,
        n_sessions: args.sessions,
        examples: args.examples,
        external_data: args.external_data,
        weights_sha256: args.weights_sha256,
        onnxruntime: Search { library: args.onnxruntime, site_packages: environment::site_packages() },
        ..Settings::new(whole(&args.model)?, args.socket)
    };
    let policy = match worker {
        Some(worker) => watching(&worker, &settings)?,
        None => Policy::for_runtime(settings.files_read(), args.memory_bytes),
    };
    let allow_unsandboxed = args.allow_unsandboxed;
    runtime::run(&settings, || confine(&policy, allow_unsandboxed))?;
    Ok(ExitStatus::Success)
}

/// How the handler is run, and what its workers may do.
fn handler(folder: &Path, args: &Runtime) -> Result<(Python, Policy), Error> {
    let Handler { object, takes, schema, environment, gpu, .. } = &args.handler;
    let Handler { call_timeout_ms, load_timeout_ms, .. } = &args.handler;
    // A worker is in the handler's folder, and would look for paths that are not whole there.
    let folder = &whole(folder)?;
    let environment = Locked::open(&whole(environment.as_deref().unwrap_or(Path::new("")))?)?;
    let path = schema.as_deref().unwrap_or(Path::new(""));
    let failed = |source| Error::File { operation: "read", path: path.into(), source };
    let schema: Schema = serde_json::from_slice(&fs::read(path).map_err(failed)?)
        .map_err(|source| Error::Json { name: path.display().to_string(), source })?;
    let mut readable = environment.readable();
    readable.push(folder.to_owned());
    let devices = devices::files(gpu, Path::new(devices::FOLDER))?;
    if !devices.is_empty() {
        readable.extend(devices::readable());
    }
    let scratch = whole(&args.socket.with_file_name("scratch"))?;
    fs::create_dir_all(&scratch).map_err(|source| Error::File {
        operation: "make",
        path: scratch.clone(),
        source,
    })?;
    let policy = Policy {
        devices,
        writable: vec![scratch.clone()],
        ..Policy::for_worker(readable, environment.executable(), args.memory_bytes)
    };
    let python = Python {
        folder: folder.to_owned(),
        object: object.clone().unwrap_or_default(),
        takes: *takes,
        schema,
        launcher: launcher(&policy, &environment.python(), args.allow_unsandboxed)?,
        call_timeout: Duration::from_millis(*call_timeout_ms),
        load_timeout: Duration::from_millis(*load_timeout_ms),
        memory_bytes: args.memory_bytes,
        scratch,
    };
    Ok((python, open_null(policy)))
}

/// `reenact worker … -- python`, to which the runtime adds what the interpreter is to do.
fn launcher(policy: &Policy, python: &Path, allow_unsandboxed: bool) -> Result<Vec<OsString>, Error> {
    let mut words: Vec<OsString> = vec![own_program()?.into(), "worker".into(), "--memory-bytes".into()];
    words.push(policy.memory_bytes.to_string().into());
    let Policy { readable, executable, writable, devices, .. } = policy;
    let given = [
        ("--readable", readable),
        ("--executable", executable),
        ("--writable", writable),
        ("--device", devices),
    ];
    for (flag, paths) in given {
        words.extend(paths.iter().flat_map(|path| [flag.into(), path.into()]));
    }
    words.extend(allow_unsandboxed.then(|| "--allow-unsandboxed".into()));
    words.extend(["--".into(), python.into()]);
    Ok(words)
}

/// What the process that watches over the workers may do: all that they may, and start them.
fn watching(worker: &Policy, settings: &Settings) -> Result<Policy, Error> {
    let mut policy = Policy::for_watch(worker);
    // It lays the folder, in which its workers alone write; where it cannot, nobody does.
    let scratch = |folder| Scratch { folder, bytes: SCRATCH_BYTES, n_files: SCRATCH_FILES, is_needed: false };
    let own = settings.python.as_ref().map(|python| python.scratch.clone());
    policy.writable.retain(|path| Some(path) != own.as_ref());
    policy.scratch = own.map(scratch);
    policy.readable.extend(settings.files_read());
    // Whoever confines itself looks at its own threads and open files there.
    policy.readable.push("/proc".into());
    policy.executable.push(own_program()?);
    Ok(policy)
}

pub(super) fn whole(path: &Path) -> Result<PathBuf, Error> {
    std::path::absolute(path).map_err(|source| Error::File { operation: "find", path: path.into(), source })
}

fn own_program() -> Result<PathBuf, Error> {
    env::current_exe().map_err(|source| Error::Program { program: "reenact".into(), source })
}

/// Nearly every library writes to the file that keeps nothing.
pub(super) fn open_null(mut policy: Policy) -> Policy {
    policy.writable.push("/dev/null".into());
    policy
}

pub(super) fn confine(
    policy: &Policy,
    allow_unsandboxed: bool,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let report = sandbox::confine(policy)?;
    let gaps: Vec<String> = report.gaps().map(|(layer, standing)| format!("{layer} is {standing}")).collect();
    for gap in &gaps {
        tracing::info!("sandbox: {gap}");
    }
    match report.holds_foreign_code() || allow_unsandboxed {
        true => Ok(()),
        false => Err(Error::Unconfined(gaps.join("; ")).into()),
    }
}
