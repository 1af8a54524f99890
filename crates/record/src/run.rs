//! Running a command: found, started under the shim, its words passed on and kept, its end waited for.
//!
//! Knows neither capsules nor comparisons. Invariants: the command sees its own environment and input; its output
//! goes to a pipe, so a program that asks whether a terminal is there is told no. What this program is told by a
//! signal, the command is told.

pub mod bell;

pub(crate) mod aftermath;

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;
use std::{env, thread};

use spec::capsule::Exit;

use crate::error::{Error, at};
use crate::run::bell::{Bell, Wait};
use crate::shim::Shim;

/// What the caller lends to a run.
pub struct Means {
    /// The program that switches chance out of addresses and becomes the command that is behind its arguments.
    pub launcher: Vec<OsString>,
    /// Milliseconds since 1970-01-01 UTC.
    pub now_ms: fn() -> i64,
    /// Where the command's output goes besides the record.
    pub out: fn() -> Box<dyn Write + Send>,
    /// Where its errors go.
    pub err: fn() -> Box<dyn Write + Send>,
    /// Rung by whoever receives this program's signals.
    pub bell: Arc<Bell>,
    /// How long a command may take.
    pub timeout: Option<Duration>,
    /// Counts the draws of entropy that come past the shim, where that is wanted.
    pub audit: Option<Audit>,
    /// Shows how far the hashing of a long file is, where somebody wants to see that.
    pub hashing: Option<Hashing>,
}

/// Begins to show how far the hashing of a file of so many bytes is; what it gives is told how many more were read.
pub type Hashing = fn(&Path, u64) -> Box<dyn FnMut(u64)>;

/// Begins to listen at a path, where the launcher says whom to ask. None where this cannot be.
pub type Audit = fn(&Path) -> Option<Counting>;
/// Ends that, and gives how many draws came from which program or library; none where the launcher said nothing.
pub type Counting = Box<dyn FnOnce() -> Option<BTreeMap<String, u64>>>;

/// What is to be started.
pub(crate) struct Start<'s> {
    pub program: &'s Path,
    pub arguments: &'s [String],
    pub folder: &'s Path,
    /// In a replay, the recorded variables, which take the place of all others that a capsule keeps.
    pub variables: Option<&'s BTreeMap<String, String>>,
    /// The folder for `stdout.txt` and `stderr.txt`.
    pub words: &'s Path,
    /// What is left to the command, where it may not do all that we may.
    pub confined: Option<&'s Confined>,
}

/// What a confined command may do; the launcher sees to it. It has no network and none of our environment.
pub(crate) struct Confined {
    pub readable: Vec<PathBuf>,
    pub executable: Vec<PathBuf>,
    pub writable: Vec<PathBuf>,
    /// What it takes for its user's own folder and for that of temporary files.
    pub home: PathBuf,
}

/// How long the output of what the command left running is waited for.
const LINGER: Duration = Duration::from_secs(5);

/// How a command ended.
pub(crate) struct Ended {
    pub exit: Exit,
    /// Whether it was ended because its time was over.
    pub is_late: bool,
    /// What of its words is missing in the record.
    pub warnings: Vec<String>,
    /// Draws past the shim, by the program or library that made them, where they were counted.
    pub bypassed: Option<BTreeMap<String, u64>>,
}

