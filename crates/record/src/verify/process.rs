//! C3: every metric at every step, exactly.

use std::collections::BTreeSet;

use spec::criteria::{Criterion, Finding, Series, Standing};

use super::side::Side;
use super::{LISTED, NOTHING, differs, standing};

pub(super) fn compare(a: &Side, b: &Side) -> Finding {
    let series = series(a, b);
    let mut differences = Vec::new();
    let mut n_steps = 0;
    for Series { name, a, b } in &series {
        n_steps += a.len().max(b.len());
        let value = |values: &[f64], step: usize| values.get(step).copied();
        let steps = 0..a.len().max(b.len());
        let differ =
            steps.filter(|step| value(a, *step).map(f64::to_bits) != value(b, *step).map(f64::to_bits));
        let told = |value: Option<f64>| value.map_or_else(|| NOTHING.to_owned(), |value| value.to_string());
        let found = differ
            .map(|step| differs(format!("{name}, step {step}"), told(value(a, step)), told(value(b, step))));
        differences.extend(found);
    }
    let standing = standing(series.len(), differences.len());
    let summary = match (standing, differences.first()) {
        (Standing::Different, Some(first)) => {
            format!(
                "{} of {n_steps} values differ, first {}: {} and {}",
                differences.len(),
                first.what,
                first.a,
                first.b
            )
        }
        (Standing::Equal, _) => format!("{} metrics, {n_steps} values, all equal as printed", series.len()),
        _ => "no metrics were recorded".to_owned(),
    };
    differences.truncate(LISTED);
    Finding { criterion: Criterion::Process, standing, summary, differences }
}

/// The metrics of both, by name.
pub(super) fn series(a: &Side, b: &Side) -> Vec<Series> {
    let of = |side: &Side, name: &str| {
        side.record.as_ref().and_then(|record| record.metrics.get(name)).cloned().unwrap_or_default()
    };
    let names: BTreeSet<&String> = [a, b]
        .iter()
        .filter_map(|side| side.record.as_ref())
        .flat_map(|record| record.metrics.keys())
        .collect();
    names.into_iter().map(|name| Series { name: name.clone(), a: of(a, name), b: of(b, name) }).collect()
}
