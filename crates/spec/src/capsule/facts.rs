//! What a run stood on, as facts with names: machine, packages, variables, libraries, code and inputs.
//!
//! Knows one record at a time. Invariant: a replay has the facts of its recording wherever it took place, so that what
//! differs bears on the result.

use std::collections::BTreeMap;

use super::{Capsule, File};

/// All facts by name; the kind comes first, so that what bears most on a result is listed first.
pub fn facts(record: &Capsule) -> BTreeMap<String, String> {
    let environment = &record.environment;
    let mut facts = BTreeMap::new();
    let mut take = |kind: &str, from: &BTreeMap<String, String>| {
        facts.extend(from.iter().map(|(name, value)| (format!("{kind} {name}"), value.clone())));
    };
    take("machine", &environment.machine);
    take("package", &environment.packages);
    // A replay's own folder is in the place of the recording's.
    let here = |value: &String| super::moved(value, &record.folder, ".", |_| true);
    let variables = record.variables.iter().map(|(name, value)| (name.clone(), here(value)));
    take("variable", &variables.collect());
    let named = environment.libraries.iter().filter(|(_, id)| !id.is_empty());
    let by_name = named.map(|(path, id)| (path.rsplit('/').next().unwrap_or(path).to_owned(), id.clone()));
    take("library", &by_name.collect());
    if let Some(python) = &environment.python {
        facts.insert("python".to_owned(), python.clone());
    }
    for (kind, files) in [("code", &record.code), ("input", &record.inputs)] {
        facts.extend(files.iter().map(|File { path, sha256, .. }| {
            let mut digest = sha256.to_string();
            digest.truncate(12);
            (format!("{kind} {path}"), digest)
        }));
    }
    let unhashed = record.unhashed.iter();
    facts.extend(unhashed.map(|file| (format!("input {}", file.path), format!("{} bytes", file.n_bytes))));
    facts
}