/// Runs a command to its end.
pub(crate) fn run(means: &Means, start: &Start<'_>, shim: &Shim) -> Result<Ended, Error> {
    let Some((launcher, leading)) = means.launcher.split_first() else { return Err(Error::Unsupported) };
    let mut command = Command::new(launcher);
    command.args(leading);
    if let Some(confined) = start.confined {
        confine(&mut command, confined);
    }
    let socket = shim.folder().join("audit");
    let counting = means.audit.and_then(|audit| audit(&socket));
    if counting.is_some() {
        command.arg("--audit").arg(&socket);
    }
    command.arg("--preload");
    let shims = shim.variables(env::var_os("LD_PRELOAD").as_deref());
    command.arg(
        shims.iter().find(|(name, _)| *name == "LD_PRELOAD").map_or_else(OsString::new, |(_, v)| v.clone()),
    );
    command.arg("--").arg(start.program).args(start.arguments);
    command.current_dir(start.folder).env("PWD", start.folder).env_remove("LD_PRELOAD");
    command.envs(shims.into_iter().filter(|(name, _)| *name != "LD_PRELOAD"));
    if let Some(variables) = start.variables {
        let ours = env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let is_kept = |name: &str, value: &OsStr| {
            spec::capsule::is_kept_variable(name)
                && !value.to_str().is_some_and(spec::capsule::is_secret_value)
        };
        ours.filter(|(name, value)| is_kept(name, value)).for_each(|(name, _)| {
            command.env_remove(name);
        });
        // A capsule may come from anybody, and a variable of another kind would reach the launcher too.
        command.envs(variables.iter().filter(|(name, _)| spec::capsule::is_kept_variable(name)));
    }
    let own_path = env::var("PYTHONPATH").ok();
    let python_path = start.variables.map_or(own_path, |variables| variables.get("PYTHONPATH").cloned());
    command.env("PYTHONPATH", shim.python_path(python_path.as_deref()));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // Before the command is there, which nobody would end if they could not be made.
    let (said, complained) =
        (Kept::create(start.words, "stdout.txt")?, Kept::create(start.words, "stderr.txt")?);
    let failed = |source| Error::Start { program: start.program.display().to_string(), source };
    let mut child = command.spawn().map_err(failed)?;
    let (done, ends) = mpsc::channel();
    if let Some(out) = child.stdout.take() {
        pass_on(out, (means.out)(), said, done.clone());
    }
    if let Some(err) = child.stderr.take() {
        pass_on(err, (means.err)(), complained, done);
    }
    let wait = Wait { bell: &means.bell, timeout: means.timeout };
    let (status, is_late) = bell::wait(&mut child, &wait).map_err(failed)?;
    // A process that was left behind may hold the pipes open for ever; what it says then is not part of the run.
    let heard = (0..2).map_while(|_| ends.recv_timeout(LINGER).ok());
    let warnings = heard.flatten().collect();
    shim.close()?;
    let bypassed = counting.and_then(|end| end());
    let exit = match status.signal() {
        Some(signal) => Exit::Signal(signal),
        None => Exit::Code(status.code().unwrap_or(1)),
    };
    Ok(Ended { exit, is_late, warnings, bypassed })
}

/// Takes our environment from a command, and has the launcher take the rest.
fn confine(command: &mut Command, confined: &Confined) {
    command.env_clear().env("PATH", env::var_os("PATH").unwrap_or_default());
    command.env("HOME", &confined.home).env("TMPDIR", &confined.home);
    command.arg("--confined");
    let Confined { readable, executable, writable, .. } = confined;
    for (flag, paths) in [("--readable", readable), ("--executable", executable), ("--writable", writable)] {
        for path in paths.iter().filter(|path| path.exists()) {
            command.arg(flag).arg(path);
        }
    }
}

/// A file of the record for what a command says.
struct Kept {
    file: File,
    name: &'static str,
}

impl Kept {
    fn create(folder: &Path, name: &'static str) -> Result<Self, Error> {
        let path = folder.join(name);
        Ok(Self { file: File::create(&path).map_err(at("write", &path))?, name })
    }
}

/// Copies what a command says, as it says it, to whoever watches and to the record.
fn pass_on(
    mut from: impl Read + Send + 'static,
    mut to: Box<dyn Write + Send>,
    mut kept: Kept,
    done: mpsc::Sender<Option<String>>,
) {
    thread::spawn(move || {
        let mut space = vec![0; 64 * 1024];
        let mut cut = None;
        while let Ok(n @ 1..) = from.read(&mut space) {
            let bytes = space.get(..n).unwrap_or_default();
            // Whoever watched may have gone; the record goes on.
            let _ = to.write_all(bytes).and_then(|()| to.flush());
            // A command whose words nobody takes would be ended; it goes on, and the record says that it is cut.
            if cut.is_none() {
                let written = kept.file.write_all(bytes);
                cut = written.err().map(|error| format!("`{}` is cut: {error}", kept.name));
            }
        }
        // The receiver is gone where the run was given up on.
        let _ = done.send(cut);
    });
}

/// The program that a shell would start for a word, as an absolute path with its links as they are.
pub fn find(word: &str, folder: &Path) -> Result<PathBuf, Error> {
    let is_program = |path: &Path| {
        path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let not_found = || Error::NoProgram(word.to_owned());
    if word.contains('/') {
        return Some(folder.join(word)).filter(|path| is_program(path)).ok_or_else(not_found);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places = env::split_paths(&path).map(|place| folder.join(place).join(word));
    places.find(|path| is_program(path)).ok_or_else(not_found)
}
