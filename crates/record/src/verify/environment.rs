//! C5: what both ran on, and from which code and inputs.

use std::collections::{BTreeMap, BTreeSet};

use spec::capsule::facts::facts;
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
