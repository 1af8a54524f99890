//! The generated references: settings, errors, API and commands, as the binary itself tells them.
//!
//! It knows how to ask (`reenact reference --out DIR`) and how to compare, not what a reference says.
//! Invariant: `docs/reference` holds what the binary writes and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::printer;
use crate::shell;
use crate::test::workplace;

/// Where the references stand in the tree.
const HOME: &str = "docs/reference";

/// What a comparison found.
pub enum Verdict {
    UpToDate,
    /// The files that differ, are missing or are too many.
    Stale(Vec<String>),
    /// The binary cannot be asked yet.
    NotThere,
}

impl Verdict {
    /// Prints the verdict; whether it is no failure.
    pub fn report(&self) -> bool {
        match self {
            Self::UpToDate => printer::line(format!("docs: `{HOME}` is up to date")),
            Self::NotThere => printer::line("docs: skipped, `reenact reference` is not there yet"),
            Self::Stale(paths) => {
                for path in paths {
                    printer::line(format!("{HOME}/{path}:1: the reference is out of date"));
                }
                printer::line("  hint: run `cargo xtask docs` and commit what it writes");
            }
        }
        !matches!(self, Self::Stale(_))
    }
}

/// Compares what the binary writes with what stands in the tree.
pub fn check(root: &Path) -> anyhow::Result<Verdict> {
    let Some(fresh) = generate(root)? else { return Ok(Verdict::NotThere) };
    let stale = differing(&read(&fresh)?, &read(&root.join(HOME))?);
    Ok(if stale.is_empty() { Verdict::UpToDate } else { Verdict::Stale(stale) })
}

/// Writes the references into the tree; whether it could.
pub fn write(root: &Path) -> anyhow::Result<bool> {
    let Some(fresh) = generate(root)? else { return Ok(Verdict::NotThere.report()) };
    let home = root.join(HOME);
    empty(&home)?;
    for (path, text) in read(&fresh)? {
        std::fs::write(home.join(&path), text).with_context(|| format!("could not write `{HOME}/{path}`"))?;
        printer::line(format!("docs: wrote `{HOME}/{path}`"));
    }
    Ok(true)
}

/// Has the binary write its references into a fresh folder; none if it knows no such command.
fn generate(root: &Path) -> anyhow::Result<Option<PathBuf>> {
    let target = workplace::target_folder(root)?;
    shell::must(Command::new("cargo").args(["build", "--package", "cli"]).current_dir(root))?;
    let binary = workplace::binary(&target);
    if shell::ask(Command::new(&binary).args(["reference", "--help"])).is_none() {
        return Ok(None);
    }
    let out = target.join("reference");
    empty(&out)?;
    shell::must(Command::new(&binary).arg("reference").arg("--out").arg(&out))?;
    Ok(Some(out))
}

/// Makes `folder` an empty folder, whatever it was.
fn empty(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("could not empty `{}`", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("could not make `{}`", folder.display()))
}

/// The files directly in `folder`, by name; none if there is no such folder.
fn read(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    if !folder.exists() {
        return Ok(files);
    }
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("could not read `{}`", path.display()))?;
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        files.insert(name.unwrap_or_default(), text);
    }
    Ok(files)
}

fn differing(fresh: &BTreeMap<String, String>, kept: &BTreeMap<String, String>) -> Vec<String> {
    let changed = fresh.iter().filter(|(path, text)| kept.get(*path) != Some(*text)).map(|(path, _)| path);
    let gone = kept.keys().filter(|path| !fresh.contains_key(*path));
    changed.chain(gone).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(files: &[(&str, &str)]) -> BTreeMap<String, String> {
        files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn changed_missing_and_left_over_references_are_named() {
        let fresh = files(&[("a.md", "1"), ("b.md", "2"), ("c.md", "3")]);
        let kept = files(&[("a.md", "1"), ("b.md", "old"), ("d.md", "4")]);
        assert_eq!(differing(&fresh, &kept), ["b.md", "c.md", "d.md"]);
        assert!(differing(&fresh, &fresh).is_empty());
    }
}
