//! A run that is looked at while it runs, and a patch that takes from the next ones what would make them differ.
//!
//! What facts come to is decided in `spec::diagnosis`. Invariants: a patch changes no file of the program; that it
//! helps is not believed but tried, by two runs that are compared like any others.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use spec::capsule::{Capsule, Exit};
use spec::criteria::{Standing, Verdict};
use spec::diagnosis::{Cause, Fact, Kind, Patch};

use crate::error::{Error, at};
use crate::recorder::{self, Pins, Recording};
use crate::run::Means;
use crate::verify;

/// The version of the report's form.
pub const FORMAT: u32 = 1;
/// What the patch runs in Python.
const PATCH: &str = include_str!("hooks/patch.py");
/// Its two files: the variables as a shell reads them, and what Python runs first.
const FILES: [&str; 2] = ["env", "sitecustomize.py"];

/// Writes a patch to a folder that holds nothing else; what it sets.
pub fn write_patch(
    folder: &Path,
    record: &Capsule,
    (facts, causes): (&[Fact], &[Cause]),
) -> Result<BTreeMap<String, String>, Error> {
    let is_strange =
        |name: &std::ffi::OsStr| !FILES.iter().any(|ours| name == *ours) && name != "__pycache__";
    let mut entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    if entries.any(|entry| is_strange(&entry.file_name())) {
        return Err(Error::NotEmpty(folder.to_owned()));
    }
    fs::create_dir_all(folder).map_err(at("make the folder", folder))?;
    let whole = folder.canonicalize().map_err(at("find the folder", folder))?;
    let variables = variables(&whole.display().to_string(), record, (facts, causes));
    let quoted = |value: &str| format!("'{}'", value.replace('\'', r"'\''"));
    let lines: String =
        variables.iter().map(|(name, value)| format!("export {name}={}\n", quoted(value))).collect();
    for (name, text) in FILES.into_iter().zip([lines.as_str(), PATCH]) {
        let path = whole.join(name);
        fs::write(&path, text).map_err(at("write", &path))?;
    }
    Ok(variables)
}

fn variables(
    folder: &str,
    record: &Capsule,
    (facts, causes): (&[Fact], &[Cause]),
) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut set = |name: &str, value: &str| variables.insert(name.to_owned(), value.to_owned());
    if causes.iter().any(|cause| [Kind::Threads, Kind::Instructions].contains(&cause.kind)) {
        recorder::pinned().iter().for_each(|(name, value)| {
            set(name, value);
        });
        // Names that this NumPy does not know would be left alone without a word, so its own are taken.
        let features = facts.iter().find(|fact| fact.fact == "library" && fact.what == "numpy");
        if let Some(features) = features.and_then(|fact| fact.architecture.as_ref()) {
            set("NPY_DISABLE_CPU_FEATURES", features);
        }
    }
    if facts.iter().any(|fact| fact.fact == "operation" && fact.is_on_gpu) {
        set("CUBLAS_WORKSPACE_CONFIG", ":4096:8");
    }
    let runs = |name: &str| facts.iter().find(|fact| fact.fact == "framework" && fact.what == name);
    if runs("tensorflow").is_some() {
        // Later versions have a function for it, which the patch calls.
        set("TF_DETERMINISTIC_OPS", "1");
    }
    if ["jax", "tensorflow"].iter().any(|name| runs(name).is_some_and(|fact| fact.is_on_gpu)) {
        set("XLA_FLAGS", "--xla_gpu_deterministic_ops=true");
    }
    set("PYTHONHASHSEED", "0");
    // What the user set is meant.
    variables.retain(|name, _| !record.variables.contains_key(name));
    let path = match record.variables.get("PYTHONPATH").filter(|path| !path.is_empty()) {
        Some(theirs) => format!("{folder}:{theirs}"),
        None => folder.to_owned(),
    };
    variables.insert("PYTHONPATH".to_owned(), path);
    variables
}

/// Runs a patched command twice, in capsules below a folder, and compares.
pub fn prove(
    means: &Means,
    recording: &Recording<'_>,
    variables: &BTreeMap<String, String>,
) -> Result<(bool, Vec<String>), Error> {
    let capsules = ["patched-1", "patched-2"].map(|name| recording.capsule.join(name));
    for capsule in &capsules {
        let record =
            recorder::record(means, &Recording { capsule, pins: Pins::Given(variables), ..*recording })?;
        if record.exit != Some(Exit::Code(0)) {
            return Ok((false, vec!["a run with the patch did not end well".to_owned()]));
        }
    }
    let comparison = verify::verify(&capsules[0], &capsules[1])?;
    let told = comparison.findings.iter().filter(|finding| finding.standing != Standing::NotComparable);
    let lines = told.map(|finding| {
        format!("{} {}: {}", finding.criterion.code(), finding.criterion.as_str(), finding.summary)
    });
    Ok((comparison.verdict == Verdict::Bitwise, lines.collect()))
}

/// What a patch came to.
pub fn patch(folder: &Path, variables: BTreeMap<String, String>, proof: (bool, Vec<String>)) -> Patch {
    let (is_proven, findings) = proof;
    Patch { folder: folder.display().to_string(), variables, is_proven, findings }
}
