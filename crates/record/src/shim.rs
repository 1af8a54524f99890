//! The preload shim and the hooks in Python that this program carries, put where the loader and Python find them,
//! and the variables they read.
//!
//! Invariant: the paths that it is told are of the same lengths in every run, recording or replay, because the
//! environment's size moves what lies behind it in memory, and the order of addresses can reach a result.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::error::{Error, at};

const BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/shim.so"));
/// The file to which the hooks write what they have to say.
const LINES: &str = "lines";
/// The hooks in Python, by their place in a folder of their own.
const HOOKS: &[(&str, &str)] = &[
    ("sitecustomize.py", include_str!("hooks/sitecustomize.py")),
    ("lib/reenact_run/__init__.py", include_str!("hooks/lib/reenact_run/__init__.py")),
    ("lib/reenact_run/imports.py", include_str!("hooks/lib/reenact_run/imports.py")),
    ("lib/reenact_run/lines.py", include_str!("hooks/lib/reenact_run/lines.py")),
    ("lib/reenact_run/metrics.py", include_str!("hooks/lib/reenact_run/metrics.py")),
    ("lib/reenact_run/machine.py", include_str!("hooks/lib/reenact_run/machine.py")),
    ("lib/reenact_run/operations.py", include_str!("hooks/lib/reenact_run/operations.py")),
    ("lib/reenact_run/profile.py", include_str!("hooks/lib/reenact_run/profile.py")),
    ("lib/reenact_run/scan.py", include_str!("hooks/lib/reenact_run/scan.py")),
    ("lib/reenact_run/tasks.py", include_str!("hooks/lib/reenact_run/tasks.py")),
];

/// A folder with the shim, that lives as long as the run.
#[derive(Debug)]
pub(crate) struct Shim {
    folder: TempDir,
    mode: &'static str,
    is_strict: bool,
    is_profiled: bool,
}

/// What the shim is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task<'t> {
    Record,
    /// As `Record`, with a look at what the program does.
    Profile,
    /// With the logs in this folder; `is_strict` ends the run where it goes another way.
    Replay {
        script: &'t Path,
        is_strict: bool,
    },
}

impl Shim {
    /// Puts the shim in place; it will write its logs to `logs`.
    pub(crate) fn place(logs: &Path, task: Task<'_>) -> Result<Self, Error> {
        if BYTES.is_empty() {
            return Err(Error::Unsupported);
        }
        let temporary = std::env::temp_dir();
        let folder =
            TempDir::with_prefix_in("reenact-", &temporary).map_err(at("make a folder in", &temporary))?;
        let library = folder.path().join("shim.so");
        fs::write(&library, BYTES).map_err(at("write", &library))?;
        let link = |to: &Path, name: &str| {
            let link = folder.path().join(name);
            symlink(to, &link).map_err(at("link", &link))
        };
        link(logs, "logs")?;
        for (name, text) in HOOKS {
            let path = folder.path().join("hooks").join(name);
            let above = path.parent().unwrap_or(&path);
            fs::create_dir_all(above).map_err(at("make the folder", above))?;
            fs::write(&path, text).map_err(at("write", &path))?;
        }
        // There already, because a confined program may write to it and to nothing beside it.
        let lines = folder.path().join(LINES);
        fs::write(&lines, []).map_err(at("write", &lines))?;
        let (mode, is_strict) = match task {
            Task::Record | Task::Profile => ("record", false),
            Task::Replay { script, is_strict } => {
                link(script, "script")?;
                ("replay", is_strict)
            }
        };
        let is_profiled = matches!(task, Task::Profile);
        Ok(Self { folder, mode, is_strict, is_profiled })
    }

    /// The variables of the command, its preloaded libraries among them: ours in front of the user's own.
    pub(crate) fn variables(&self, preloaded: Option<&OsStr>) -> Vec<(&'static str, OsString)> {
        let path = |name: &str| self.folder.path().join(name).into_os_string();
        let mut preload = path("shim.so");
        if let Some(theirs) = preloaded.filter(|theirs| !theirs.is_empty()) {
            preload.push(":");
            preload.push(theirs);
        }
        let mut variables = vec![
            ("LD_PRELOAD", preload),
            ("REENACT_SHIM_LIBRARY", path("shim.so")),
            ("REENACT_SHIM_LOGS", path("logs")),
            ("REENACT_SHIM_SCRIPT", path("script")),
            ("REENACT_SHIM_MODE", self.mode.into()),
            ("REENACT_SHIM_PROCESS", "r".into()),
            ("REENACT_RUN_LINES", self.lines().into_os_string()),
            // Nobody's yet.
            ("REENACT_SHIM_OWNER", "0000000000".into()),
        ];
        if self.is_profiled {
            variables.push(("REENACT_RUN_PROFILE", "1".into()));
        }
        if self.is_strict {
            variables.push(("REENACT_SHIM_STRICT", "1".into()));
        }
        variables
    }

    /// Where Python looks first: our hooks, in front of what the user has it look for.
    pub(crate) fn python_path(&self, theirs: Option<&str>) -> OsString {
        let mut path = self.folder.path().join("hooks").into_os_string();
        if let Some(theirs) = theirs.filter(|theirs| !theirs.is_empty()) {
            path.push(":");
            path.push(theirs);
        }
        path
    }

    /// The file to which the hooks write what they have to say.
    pub(crate) fn lines(&self) -> PathBuf {
        self.folder.path().join(LINES)
    }

    /// Ends what processes that were left behind write to the logs: they find no way to them from here on.
    pub(crate) fn close(&self) -> Result<(), Error> {
        let link = self.folder.path().join("logs");
        fs::remove_file(&link).map_err(at("delete", &link))
    }

    /// Where temporary files of ours lie, which are no outputs of the run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}
