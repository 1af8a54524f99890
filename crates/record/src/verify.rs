//! Comparing two runs, criterion by criterion: recordings, replays, or plain folders of outputs.
//!
//! What the answers come to is decided in `spec::criteria`. Invariants: each criterion looks at its own evidence
//! and at nothing that another found; what is missing or unreadable is not comparable, and never equal.

mod complete;
mod environment;
pub mod evidence;
mod explain;
pub(crate) mod outcome;
mod outputs;
mod process;
pub(crate) mod side;
mod weights;

use std::path::Path;

use spec::criteria::{self, CLOSE, Comparison, Difference, Standing};

use crate::error::Error;
use side::Side;

/// The version of the report's form.
pub const FORMAT: u32 = 1;
/// The most differences that are listed for one criterion.
const LISTED: usize = 20;

/// Compares the runs in two folders.
pub fn verify(a: &Path, b: &Path) -> Result<Comparison, Error> {
    let (a, b) = (Side::open(a)?, Side::open(b)?);
    let weights = weights::compare(&a, &b)?;
    let are_close =
        weights.is_same_form && weights.tensors.iter().all(|tensor| tensor.max_of_largest <= CLOSE);
    let findings = vec![
        complete::compare(&a, &b),
        weights.finding,
        outcome::compare(&a, &b)?,
        process::compare(&a, &b),
        outputs::compare(&a, &b)?,
        environment::compare(&a, &b),
    ];
    let verdict = criteria::verdict(&findings, are_close);
    let causes = explain::causes(&a, &b, &findings, verdict);
    Ok(Comparison {
        format: FORMAT,
        verdict,
        a: a.named(),
        b: b.named(),
        findings,
        tensors: weights.tensors,
        causes,
        series: process::series(&a, &b),
        environments: environment::side_by_side(&a, &b),
    })
}

/// Something that one run has and the other has not, or both have otherwise.
fn differs(what: impl Into<String>, a: impl Into<String>, b: impl Into<String>) -> Difference {
    Difference { what: what.into(), a: a.into(), b: b.into() }
}

/// What is shown where a run has nothing.
const NOTHING: &str = "-";

fn standing(n_compared: usize, n_different: usize) -> Standing {
    match (n_compared, n_different) {
        (0, 0) => Standing::NotComparable,
        (_, 0) => Standing::Equal,
        _ => Standing::Different,
    }
}
