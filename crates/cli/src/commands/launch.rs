//! `reenact launch`: fixes addresses and becomes the program it was given; `record` and `replay` start this.
//!
//! It exists because addresses are laid out when a program starts, so whoever wants them fixed must become it. Where
//! the kernel refuses, the program runs all the same, and the shim in it notes that.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::args::reproducing::Launch;
use crate::commands::ExitStatus;
use crate::error::Error;

pub fn run(args: Launch) -> anyhow::Result<ExitStatus> {
    sandbox::fix_addresses();
    let mut words = args.command.into_iter();
    let program = words.next().unwrap_or_default();
    let source = Command::new(&program).args(words).env("LD_PRELOAD", args.preload).exec();
    Err(Error::Program { program: program.to_string_lossy().into_owned(), source }.into())
}
