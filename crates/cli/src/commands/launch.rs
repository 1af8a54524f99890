//! `reenact launch`: fixes addresses and becomes the program it was given; `record` and `replay` start this.
//!
//! It exists because addresses are laid out when a program starts, so whoever wants them fixed must become it. Where
//! the kernel refuses, the program runs all the same, and the shim in it notes that. A program that is to be confined
//! does not run where the kernel cannot.

use std::os::unix::process::CommandExt;
use std::process::Command;

use sandbox::{Children, Namespaces, Policy};

use crate::args::reproducing::Launch;
use crate::audit;
use crate::commands::ExitStatus;
use crate::commands::runtime::confine;
use crate::error::Error;

/// Threads and processes of a confined training, where the kernel can count them.
const PROCESSES: u64 = 4096;
/// Files that it may have open.
const OPEN_FILES: u64 = 4096;

pub fn run(args: Launch) -> anyhow::Result<ExitStatus> {
    sandbox::fix_addresses();
    if let Some(socket) = &args.audit {
        audit::offer(socket)?;
    }
    if args.confined {
        let policy = Policy {
            writable: args.writable,
            children: Children::Confined,
            n_processes: PROCESSES,
            n_open_files: OPEN_FILES,
            namespaces: Namespaces::Own,
            ..Policy::for_worker(args.readable, args.executable, u64::MAX)
        };
        confine(&policy, false).map_err(anyhow::Error::from_boxed)?;
    }
    let mut words = args.command.into_iter();
    let program = words.next().unwrap_or_default();
    let source = Command::new(&program).args(words).env("LD_PRELOAD", args.preload).exec();
    Err(Error::Program { program: program.to_string_lossy().into_owned(), source }.into())
}
