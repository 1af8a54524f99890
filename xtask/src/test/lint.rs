//! Checks that run no test: format, lints, the laws of the house, references, dependencies.
//!
//! Each counts as one, so that a broken one shows in the closing line like a failed test.

use super::Done;
use super::counts::Counts;
use super::workplace::Workplace;
use crate::{docs, shell};

pub fn format(workplace: &mut Workplace) -> anyhow::Result<Done> {
    shell::must(workplace.cargo().args(["fmt", "--all", "--check"]))?;
    Ok(Counts::PASSED.into())
}

pub fn clippy(workplace: &mut Workplace) -> anyhow::Result<Done> {
    // One crate that breaks hides none of the others.
    let arguments =
        ["clippy", "--locked", "--workspace", "--all-targets", "--keep-going", "--", "--deny", "warnings"];
    shell::must(workplace.cargo().args(arguments))?;
    Ok(Counts::PASSED.into())
}

pub fn tidy(workplace: &mut Workplace) -> anyhow::Result<Done> {
    Ok(counted(crate::tidy::run(&workplace.root)?).into())
}

pub fn references(workplace: &mut Workplace) -> anyhow::Result<Done> {
    let verdict = docs::check(&workplace.root)?;
    let is_good = verdict.report();
    Ok(match verdict {
        docs::Verdict::NotThere => Done::noted(Counts::SKIPPED, "`reenact reference` is not there yet"),
        docs::Verdict::UpToDate | docs::Verdict::Stale(_) => counted(is_good).into(),
    })
}

/// What `cargo deny` knows beyond `tidy`: advisories, and packages of other platforms.
pub fn dependencies(workplace: &mut Workplace) -> anyhow::Result<Done> {
    if shell::ask(workplace.cargo().args(["deny", "--version"])).is_none() {
        let note = "`cargo deny` is not installed; `tidy` has checked licences, bans and sources";
        return Ok(Done::noted(Counts::SKIPPED, note));
    }
    shell::must(workplace.cargo().args(["deny", "--locked", "check"]))?;
    Ok(Counts::PASSED.into())
}

fn counted(is_good: bool) -> Counts {
    if is_good { Counts::PASSED } else { Counts::FAILED }
}
