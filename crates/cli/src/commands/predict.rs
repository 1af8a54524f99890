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
    let answer = client::api::predict(&client, &args.model, &rows).await?;
    match args.json {
        true => printer.answer_json(&answer)?,
        false => printer.answer_table(&rows::answer_table(&answer))?,
    }
    Ok(ExitStatus::Success)
}

fn read(path: &Path) -> Result<String, Error> {
    if path == Path::new("-") {
        return io::read_to_string(io::stdin().lock()).map_err(|source| Error::Input { source });
    }
    std::fs::read_to_string(path).map_err(|source| Error::File {
        operation: "read",
        path: path.to_owned(),
        source,
    })
}
