//! `reenact completions`.

use clap::CommandFactory;

use crate::args::Args;
use crate::args::local::Completions;
use crate::commands::ExitStatus;
use crate::printer::Printer;

pub fn run(args: &Completions, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "reenact", &mut script);
    printer.answer_text(&String::from_utf8_lossy(&script))?;
    Ok(ExitStatus::Success)
}
