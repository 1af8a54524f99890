//! What the steps of a run share: the root, the target folder, and the environment that the tests are given.
//!
//! It starts nothing but `cargo metadata`. Invariant: all that is set up lies under the target folder.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::shell;

/// One run's folders and variables.
pub struct Workplace {
    pub root: PathBuf,
    pub target: PathBuf,
    exports: BTreeMap<&'static str, String>,
}

impl Workplace {
    pub fn at(root: &Path) -> anyhow::Result<Self> {
        let target = target_folder(root)?;
        Ok(Self { root: root.to_owned(), target, exports: BTreeMap::new() })
    }

    /// Gives `name` to all commands from here on.
    pub fn export(&mut self, name: &'static str, value: impl AsRef<OsStr>) {
        self.exports.insert(name, value.as_ref().to_string_lossy().into_owned());
    }

    /// What has been exported, by name.
    pub fn exports(&self) -> impl Iterator<Item = (&str, &str)> {
        self.exports.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// A command in the root's folder `folder` (the root itself if empty) with the exports.
    pub fn command(&self, program: impl AsRef<OsStr>, folder: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.root.join(folder)).envs(&self.exports);
        command
    }

    pub fn cargo(&self) -> Command {
        self.command("cargo", "")
    }

    /// Where the built `reenact` stands.
    pub fn binary(&self) -> PathBuf {
        binary(&self.target)
    }
}

/// Where cargo builds, wherever it was told to.
pub fn target_folder(root: &Path) -> anyhow::Result<PathBuf> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps"];
    let metadata = shell::ask(Command::new("cargo").args(arguments).current_dir(root));
    let metadata = metadata.context("`cargo metadata` failed; `cargo check` says why")?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
    let folder = metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?;
    Ok(PathBuf::from(folder))
}

/// The binary that `cargo build` leaves in a target folder.
pub fn binary(target: &Path) -> PathBuf {
    target.join("debug").join("reenact")
}
