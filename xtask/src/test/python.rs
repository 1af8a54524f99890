//! The Python environment of the tests, and the Python tests.
//!
//! The environment is built from a checked-in lock under the target folder, and again only when the lock
//! changes. Invariant: nothing is installed into the system's Python.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::Done;
use super::counts::{self, Runner};
use super::workplace::Workplace;
use crate::shell;

/// What `uv pip compile` made of `requirements-test.in`.
const LOCK: &str = "python/requirements-test.lock";
/// The same of what trains by PyTorch, which is laid over a Python that has it.
const TRAINERS_LOCK: &str = "python/requirements-trainers.lock";
/// Fixed, because it decides how the lock is installed.
const UV: &str = "uv==0.13.8";
/// Written last, so an environment that broke off halfway is built again.
const STAMP: &str = "installed.lock";

/// Builds the environment if the lock asks for another, and exports where it is.
pub fn set_up(workplace: &mut Workplace) -> anyhow::Result<Done> {
    let lock = std::fs::read_to_string(workplace.root.join(LOCK))
        .with_context(|| format!("could not read `{LOCK}`"))?;
    let home = workplace.target.join("test-env");
    make(&home, &format!("{UV}\n{lock}"), || build(workplace, &home))?;
    let python = python_of(&home);
    let library = onnx_runtime(&python)?;
    workplace.export("REENACT_TEST_PYTHON", &python);
    workplace.export("ORT_DYLIB_PATH", &library);
    Ok(Done::prepared())
}

/// Builds what trains by PyTorch over the Python that has it, and exports where; where it cannot be had, its tests are
/// skipped.
pub fn set_up_trainers(workplace: &mut Workplace) -> anyhow::Result<Done> {
    let below = workplace.exports().find(|(name, _)| *name == "REENACT_TEST_TORCH_PYTHON");
    let Some(below) = below.map(|(_, python)| python.to_owned()) else {
        return Ok(Done::noted(counts::Counts::default(), "there is no PyTorch to train by"));
    };
    let lock = std::fs::read_to_string(workplace.root.join(TRAINERS_LOCK))
        .with_context(|| format!("could not read `{TRAINERS_LOCK}`"))?;
    let home = workplace.target.join("trainers-env");
    let made = make(&home, &format!("{below}\n{lock}"), || {
        let uv = python_of(&workplace.target.join("test-env"));
        let ask = |arguments: &[&str]| {
            let mut command = workplace.command(&uv, "");
            command.args(["-m", "uv"]).args(arguments);
            command
        };
        let over = ["venv", "--quiet", "--clear", "--system-site-packages", "--python", &below];
        shell::must(ask(&over).arg(&home))?;
        let mut install = ask(&["pip", "install", "--quiet", "--no-deps", "--requirements", TRAINERS_LOCK]);
        shell::must(install.arg("--python").arg(python_of(&home)))?;
        Ok(())
    });
    match made {
        Ok(()) => {
            workplace.export("REENACT_TEST_TRAINERS_PYTHON", python_of(&home));
            Ok(Done::prepared())
        }
        Err(error) => Ok(Done::noted(counts::Counts::default(), format!("no trainers: {error:#}"))),
    }
}

/// Runs `pytest` over `python/tests`.
pub fn test(workplace: &mut Workplace) -> anyhow::Result<Done> {
    if !workplace.root.join("python/tests").is_dir() {
        return Ok(Done::noted(counts::Counts::default(), "there is no `python/tests` yet"));
    }
    let python = python_of(&workplace.target.join("test-env"));
    let mut command = workplace.command(&python, "python");
    // A test that waits for ever fails, and says where it waits; which tests are slow is said in the end.
    command.args([
        "-m",
        "pytest",
        "--quiet",
        "-p",
        "no:cacheprovider",
        "--timeout=600",
        "--durations=15",
        "tests",
    ]);
    // The package is tested as it lies in the tree; the wheel adds the binary, which is named here.
    command.env("PYTHONPATH", package_folder(&workplace.root)).env("REENACT_BINARY", workplace.binary());
    Ok(counts::read(Runner::Pytest, &shell::run(&mut command)?)?.into())
}

/// Whether the machine's Python can make an environment that has pip.
pub fn can_make_environments(_: &Workplace) -> bool {
    // Without a Python there is nothing that Debian's `python3-venv` could complete; `build` names it.
    system_python().is_none_or(|python| {
        shell::ask(Command::new(python).args(["-c", "import ensurepip, venv"])).is_some()
    })
}

/// Builds an environment unless the same was built before.
fn make(home: &Path, wanted: &str, build: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    if std::fs::read_to_string(home.join(STAMP)).ok().as_deref() != Some(wanted) {
        build()?;
        std::fs::write(home.join(STAMP), wanted).context("could not mark the environment as complete")?;
    }
    Ok(())
}

fn build(workplace: &Workplace, home: &Path) -> anyhow::Result<()> {
    let Some(system) = system_python() else {
        bail!("there is no Python 3.11 or newer\n  hint: run `apt-get install python3 python3-venv`");
    };
    shell::must(workplace.command(system, "").args(["-m", "venv", "--clear"]).arg(home))?;
    let python = python_of(home);
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", UV];
    shell::must(workplace.command(&python, "").args(pip))?;
    let mut sync = workplace.command(&python, "");
    sync.args(["-m", "uv", "pip", "install", "--quiet", "--python"])
        .arg(&python)
        .args(["--requirements", LOCK]);
    shell::must(&mut sync).with_context(|| format!("could not install `{LOCK}`"))?;
    Ok(())
}

/// The newest of the Pythons that the lock was made for.
fn system_python() -> Option<&'static str> {
    let asks = "import sys; assert (3, 11) <= sys.version_info[:2] <= (3, 13)";
    let names = ["python3.11", "python3", "python3.12", "python3.13", "python"];
    names.into_iter().find(|name| shell::ask(Command::new(name).args(["-c", asks])).is_some())
}

fn python_of(home: &Path) -> PathBuf {
    home.join("bin").join("python")
}

/// The folder that holds the package `reenact`.
fn package_folder(root: &Path) -> PathBuf {
    let sources = root.join("python/src");
    if sources.is_dir() { sources } else { root.join("python") }
}

/// The library inside the wheel of ONNX Runtime; its name carries the version.
fn onnx_runtime(python: &Path) -> anyhow::Result<PathBuf> {
    let asks = "import sysconfig; print(sysconfig.get_path('platlib'))";
    let packages =
        shell::ask(Command::new(python).args(["-c", asks])).context("the environment has no Python")?;
    let folder = Path::new(&packages).join("onnxruntime/capi");
    let files =
        std::fs::read_dir(&folder).with_context(|| format!("could not read `{}`", folder.display()))?;
    let mut libraries: Vec<PathBuf> = files
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("libonnxruntime.so"))
        })
        .collect();
    libraries.sort();
    libraries.pop().with_context(|| format!("`{}` holds no `libonnxruntime.so`", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_pins_each_package_and_brings_none_for_a_gpu() {
        for lock in [LOCK, TRAINERS_LOCK] {
            let lock = std::fs::read_to_string(crate::root().join(lock)).unwrap();
            let packages: Vec<&str> = lock.lines().filter(|line| !line.starts_with([' ', '#'])).collect();
            assert!(packages.len() > 10);
            for package in packages {
                assert!(package.contains("==") && !package.starts_with("nvidia"), "`{package}`");
            }
        }
    }
}
