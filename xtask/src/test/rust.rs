//! Builds the workspace and runs its tests, in the one profile that all work is done in.
//!
//! Invariant: `cargo nextest` and `cargo test` run the same tests; the first only shows them better.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use anyhow::{Context, bail};

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
    let database = Database::start(workplace)?;
    if let Some(database) = &database {
        command.env(Database::VARIABLE, &database.url);
    }
    Ok(counts::read(runner, &shell::run(&mut command)?)?.into())
}

/// A PostgreSQL that all tests of a run share; each would start its own otherwise. Gone when dropped.
struct Database {
    url: String,
    keeper: Child,
}

impl Database {
    /// Where the tests look for a server.
    const VARIABLE: &str = "TEST_DATABASE_URL";

    /// None if the tests were told of a server, or to do without.
    fn start(workplace: &Workplace) -> anyhow::Result<Option<Self>> {
        if [Self::VARIABLE, "REENACT_SKIP_POSTGRES"].iter().any(|name| std::env::var_os(name).is_some()) {
            return Ok(None);
        }
        let mut script = workplace.command("sh", "");
        script.arg("crates/store/tests/it/postgres.sh").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut keeper = script.spawn().context("could not start `sh`")?;
        let mut url = String::new();
        let stdout = keeper.stdout.take().context("the output of `sh` is not read")?;
        BufReader::new(stdout).read_line(&mut url).context("PostgreSQL says nothing")?;
        let database = Self { url: url.trim().to_owned(), keeper };
        if database.url.is_empty() {
            bail!("PostgreSQL did not start; the reason is above");
        }
        Ok(Some(database))
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        // Its folder is deleted before it ends.
        let _status = self.keeper.wait();
    }
}

/// Runs the examples in doc comments, which `nextest` does not know.
pub fn test_docs(workplace: &mut Workplace) -> anyhow::Result<Done> {
    let mut command = workplace.cargo();
    command.args(["test", "--doc", "--locked", "--workspace", "--no-fail-fast"]);
    Ok(counts::read(Runner::CargoTest, &shell::run(&mut command)?)?.into())
}
