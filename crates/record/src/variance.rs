//! What many runs of one command have in common and what not: read from their capsules.
//!
//! It runs nothing; what the numbers come to is computed in `spec::variance`. Invariant: a run that failed counts
//! for nothing, and is counted.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use spec::capsule::{Capsule, Exit};
use spec::criteria::Verdict;
use spec::variance::{Churn, Metric, Variance, effect, spread};

use crate::capsule as folder;
use crate::error::{Error, at};
use crate::verify::{self, outcome, side::Side};

/// The version of the report's form.
pub const FORMAT: u32 = 1;

/// Compares the runs in a folder with each other, and their metrics with those of the runs in another.
pub fn variance(folder: &Path, against: Option<&Path>) -> Result<Variance, Error> {
    let (runs, n_failed) = runs(folder)?;
    let first = runs.first().ok_or_else(|| Error::NoRuns(folder.to_owned()))?;
    let others = match against {
        Some(against) => {
            let (others, _) = self::runs(against)?;
            if others.is_empty() {
                return Err(Error::NoRuns(against.to_owned()));
            }
            last_values(&others)
        }
        None => BTreeMap::new(),
    };
    let metrics = last_values(&runs).into_iter().filter_map(|(name, values)| {
        let effect = others.get(&name).and_then(|theirs| effect(&values, theirs));
        Some(Metric { spread: spread(&values)?, name, values, effect })
    });
    Ok(Variance {
        format: FORMAT,
        command: first.record.command.clone(),
        runs: runs.iter().map(|run| run.folder.display().to_string()).collect(),
        n_failed,
        n_results: n_results(&runs)?,
        metrics: metrics.collect(),
        churn: churn(&runs)?,
        against: against.map(|against| against.display().to_string()),
    })
}

struct Run {
    folder: PathBuf,
    record: Capsule,
}

/// The runs in a folder that ended well, in the order of their numbers, and how many did not.
fn runs(home: &Path) -> Result<(Vec<Run>, usize), Error> {
    let entries = fs::read_dir(home).map_err(at("read the folder", home))?;
    let mut all: Vec<(u32, PathBuf)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| Some((path.file_name()?.to_str()?.parse().ok()?, path)))
        .collect();
    all.sort();
    let mut found = Vec::new();
    let mut n_failed = 0;
    for (_, folder) in all.into_iter().filter(|(_, path)| folder::is_capsule(path)) {
        let record = folder::read(&folder)?;
        match record.exit {
            Some(Exit::Code(0)) => found.push(Run { folder, record }),
            _ => n_failed += 1,
        }
    }
    Ok((found, n_failed))
}

/// Of each metric the last value in each run that has it.
fn last_values(runs: &[Run]) -> BTreeMap<String, Vec<f64>> {
    let mut values: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (name, series) in runs.iter().flat_map(|run| &run.record.metrics) {
        values.entry(name.clone()).or_default().extend(series.last());
    }
    values
}

/// How many results there are, bit by bit: each run is compared with one of each result so far.
fn n_results(runs: &[Run]) -> Result<usize, Error> {
    let mut different: Vec<&Path> = Vec::new();
    for run in runs {
        let mut is_known = false;
        for known in &different {
            is_known |= verify::verify(known, &run.folder)?.verdict == Verdict::Bitwise;
        }
        if !is_known {
            different.push(&run.folder);
        }
    }
    Ok(different.len())
}

/// How many predictions change from run to run; none where no run has any, or not the same number of them.
fn churn(runs: &[Run]) -> Result<Option<Churn>, Error> {
    let mut all = Vec::new();
    for run in runs {
        all.push(outcome::all(&Side::open(&run.folder)?)?);
    }
    let n_predictions = all.first().map_or(0, Vec::len);
    if n_predictions == 0 || all.len() < 2 || all.iter().any(|rows| rows.len() != n_predictions) {
        return Ok(None);
    }
    let share = |n: usize| n as f64 / n_predictions as f64;
    let pairs = all.iter().enumerate().flat_map(|(n, a)| all.iter().skip(n + 1).map(move |b| (a, b)));
    let changed: Vec<f64> =
        pairs.map(|(a, b)| share(a.iter().zip(b).filter(|(a, b)| a != b).count())).collect();
    let is_stable = |row: &usize| all.windows(2).all(|two| two[0].get(*row) == two[1].get(*row));
    Ok(Some(Churn {
        n_predictions,
        n_pairs: changed.len(),
        mean: changed.iter().sum::<f64>() / changed.len() as f64,
        max: changed.iter().copied().fold(0.0, f64::max),
        stable: share((0..n_predictions).filter(is_stable).count()),
    }))
}
