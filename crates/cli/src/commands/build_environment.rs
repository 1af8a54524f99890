//! `reenact build-environment`: makes the Python environment that a model runs in; the server starts this.
//!
//! What is wanted comes as JSON on the standard input; the digest of what was made goes to the standard output.

use std::io::Read;

use anyhow::Context;
use spec::handler::Wanted;

use crate::args::local::BuildEnvironment;
use crate::commands::ExitStatus;
use crate::environment::locked;
use crate::error::Error;
use crate::printer::Printer;

pub fn run(args: &BuildEnvironment, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).map_err(|source| Error::Input { source })?;
    let wanted: Wanted = serde_json::from_str(&text)
        .map_err(|source| Error::Json { name: "the standard input".into(), source })?;
    let made = locked::ensure(&wanted, &args.root, printer)?;
    let digest = locked::digest(&made).context("the environment has no digest")?;
    printer.note(format_args!("the environment of Python {} is complete", made.described.version));
    printer.answer(digest)?;
    Ok(ExitStatus::Success)
}
