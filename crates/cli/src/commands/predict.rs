//! `reenact predict`: asks a live model about rows.

use std::io;
use std::path::Path;

use crate::args::remote::Predict;
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::printer::Printer;
use crate::{rows, settings};

pub async fn run(args: Predict, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let rows = rows::read(&args.data.to_string_lossy(), &read(&args.data)?)?;
    let client = settings::connect(&args.server)?;
    if args.stream {
        let row = rows::only(&args.data.to_string_lossy(), &rows)?;
        client::api::stream(&client, &args.model, &row, |piece| -> anyhow::Result<()> {
            Ok(printer.answer_text(piece)?)
        })
        .await?;
        printer.answer("")?;
        return Ok(ExitStatus::Success);
    }
    let answer = match &args.receipt {
        None => client::api::predict(&client, &args.model, &rows).await?,
        Some(path) => {
            let (mut answer, receipt) = client::receipts::predict(&client, &args.model, &rows).await?;
            if let Some(fields) = answer.as_object_mut() {
                fields.remove("receipt");
            }
            keep(path, &receipt)?;
            answer
        }
    };
    match args.json {
        true => printer.answer_json(&answer)?,
        false => printer.answer_table(&rows::answer_table(&answer))?,
    }
    Ok(ExitStatus::Success)
}

fn keep(path: &Path, receipt: &str) -> Result<(), Error> {
    let kept = std::fs::write(path, format!("{receipt}\n"));
    kept.map_err(|source| Error::File { operation: "write", path: path.to_owned(), source })
}

/// The text of a file, or of the standard input for `-`.
pub(super) fn read(path: &Path) -> Result<String, Error> {
    if path == Path::new("-") {
        return io::read_to_string(io::stdin().lock()).map_err(|source| Error::Input { source });
    }
    std::fs::read_to_string(path).map_err(|source| Error::File {
        operation: "read",
        path: path.to_owned(),
        source,
    })
}
