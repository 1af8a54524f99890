//! The preload shim that this program carries, put where the loader finds it, and the variables it reads.
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

/// A folder with the shim, that lives as long as the run.
pub(crate) struct Shim {
    folder: TempDir,
    mode: &'static str,
    is_strict: bool,
}

/// What the shim is to do.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task<'t> {
    Record,
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
        let (mode, is_strict) = match task {
            Task::Record => ("record", false),
            Task::Replay { script, is_strict } => {
                link(script, "script")?;
                ("replay", is_strict)
            }
        };
        Ok(Self { folder, mode, is_strict })
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
            // Nobody's yet.
            ("REENACT_SHIM_OWNER", "0000000000".into()),
        ];
        if self.is_strict {
            variables.push(("REENACT_SHIM_STRICT", "1".into()));
        }
        variables
    }

    /// Ends what processes that were left behind write to the logs: they find no way to them from here on.
    pub(crate) fn close(&self) -> Result<(), Error> {
        let link = self.folder.path().join("logs");
        fs::remove_file(&link).map_err(at("delete", &link))
    }

    /// Where temporary files of ours lie, which are no outputs of the run.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().to_owned()
    }
}
