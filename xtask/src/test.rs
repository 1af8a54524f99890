//! `cargo xtask test`: sets up what the tests need on this machine, passes all of them, and counts.
//!
//! The table of steps is the whole plan, in order. A step that fails stops no other, so one run tells all
//! that is wrong; the last line is the count alone, and the exit code says whether anything failed.

use std::path::Path;
use std::time::Instant;

use clap::ValueEnum;

use crate::printer;

mod counts;
mod lint;
mod python;
mod report;
mod rust;
mod system;
mod web;
pub mod workplace;

use counts::Counts;
use report::Line;
use workplace::Workplace;

/// What can be asked for alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Unit, contract and access tests of all crates
    Rust,
    /// The Python package and real clients against a real server
    Python,
    /// Pages in a real browser
    Web,
    /// Format, clippy, the laws of the house, references, dependencies
    Lint,
}

/// What a step did; an error is one failure more.
struct Done {
    counts: Counts,
    /// Why it did less than its name says.
    note: Option<String>,
}

struct Step {
    name: &'static str,
    /// Who needs it. A step runs if one of them is asked for.
    parts: &'static [Part],
    run: fn(&mut Workplace) -> anyhow::Result<Done>,
}

/// Everything, in order: what others need comes first.
const STEPS: &[Step] = &[
    Step { name: "system packages", parts: &[Part::Rust, Part::Python, Part::Web], run: system::install },
    Step { name: "python environment", parts: &[Part::Rust, Part::Python, Part::Web], run: python::set_up },
    Step { name: "trainers", parts: &[Part::Rust], run: python::set_up_trainers },
    Step { name: "node modules", parts: &[Part::Web], run: web::set_up },
    Step { name: "build", parts: &[Part::Rust, Part::Python, Part::Web], run: rust::build },
    Step { name: "rust tests", parts: &[Part::Rust], run: rust::test },
    Step { name: "rust examples in docs", parts: &[Part::Rust], run: rust::test_docs },
    Step { name: "python tests", parts: &[Part::Python], run: python::test },
    Step { name: "browser tests", parts: &[Part::Web], run: web::test },
    Step { name: "format", parts: &[Part::Lint], run: lint::format },
    Step { name: "clippy", parts: &[Part::Lint], run: lint::clippy },
    Step { name: "tidy", parts: &[Part::Lint], run: lint::tidy },
    Step { name: "references", parts: &[Part::Lint], run: lint::references },
    Step { name: "dependencies", parts: &[Part::Lint], run: lint::dependencies },
];

/// How many of the steps set up the machine and test nothing.
const N_SET_UP: usize = 4;

/// Runs the steps of `parts` (of all, if none is named) and prints the count; whether nothing failed.
pub fn run(root: &Path, parts: &[Part]) -> anyhow::Result<bool> {
    let is_wanted = |step: &&Step| parts.is_empty() || step.parts.iter().any(|part| parts.contains(part));
    let mut workplace = Workplace::at(root)?;
    let lines: Vec<Line> = STEPS.iter().filter(is_wanted).map(|step| take(step, &mut workplace)).collect();
    Ok(report::print(&lines))
}

/// Sets up only, and prints what to export so that `cargo test` finds it; whether all could be had.
pub fn setup(root: &Path) -> anyhow::Result<bool> {
    let mut workplace = Workplace::at(root)?;
    let lines: Vec<Line> = STEPS[..N_SET_UP].iter().map(|step| take(step, &mut workplace)).collect();
    for (name, value) in workplace.exports() {
        printer::line(format!("export {name}={value}"));
    }
    Ok(report::failures(&lines) == 0)
}

fn take(step: &Step, workplace: &mut Workplace) -> Line {
    printer::line(format!("\n== {} ==", step.name));
    let begin = Instant::now();
    let done = (step.run)(workplace).unwrap_or_else(|error| {
        printer::line(format!("error: {error:#}"));
        Done { counts: Counts::FAILED, note: Some(error.to_string()) }
    });
    if let Some(note) = done.note.as_ref().filter(|_| done.counts.n_failed == 0) {
        printer::line(format!("note: {note}"));
    }
    Line { step: step.name, seconds: begin.elapsed().as_secs_f64(), counts: done.counts, note: done.note }
}

impl Done {
    /// A step that counts nothing, because it prepares for others.
    fn prepared() -> Self {
        Self { counts: Counts::default(), note: None }
    }

    fn noted(counts: Counts, note: impl Into<String>) -> Self {
        Self { counts, note: Some(note.into()) }
    }
}

impl From<Counts> for Done {
    fn from(counts: Counts) -> Self {
        Self { counts, note: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_up_comes_first() {
        let names: Vec<&str> = STEPS[..N_SET_UP].iter().map(|step| step.name).collect();
        assert_eq!(names, ["system packages", "python environment", "trainers", "node modules"]);
    }

    #[test]
    fn each_part_has_a_step_of_its_own() {
        for part in Part::value_variants() {
            assert!(STEPS.iter().any(|step| step.parts == [*part]), "{part:?}");
        }
    }
}
