//! What came of a run, by digests: enough to say again whether two runs came to the same.
//!
//! Knows no files. Invariant: of a recording all of it but the tensors' digests can be made from its record alone,
//! so that whoever holds the record can tell whether somebody else's word for it is true.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::Digest as _;

use super::Held;
use crate::capsule::facts::facts;
use crate::capsule::{Capsule, Exit, File};
use crate::criteria::{Criterion, Standing};
use crate::digest::Sha256;

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<Exit>,
    /// In a replay: draws that were not recorded.
    pub n_fresh: u64,
    /// In a replay: recorded draws that did not come.
    pub n_missing: u64,
    /// In a replay: files of the recording's folder that it opened in place of its own.
    pub n_strayed: u64,
    /// What it wrote, by path.
    pub outputs: BTreeMap<String, Output>,
    /// Metrics by name: SHA-256 of their values as 64-bit floating-point numbers, little-endian.
    pub metrics: BTreeMap<String, Sha256>,
    /// Of packages, libraries, machine, variables, code and inputs together.
    pub environment: Sha256,
}

/// A file that a run wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Output {
    pub kind: Kind,
    pub sha256: Sha256,
    /// Of the tensors in it, whatever holds them together; none where not all of them are found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensors: Option<Sha256>,
}

/// What a file is to a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Weights,
    Predictions,
    Other,
}

impl Results {
    /// As the record of a run says them; `describe` says what a file is and which tensors it has.
    pub fn of(record: &Capsule, mut describe: impl FnMut(&File) -> (Kind, Option<Sha256>)) -> Self {
        let output = |file: &File| {
            let (kind, tensors) = describe(file);
            (file.path.clone(), Output { kind, sha256: file.sha256, tensors })
        };
        Self {
            exit: record.exit,
            n_fresh: record.entropy.n_fresh,
            n_missing: record.entropy.n_missing,
            n_strayed: record.strayed.len() as u64,
            outputs: record.outputs.iter().map(output).collect(),
            metrics: record.metrics.iter().map(|(name, values)| (name.clone(), series(values))).collect(),
            environment: environment(record),
        }
    }

    /// Whether these are what this record says.
    pub fn are_of(&self, record: &Capsule) -> bool {
        let kept = |file: &File| {
            let said = self.outputs.get(&file.path);
            said.map_or((Kind::Other, None), |output| (output.kind, output.tensors))
        };
        *self == Self::of(record, kept)
    }
}

/// What follows from the results of two runs, in the order of the criteria.
pub(super) fn compare(a: &Results, b: &Results) -> Vec<Held> {
    let metrics = names(a.metrics.keys(), b.metrics.keys());
    let same = |name: &&String| a.metrics.get(*name) == b.metrics.get(*name);
    // A stranger's numbers may be as large as they can be.
    let is_whole = |it: &Results| it.n_fresh == 0 && it.n_missing == 0 && it.n_strayed == 0;
    let is_complete = a.exit == b.exit && a.exit.is_some() && is_whole(a) && is_whole(b);
    [
        (Criterion::Complete, if is_complete { Standing::Equal } else { Standing::Different }),
        (Criterion::Weights, outputs(a, b, Kind::Weights)),
        (Criterion::Outcome, outputs(a, b, Kind::Predictions)),
        (Criterion::Process, standing(metrics.len(), metrics.iter().all(same))),
        (Criterion::Outputs, outputs(a, b, Kind::Other)),
        (Criterion::Environment, standing(1, a.environment == b.environment)),
    ]
    .map(|(criterion, standing)| Held { criterion, standing })
    .into()
}

fn outputs(a: &Results, b: &Results, kind: Kind) -> Standing {
    let of = |results: &Results, path: &String| results.outputs.get(path).copied();
    let paths = names(a.outputs.keys(), b.outputs.keys());
    let asked: Vec<_> = paths
        .into_iter()
        .map(|path| (of(a, path), of(b, path)))
        .filter(|(in_a, in_b)| [in_a, in_b].into_iter().flatten().any(|output| output.kind == kind))
        .collect();
    let is_equal = |(in_a, in_b): &(Option<Output>, Option<Output>)| match (in_a, in_b) {
        (Some(a), Some(b)) => a.sha256 == b.sha256 || (a.tensors.is_some() && a.tensors == b.tensors),
        _ => false,
    };
    standing(asked.len(), asked.iter().all(is_equal))
}

fn names<'n>(a: impl Iterator<Item = &'n String>, b: impl Iterator<Item = &'n String>) -> Vec<&'n String> {
    let all: std::collections::BTreeSet<_> = a.chain(b).collect();
    all.into_iter().collect()
}

fn standing(n_asked: usize, are_equal: bool) -> Standing {
    match (n_asked, are_equal) {
        (0, _) => Standing::NotComparable,
        (_, true) => Standing::Equal,
        (_, false) => Standing::Different,
    }
}

fn series(values: &[f64]) -> Sha256 {
    let mut digest = sha2::Sha256::new();
    values.iter().for_each(|value| digest.update(value.to_bits().to_le_bytes()));
    Sha256::from_bytes(digest.finalize().into())
}

/// A text with a line for each fact that the run stood on, digested.
fn environment(record: &Capsule) -> Sha256 {
    let mut digest = sha2::Sha256::new();
    for (name, value) in facts(record) {
        digest.update(format!("{name:?} {value:?}\n"));
    }
    Sha256::from_bytes(digest.finalize().into())
}
