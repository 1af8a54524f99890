//! The command `reenact`: args -> settings -> command, and the one binary that everything is linked into.
//!
//! This file knows exit codes and broken pipes, and nothing else.

mod args;
mod audit;
mod clock;
mod commands;
mod environment;
mod error;
mod logging;
mod printer;
mod report;
mod rows;
mod settings;
mod signals;
mod signing;
mod table;

use std::io;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Args;
use crate::commands::ExitStatus;
use crate::printer::Printer;

fn main() -> ExitCode {
    let args = Args::parse();
    let printer = Printer::new(args.quiet);
    match commands::run(args.command, &printer) {
        Ok(status) => status.into(),
        Err(error) if is_broken_pipe(&error) => ExitStatus::Success.into(),
        Err(error) => {
            printer.failure(&error);
            ExitStatus::Failure.into()
        }
    }
}

/// Whoever read our output has had enough (`reenact endpoints | head -1`), which is no failure.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let closed = |cause: &io::Error| cause.kind() == io::ErrorKind::BrokenPipe;
    error.downcast_ref::<printer::Closed>().is_some_and(|printer::Closed(cause)| closed(cause))
}
