//! Builds the workspace and runs its tests, in the one profile that all work is done in.
//!
//! Invariant: `cargo nextest` and `cargo test` run the same tests; the first only shows them better.

use super::Done;
use super::counts::{self, Runner};
use super::workplace::Workplace;
use crate::shell;

/// Builds the binary and every test.
pub fn build(workplace: &mut Workplace) -> anyhow::Result<Done> {
    workplace.export("REENACT_BINARY", workplace.binary());
    shell::must(workplace.cargo().args(["build", "--locked", "--workspace"]))?;
    Ok(Done::prepared())
}

/// Runs the tests of all crates.
pub fn test(workplace: &mut Workplace) -> anyhow::Result<Done> {
    let has_nextest = shell::ask(workplace.cargo().args(["nextest", "--version"])).is_some();
    let (runner, arguments): (Runner, &[&str]) = match has_nextest {
        true => (Runner::Nextest, &["nextest", "run"]),
        false => (Runner::CargoTest, &["test", "--all-targets"]),
    };
    let mut command = workplace.cargo();
    command.args(arguments).args(["--locked", "--workspace", "--no-fail-fast"]);
    Ok(counts::read(runner, &shell::run(&mut command)?)?.into())
}

/// Runs the examples in doc comments, which `nextest` does not know.
pub fn test_docs(workplace: &mut Workplace) -> anyhow::Result<Done> {
    let mut command = workplace.cargo();
    command.args(["test", "--doc", "--locked", "--workspace", "--no-fail-fast"]);
    Ok(counts::read(Runner::CargoTest, &shell::run(&mut command)?)?.into())
}
