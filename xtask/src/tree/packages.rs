//! The packages that the workspace is built from, as `cargo metadata` tells them.
//!
//! It judges nothing. Only what Linux needs is asked for, so no other platform's packages are fetched.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// One package of another's making.
#[derive(Debug, Clone)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// An SPDX expression; none when the package names no licence.
    pub licence: Option<String>,
    /// Where it came from, as in `Cargo.lock`.
    pub source: String,
}

/// Where packages may come from.
pub const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Asks cargo. The error is a sentence for people.
pub fn ask(root: &Path) -> Result<Vec<Package>, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("could not run `cargo metadata`: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| line.starts_with("error")).unwrap_or("it says nothing more");
        return Err(format!("`cargo metadata --locked` failed: {last}"));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("`cargo metadata` printed what is no JSON: {error}"))?;
    Ok(read(&metadata))
}

/// The packages that the workspace resolves to on the platform asked for, our own left out.
fn read(metadata: &Value) -> Vec<Package> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let nodes = metadata["resolve"]["nodes"].as_array().map_or(&[][..], Vec::as_slice);
    let used: Vec<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let all = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let ours = |package: &&Value| package["source"].is_null();
    let wanted = |package: &&Value| package["id"].as_str().is_some_and(|id| used.contains(&id));
    all.iter()
        .filter(|package| !ours(package) && wanted(package))
        .map(|package| Package {
            name: text(&package["name"]).unwrap_or_default(),
            version: text(&package["version"]).unwrap_or_default(),
            licence: text(&package["license"]),
            source: text(&package["source"]).unwrap_or_default(),
        })
        .collect()
}
