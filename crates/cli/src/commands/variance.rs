//! `reenact variance`: runs a command many times as it is, and says how much the results differ.

use std::fs;
use std::path::Path;

use ::record::recorder::{self, Pins, Recording, Wanted};
use ::record::run::Means;
use ::record::variance;
use anyhow::Context;
use spec::capsule::{Capsule, Exit};

use crate::args::reproducing::Variance;
use crate::commands::ExitStatus;
use crate::commands::record::{ended, made_folder, means};
use crate::error::Error;
use crate::printer::{self, Printer};
use crate::report;

pub fn run(args: &Variance, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let folder = made_folder(args.out.as_deref(), "variance")?;
    let means = Means { out: printer::nowhere, ..means(&args.wanted, printer)? };
    for n in 1..=args.runs {
        let record = once(args, &means, &folder.join(n.to_string()))?;
        printer.note(format_args!("run {n} of {}: {}", args.runs, said(&record)));
        let is_well = record.exit == Some(Exit::Code(0));
        if n == 1 {
            record.warnings.iter().for_each(|warning| printer.warning(warning));
        }
        if !is_well && (n == 1 || means.bell.has_rung()) {
            printer.warning("the command failed, so nothing is said of it");
            return Ok(ended(&record));
        }
    }
    let found = variance::variance(&folder, args.against.as_deref())?;
    printer.note(format_args!("capsules: {}", folder.display()));
    if let Some(path) = &args.html {
        let page = report::variance::html(&found);
        fs::write(path, page).map_err(|source| Error::File {
            operation: "write",
            path: path.clone(),
            source,
        })?;
        printer.note(format_args!("wrote {}", path.display()));
    }
    match args.json {
        true => printer.answer_json(&found)?,
        false => printer.answer_text(&report::variance::text(&found))?,
    }
    Ok(ExitStatus::Success)
}

fn once(args: &Variance, means: &Means, capsule: &Path) -> anyhow::Result<Capsule> {
    let here = std::env::current_dir().context("could not find the current folder")?;
    let recording = Recording {
        command: &args.command,
        folder: &here,
        capsule,
        name: None,
        pins: Pins::None,
        wanted: Wanted {
            inputs: &[],
            outputs: &args.wanted.outputs,
            metrics: args.wanted.metric_pattern.as_ref(),
            hash_up_to: None,
        },
    };
    Ok(recorder::record(means, &recording)?)
}

/// The last values of a run's metrics, or how it failed.
fn said(record: &Capsule) -> String {
    match record.exit {
        Some(Exit::Code(0)) => {
            let last = |(name, values): (&String, &Vec<f64>)| Some(format!("{name}={}", values.last()?));
            let said: Vec<String> = record.metrics.iter().filter_map(last).take(4).collect();
            if said.is_empty() { "no metrics".to_owned() } else { said.join(" ") }
        }
        Some(Exit::Code(code)) => format!("exit code {code}"),
        Some(Exit::Signal(signal)) => format!("signal {signal}"),
        None => "no end".to_owned(),
    }
}
