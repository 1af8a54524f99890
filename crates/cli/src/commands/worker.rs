//! `reenact worker`: confines itself and becomes the program it was given; a runtime of Python starts this.
//!
//! It exists because a process with threads cannot be confined as a whole, and a filter cannot be built safely
//! between fork and exec. Invariant: nothing of the program's is read before the process is confined.

use std::os::unix::process::CommandExt;
use std::process::Command;

use sandbox::Policy;

use crate::args::local::Worker;
use crate::commands::ExitStatus;
use crate::commands::runtime::{confine, open_null};
use crate::error::Error;
use crate::logging::{self, Format};

pub fn run(args: Worker) -> anyhow::Result<ExitStatus> {
    logging::start("warn", Format::Text)?;
    let policy = Policy {
        devices: args.devices,
        writable: args.writable,
        ..Policy::for_worker(args.readable, args.executable, args.memory_bytes)
    };
    let mut policy = open_null(policy);
    // With what it was started is no secret to itself, and TensorFlow looks it up when it is imported.
    policy.readable.push("/proc/self/cmdline".into());
    confine(&policy, args.allow_unsandboxed).map_err(anyhow::Error::from_boxed)?;
    let mut words = args.command.into_iter();
    let program = words.next().unwrap_or_default();
    let source = Command::new(&program).args(words).exec();
    Err(Error::Program { program: program.to_string_lossy().into_owned(), source }.into())
}
