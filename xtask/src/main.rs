//! `cargo xtask`: the house's own tools. `tidy` keeps its laws, `test` passes its tests, `docs` writes its references.
//!
//! It knows the tree of files and the commands that check it, and none of the product's crates: it must
//! build in seconds on a bare machine and still run when they do not compile.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod docs;
mod printer;
mod shell;
mod test;
mod tidy;
mod tree;

fn main() -> ExitCode {
    match run(&Args::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            printer::line(format!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The house's own tools.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the laws of the house
    Tidy,
    /// Set up what the tests need, then run them: everything, or the parts named
    Test {
        #[arg(value_enum)]
        parts: Vec<test::Part>,
    },
    /// Set up what the tests need and print what to export for running them by hand
    Setup,
    /// Write the generated references in `docs/reference`
    Docs {
        /// Change nothing; fail when a reference is out of date
        #[arg(long)]
        check: bool,
    },
}

/// Whether all went well; an error means that the tool itself could not do its work.
fn run(command: &Command) -> anyhow::Result<bool> {
    let root = root();
    match command {
        Command::Tidy => tidy::run(&root),
        Command::Test { parts } => test::run(&root, parts),
        Command::Setup => test::setup(&root),
        Command::Docs { check: true } => docs::check(&root).map(|verdict| verdict.report()),
        Command::Docs { check: false } => docs::write(&root),
    }
}

/// The root of the repository, which is the parent of this crate's folder.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
