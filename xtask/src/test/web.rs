//! The pages in a real browser: `web/tests/**/*.test.js`, run by Node's own runner.
//!
//! It knows where the tests are and how they are counted; `web/package.json` says what drives the browser.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::Done;
use super::counts::{self, Counts, Runner};
use super::workplace::Workplace;
use crate::shell;

/// How long one file may take, in milliseconds. What a failed test left open ends with its file.
const TIME_LIMIT: &str = "--test-timeout=600000";

/// Installs what `web/package-lock.json` names, if there is one.
pub fn set_up(workplace: &mut Workplace) -> anyhow::Result<Done> {
    if !workplace.root.join("web/package-lock.json").is_file() {
        return Ok(Done::noted(Counts::default(), "there is no `web/package-lock.json` yet"));
    }
    let mut install = workplace.command("npm", "web");
    // The browser comes from the system; npm brings what drives it.
    install.args(["ci", "--no-audit", "--no-fund"]);
    shell::must(&mut install).context("could not install the node modules")?;
    Ok(Done::prepared())
}

/// Runs the browser tests.
pub fn test(workplace: &mut Workplace) -> anyhow::Result<Done> {
    let files = test_files(&workplace.root.join("web/tests"))?;
    if files.is_empty() {
        return Ok(Done::noted(Counts::default(), "there are no `web/tests` yet"));
    }
    let mut command = workplace.command("node", "web");
    command.args(["--test", "--test-reporter=tap", "--test-force-exit", TIME_LIMIT]);
    // The runner's own number leaves one core to itself, which on two cores is one file at a time.
    command.arg(format!("--test-concurrency={}", n_at_once()));
    command.args(files).env("REENACT_BINARY", workplace.binary());
    Ok(counts::read(Runner::Node, &shell::run(&mut command)?)?.into())
}

/// How many files run side by side: a browser and a server wait for each other much of the time.
fn n_at_once() -> usize {
    std::thread::available_parallelism().map_or(2, |n_cores| n_cores.get().clamp(2, 4))
}

/// All `*.test.js` and `*.test.mjs` under `folder`, in order; Node's own search differs from version to version.
fn test_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    if !folder.is_dir() {
        return Ok(files);
    }
    for entry in ignore::WalkBuilder::new(folder).require_git(false).build() {
        let path = entry.context("could not walk `web/tests`")?.into_path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.ends_with(".test.js") || name.ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
