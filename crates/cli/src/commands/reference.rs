//! `reenact reference`: writes the generated parts of the documentation.

mod api;
mod cli;
mod errors;
mod settings;

use std::fs;

use crate::args::local::Reference;
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::printer::Printer;

pub fn run(args: &Reference, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let failed = |source| Error::File { operation: "make", path: args.out.clone(), source };
    fs::create_dir_all(&args.out).map_err(failed)?;
    let pages = [
        ("api.json", api::json()?),
        ("cli.md", cli::markdown()),
        ("errors.md", errors::markdown()),
        ("settings.md", settings::markdown()),
    ];
    for (name, text) in pages {
        let path = args.out.join(name);
        fs::write(&path, text).map_err(|source| Error::File {
            operation: "write",
            path: path.clone(),
            source,
        })?;
        printer.answer(path.display())?;
    }
    Ok(ExitStatus::Success)
}
