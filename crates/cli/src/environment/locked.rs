//! Environments that models run in: one for each lock and version of Python, shared by all that want it.
//!
//! Only wheels are installed, which are unpacked and not run. Invariants: an environment under its final name is
//! complete and never changes; of two builders of one environment, one builds and one waits.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};
use spec::digest::Sha256;
use spec::handler::interpreter::Interpreter;
use spec::handler::{Packages, Wanted};

use super::{project, uv};
use crate::error::Error;
use crate::printer::Printer;

/// What an environment says of itself.
const DESCRIPTION: &str = "environment.json";
/// The lock that it was built from.
pub(super) const LOCK: &str = "requirements.lock";
/// Where a process finds the libraries that every program of this machine uses, and what they read.
const SYSTEM: [&str; 8] = [
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/local/lib",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/dev/urandom",
];
/// The programs that load programs, of the architectures and C libraries we know.
const LOADERS: [&str; 4] = [
    "/lib64/ld-linux-x86-64.so.2",
    "/lib/ld-linux-aarch64.so.1",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/ld-musl-aarch64.so.1",
];
/// Asks an interpreter where it lives.
const PLACES: &str = "
import json, os, sys, sysconfig
base = os.path.realpath(sys.base_prefix)
is_shared = base in ('/', '/usr', '/usr/local')
own = [sysconfig.get_path(name) for name in ('stdlib', 'platstdlib')] if is_shared else [base]
own += [path for path in sys.path if os.path.isdir(path) and not path.startswith(sys.prefix + '/')]
version = '.'.join(map(str, sys.version_info[:3]))
print(json.dumps({'version': version, 'program': os.path.realpath(sys.executable), 'readable': own}))
";

/// Asks an interpreter which packages it has.
const PACKAGES: &str = "
from importlib import metadata
found = {(one.metadata['Name'] or '').lower(): one.version for one in metadata.distributions()}
print('\\n'.join(f'{name}=={version}' for name, version in sorted(found.items()) if name))
";

/// What to run and what it reads, as the environment's own interpreter told it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Described {
    /// Version of Python, such as `3.11.7`.
    pub version: String,
    /// The interpreter behind the environment's own name for it.
    pub program: PathBuf,
    /// Where that finds its library.
    pub readable: Vec<PathBuf>,
}

/// An environment that is complete.
#[derive(Debug, Clone)]
pub struct Locked {
    pub folder: PathBuf,
    pub described: Described,
}

impl Locked {
    /// Opens the one in this folder.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(DESCRIPTION);
        let text = fs::read_to_string(&path).map_err(|source| Error::File {
            operation: "read",
            path: path.clone(),
            source,
        })?;
        let described = serde_json::from_str(&text)
            .map_err(|source| Error::Json { name: path.display().to_string(), source })?;
        Ok(Self { folder: folder.to_owned(), described })
    }

    /// The interpreter, by the name under which it finds the environment's packages.
    pub fn python(&self) -> PathBuf {
        self.folder.join("bin/python")
    }

    /// What a program of it reads.
    pub fn readable(&self) -> Vec<PathBuf> {
        let system = SYSTEM.into_iter().map(PathBuf::from);
        let processor = ["/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu"].map(PathBuf::from);
        let own = std::iter::once(self.folder.clone()).chain(self.described.readable.clone());
        own.chain(system).chain(processor).filter(|path| path.exists()).collect()
    }

    /// What has to be run for its interpreter to run.
    pub fn executable(&self) -> Vec<PathBuf> {
        let loaders = LOADERS.into_iter().map(PathBuf::from).filter(|path| path.exists());
        std::iter::once(self.described.program.clone()).chain(loaders).collect()
    }
}

