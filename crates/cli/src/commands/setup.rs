//! `reenact setup`: makes the Python environment, prints its folder.

use crate::commands::ExitStatus;
use crate::environment;
use crate::printer::Printer;

pub fn run(printer: &Printer) -> anyhow::Result<ExitStatus> {
    let environment = environment::ensure(printer)?;
    printer.answer(environment.folder.display())?;
    Ok(ExitStatus::Success)
}
