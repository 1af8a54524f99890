//! C5: what both ran on, and from which code and inputs.

use std::collections::{BTreeMap, BTreeSet};

use spec::capsule::{Capsule, File};
use spec::criteria::{Criterion, Difference, Finding, Standing};

use super::side::Side;
use super::{LISTED, NOTHING, differs, standing};

pub(super) fn compare(a: &Side, b: &Side) -> Finding {
    let (Some(a), Some(b)) = (&a.record, &b.record) else {
        let summary = "a plain folder does not say what its run ran on".to_owned();
        let (criterion, standing) = (Criterion::Environment, Standing::NotComparable);
        return Finding { criterion, standing, summary, differences: Vec::new() };
    };
    let (facts_a, facts_b) = (facts(a), facts(b));
    let names: BTreeSet<&String> = facts_a.keys().chain(facts_b.keys()).collect();
    let told = |facts: &BTreeMap<String, String>, name: &str| {
        facts.get(name).map_or(NOTHING, String::as_str).to_owned()
    };
    let mut differences: Vec<_> = names
        .iter()
        .filter(|name| facts_a.get(**name) != facts_b.get(**name))
        .map(|name| differs(*name, told(&facts_a, name), told(&facts_b, name)))
        .collect();
    let standing = standing(names.len(), differences.len());
    let summary = match differences.first() {
        Some(first) => format!(
            "{} of {} facts differ, first {}: {} and {}",
            differences.len(),
            names.len(),
            first.what,
            first.a,
            first.b
        ),
        None => format!("{} facts about machine, packages, code and inputs are equal", names.len()),
    };
    differences.truncate(LISTED);
    Finding { criterion: Criterion::Environment, standing, summary, differences }
}

/// The kinds of facts that are listed where they are equal too.
const LISTED_KINDS: &[&str] = &["machine ", "python", "package ", "variable "];
/// The most that are listed.
const MOST: usize = 2000;

/// What both ran on, fact by fact.
pub(super) fn side_by_side(a: &Side, b: &Side) -> Vec<Difference> {
    let (Some(a), Some(b)) = (&a.record, &b.record) else { return Vec::new() };
    let (facts_a, facts_b) = (facts(a), facts(b));
    let names: BTreeSet<&String> = facts_a.keys().chain(facts_b.keys()).collect();
    let is_listed = |name: &&&String| LISTED_KINDS.iter().any(|kind| name.starts_with(kind));
    let told = |facts: &BTreeMap<String, String>, name: &String| {
        facts.get(name).map_or(NOTHING, String::as_str).to_owned()
    };
    let listed = names.iter().filter(is_listed).take(MOST);
    listed.map(|name| differs(*name, told(&facts_a, name), told(&facts_b, name))).collect()
}

/// All facts by name; the kind comes first, so that what bears most on a result is listed first.
pub(super) fn facts(record: &Capsule) -> BTreeMap<String, String> {
    let environment = &record.environment;
    let mut facts = BTreeMap::new();
    let mut take = |kind: &str, from: &BTreeMap<String, String>| {
        facts.extend(from.iter().map(|(name, value)| (format!("{kind} {name}"), value.clone())));
    };
    take("machine", &environment.machine);
    take("package", &environment.packages);
    // A replay's own folder is in the place of the recording's.
    let here = |value: &String| spec::capsule::moved(value, &record.folder, ".", |_| true);
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
    facts
}