/// Finds the environment that is wanted below `root`, or makes it.
pub fn ensure(wanted: &Wanted, root: &Path, printer: &Printer) -> Result<Locked, Error> {
    fs::create_dir_all(root).map_err(|source| Error::File {
        operation: "make",
        path: root.into(),
        source,
    })?;
    // `uv` is run in folders of its own.
    let root = &fs::canonicalize(root).map_err(|source| Error::File {
        operation: "find",
        path: root.into(),
        source,
    })?;
    let wanted = Wanted { interpreter: asked(wanted.interpreter.as_ref())?, ..wanted.clone() };
    let lock = match &wanted.packages {
        Packages::Lock(text) => text.clone(),
        Packages::Requirements(text) => lock(&wanted, text, (root, printer))?,
        Packages::Project { pyproject, lock } => {
            project::export(&wanted, (pyproject, lock), (root, printer))?
        }
    };
    let wanted = Wanted { packages: Packages::Lock(lock), ..wanted };
    let folder = root.join(wanted.digest().to_string());
    let held = hold(&folder)?;
    if !folder.exists() {
        build(&wanted, &folder, (&held, printer))?;
    }
    Locked::open(&folder)
}

/// The operator's interpreter with the packages that it has: they belong to what the environment is.
fn asked(interpreter: Option<&Interpreter>) -> Result<Option<Interpreter>, Error> {
    let Some(interpreter) = interpreter else { return Ok(None) };
    let mut command = Command::new(&interpreter.program);
    let packages = uv::answer(command.args(["-I", "-c", PACKAGES]), "ask the interpreter for its packages")?;
    Ok(Some(Interpreter { packages: Some(packages), ..interpreter.clone() }))
}

/// What `uv` is told of the Python that an environment is for: a version, or the program that an operator keeps.
pub(super) fn python(wanted: &Wanted) -> &str {
    wanted.interpreter.as_ref().map_or(wanted.python.as_str(), |interpreter| &interpreter.program)
}

/// Rules by which what an interpreter has already is not chosen again, unless it is asked for by name.
fn provided(wanted: &Wanted, requirements: &str) -> Option<String> {
    let packages = wanted.interpreter.as_ref()?.packages.as_deref()?;
    let named: Vec<String> = requirements.lines().map(package_of).collect();
    let others = packages.lines().map(package_of).filter(|name| !named.contains(name));
    Some(others.map(|name| format!("{name} ; sys_platform == 'none'\n")).collect())
}

/// The package that a line is about, as it is compared.
fn package_of(line: &str) -> String {
    let is_part = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = line.trim().chars().take_while(is_part).collect();
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}

/// Chooses a version of every package.
fn lock(wanted: &Wanted, requirements: &str, at: (&Path, &Printer)) -> Result<String, Error> {
    let (root, printer) = at;
    let failed = |source| Error::File { operation: "make", path: root.to_owned(), source };
    let uv = uv::find(&super::cache()?, printer)?;
    let work = tempfile::Builder::new().prefix(".locking-").tempdir_in(root).map_err(failed)?;
    let (from, to) = (work.path().join("requirements.in"), work.path().join(LOCK));
    fs::write(&from, requirements).map_err(failed)?;
    printer.note("choosing a version of every package");
    let mut compile = Command::new(uv);
    compile.args(["pip", "compile", "--quiet", "--generate-hashes", "--no-header", "--no-annotate"]);
    compile.args(["--only-binary", ":all:"]);
    match &wanted.interpreter {
        None => compile.args(["--python-version", wanted.python.as_str()]),
        Some(interpreter) => compile.args(["--python", &interpreter.program]),
    };
    if let Some(rules) = provided(wanted, requirements) {
        let path = work.path().join("provided.txt");
        fs::write(&path, rules).map_err(failed)?;
        compile.arg("--override").arg(path);
    }
    compile.current_dir(work.path()).arg(&from).arg("--output-file").arg(&to);
    // Its folder is its own, so that nobody has to wait for it.
    let own = File::open(&from).map_err(failed)?;
    uv::watch(&mut compile, "choose the versions of the packages", (&own, printer))?;
    fs::read_to_string(&to).map_err(|source| Error::File { operation: "read", path: to.clone(), source })
}

