//! C2: every prediction. Files of predictions have `pred` in their name: arrays, or a text with one for each line.
//!
//! Invariant: a file not all of whose rows can be told apart is one row, and two that differ are never equal.

use std::fs::{self, File};
use std::path::Path;

use spec::criteria::{Criterion, Difference, Finding, Standing};

use super::side::{Kind, Pair, Side, pair, paths};
use super::weights::{OTHERS, others};
use super::{LISTED, NOTHING, differs, standing};
use crate::error::{Error, at};

pub(super) fn compare(a: &Side, b: &Side) -> Result<Finding, Error> {
    let all = paths(a, b, Kind::Predictions);
    let mut differences = Vec::new();
    let (mut n_compared, mut n_changed) = (0, 0);
    for path in &all {
        let (file_a, file_b) = match pair(a, b, path)? {
            Pair::Files(file_a, file_b) => (file_a, file_b),
            Pair::Equal => continue,
            Pair::Different(difference) => {
                differences.push(difference);
                continue;
            }
        };
        let (in_a, in_b) = (predictions(path, file_a)?, predictions(path, file_b)?);
        if in_a.len() != in_b.len() {
            differences.push(differs(*path, format!("{} rows", in_a.len()), format!("{} rows", in_b.len())));
            continue;
        }
        n_compared += in_a.len();
        let changed = in_a.iter().zip(&in_b).enumerate().filter(|(_, (a, b))| a != b);
        let n_told = n_changed;
        for (row, (a, b)) in changed {
            n_changed += 1;
            if differences.len() < LISTED {
                differences.push(differs(format!("{path}: row {row}"), shown(a), shown(b)));
            }
        }
        if n_changed == n_told {
            differences.extend(beside(path, file_a, file_b)?);
        }
    }
    let standing = standing(all.len(), differences.len());
    let summary = match (standing, differences.first()) {
        (Standing::Different, Some(first)) if n_changed > 0 => {
            let churn = 100.0 * n_changed as f64 / n_compared.max(1) as f64;
            format!("{n_changed} of {n_compared} predictions differ ({churn:.2} %), first {}", first.what)
        }
        (Standing::Different, Some(first)) => format!("`{}` is not the same in both", first.what),
        (Standing::Equal, _) if n_compared == 0 => {
            "the files of predictions have the same digests".to_owned()
        }
        (Standing::Equal, _) => format!("all {n_compared} predictions are equal"),
        _ => "neither run has a file of predictions".to_owned(),
    };
    Ok(Finding { criterion: Criterion::Outcome, standing, summary, differences })
}

/// All predictions of a run, row by row, in the order of their files' names.
pub(crate) fn all(side: &Side) -> Result<Vec<Vec<u8>>, Error> {
    let mut rows = Vec::new();
    for (name, path) in side.of(Kind::Predictions) {
        rows.extend(predictions(name, path)?);
    }
    Ok(rows)
}

/// What differs in two files whose rows are equal.
fn beside(name: &str, a: &Path, b: &Path) -> Result<Option<Difference>, Error> {
    let told = |path: &Path| -> Result<String, Error> {
        let mut file = File::open(path).map_err(at("read", path))?;
        Ok(others(name, (path, &mut file))?.unwrap_or_else(|| NOTHING.to_owned()))
    };
    let (in_a, in_b) = (told(a)?, told(b)?);
    Ok((in_a != in_b).then(|| differs(format!("{name}: {OTHERS}"), in_a, in_b)))
}

/// The rows of a file of predictions, as bytes.
fn predictions(name: &str, path: &Path) -> Result<Vec<Vec<u8>>, Error> {
    let mut file = File::open(path).map_err(at("read", path))?;
    let whole = fs::read(path).map_err(at("read", path))?;
    let Some(tensors) = inspect::tensors::tensors(name, &mut file) else {
        return Ok(whole.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect());
    };
    if !tensors.is_complete {
        return Ok(vec![whole]);
    }
    let rows = tensors.found.iter().flat_map(|tensor| {
        let bytes = match &tensor.bytes {
            inspect::tensors::Bytes::Held(bytes) => bytes.clone(),
            inspect::tensors::Bytes::At { offset, n_bytes } => {
                let from = usize::try_from(*offset).unwrap_or(usize::MAX);
                let n = usize::try_from(*n_bytes).unwrap_or(usize::MAX);
                whole.get(from..).and_then(|rest| rest.get(..n)).unwrap_or_default().to_vec()
            }
        };
        let n_rows = tensor.shape.first().copied().unwrap_or(1).max(1);
        let width = usize::try_from(bytes.len() as u64 / n_rows).unwrap_or(1).max(1);
        bytes.chunks(width).map(<[u8]>::to_vec).collect::<Vec<_>>()
    });
    Ok(rows.collect())
}

/// A row as a reader can tell it from another.
fn shown(row: &[u8]) -> String {
    match std::str::from_utf8(row) {
        Ok(text) if !text.chars().any(char::is_control) => text.chars().take(80).collect(),
        _ => row.iter().take(16).map(|byte| format!("{byte:02x}")).collect(),
    }
}