fn build(wanted: &Wanted, folder: &Path, at: (&File, &Printer)) -> Result<(), Error> {
    let Packages::Lock(lock) = &wanted.packages else { return Ok(()) };
    let of = wanted.interpreter.as_ref().map_or(wanted.python.as_str(), |kept| kept.name.as_str());
    at.1.note(format_args!("making an environment of Python {of}"));
    let own = if wanted.interpreter.is_some() { &["--system-site-packages"][..] } else { &[] };
    let install = ["--compile-bytecode", "--require-hashes", "--only-binary", ":all:"];
    let plan = Plan { python: python(wanted), venv: own, lock, install: &install };
    make(&plan, folder, at, |unfinished| {
        let mut interpreter = Command::new(unfinished.join("bin/python"));
        let places = uv::answer(interpreter.args(["-I", "-c", PLACES]), "ask the interpreter where it is")?;
        let failed = |source| Error::File { operation: "make", path: folder.to_owned(), source };
        fs::write(unfinished.join(DESCRIPTION), places).map_err(failed)?;
        sync(unfinished).map_err(failed)
    })
}

/// What an environment is made of.
pub(super) struct Plan<'p> {
    /// A version, or a program.
    pub(super) python: &'p str,
    /// Further words for `uv venv`.
    pub(super) venv: &'p [&'p str],
    /// The packages, none of which draws in another.
    pub(super) lock: &'p str,
    /// Further words for `uv pip install`.
    pub(super) install: &'p [&'p str],
}

/// Makes an environment under a name that nobody looks for, and renames it when it is complete.
pub(super) fn make(
    plan: &Plan<'_>,
    folder: &Path,
    at: (&File, &Printer),
    complete: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<(), Error> {
    let failed = |source| Error::File { operation: "make", path: folder.to_owned(), source };
    let uv = uv::find(&super::cache()?, at.1)?;
    // Its name is known, so that what a killed builder left is removed by the next.
    let unfinished = folder.with_extension("unfinished");
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished).map_err(failed)?;
    }
    let mut make = Command::new(&uv);
    // What is relocatable survives being renamed.
    make.args(["venv", "--quiet", "--relocatable", "--python", plan.python]).args(plan.venv).arg(&unfinished);
    uv::watch(&mut make, "make the environment", at)?;
    let path = unfinished.join(LOCK);
    fs::write(&path, plan.lock).map_err(failed)?;
    if plan.lock.lines().any(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#')) {
        let mut install = Command::new(&uv);
        install.args(["pip", "install", "--no-progress", "--no-deps"]).args(plan.install);
        install.arg("--requirement").arg(&path).arg("--python").arg(unfinished.join("bin/python"));
        uv::watch(install.current_dir(&unfinished), "install the packages", at)?;
    }
    complete(&unfinished)?;
    // One whose Python is gone cannot be used, and would be in the way.
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(failed)?;
    }
    fs::rename(&unfinished, folder).map_err(failed)
}

/// Held while an environment is made; freed by the system when this process and what it started have ended.
pub(super) fn hold(folder: &Path) -> Result<File, Error> {
    let path = folder.with_extension("lock");
    let failed = |source| Error::File { operation: "lock", path: path.clone(), source };
    let file = File::create(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

/// The description is written last: when it is on the disk, a power cut loses nothing that it speaks of but
/// what the disk itself reordered.
fn sync(folder: &Path) -> std::io::Result<()> {
    File::open(folder.join(DESCRIPTION))?.sync_all()?;
    File::open(folder)?.sync_all()
}

/// The digest of an environment, which is the name of its folder.
pub fn digest(locked: &Locked) -> Option<Sha256> {
    locked.folder.file_name()?.to_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_interpreter_has_is_chosen_again_only_where_it_is_named() {
        let name = "debian".parse().unwrap();
        let packages = Some("numpy==1.24.2\ntyping_extensions==4.4.0\ntorch==1.13.0a0".to_owned());
        let interpreter = Some(Interpreter { name, program: "python3".into(), packages });
        let nothing = Packages::Requirements(String::new());
        let wanted = Wanted { python: "3.11".parse().unwrap(), interpreter, packages: nothing };
        let rules = provided(&wanted, "transformers>=4\nTyping.Extensions[x]==4.9").unwrap();
        assert_eq!(rules, "numpy ; sys_platform == 'none'\ntorch ; sys_platform == 'none'\n");
        assert_eq!(provided(&Wanted { interpreter: None, ..wanted }, ""), None);
    }
}
