//! `reenact record`: runs a command and writes down what made the run what it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ::record::recorder::{Pins, Recording, Wanted};
use ::record::run::bell::Bell;
use ::record::run::{Audit, Means};
use ::record::{recorder, runs};
use anyhow::Context;
use spec::capsule::{Capsule, Exit};

use crate::args::reproducing::{self as args, Record};
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::printer::{self, Printer};
use crate::{audit, clock, settings, signals};

pub fn run(args: &Record, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let home = settings::runs_folder()?;
    let folder = match &args.out {
        Some(folder) => folder.clone(),
        None => free_folder(&home, args.name.as_deref().unwrap_or("run")),
    };
    let here = std::env::current_dir().context("could not find the current folder")?;
    let recording = Recording {
        command: &args.command,
        folder: &here,
        capsule: &folder,
        name: args.name.as_deref(),
        pins: if args.pin { Pins::Portable } else { Pins::None },
        wanted: Wanted {
            inputs: &args.inputs,
            outputs: &args.wanted.outputs,
            metrics: args.wanted.metric_pattern.as_ref(),
            hash_up_to: args.hash_up_to,
        },
    };
    let record = recorder::record(&means(&args.wanted, printer)?, &recording)?;
    runs::remember(&home, &folder, &record)?;
    summarise(&record, &folder, printer);
    Ok(ended(&record))
}

/// What a run is lent by this program. From here on signals are the command's affair: it is told of them, and the
/// record of how it ended is written.
pub(super) fn means(args: &args::Wanted, printer: &Printer) -> anyhow::Result<Means> {
    let bell = Arc::new(Bell::default());
    signals::pass_on(bell.clone())?;
    let own = std::env::current_exe().context("could not find this program")?;
    let launcher = vec![own.into_os_string(), "launch".into()];
    Ok(Means {
        launcher,
        now_ms: clock::now_ms,
        out: printer::out,
        err: printer::err,
        bell,
        timeout: args.timeout,
        audit: (!args.no_audit).then_some(audit::begin as Audit),
        hashing: printer.hashing(),
    })
}

/// A folder that is not there yet, called after a run.
pub(super) fn free_folder(home: &Path, name: &str) -> PathBuf {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    let plain = plain.trim_start_matches('.');
    let numbered = (1_u32..).map(|n| home.join(format!("{plain}-{n}")));
    numbered.into_iter().find(|folder| !folder.exists()).unwrap_or_else(|| home.join(plain))
}

/// The folder that several runs go into: the one that was named, or one that is not there yet.
pub(super) fn made_folder(named: Option<&Path>, what: &str) -> anyhow::Result<PathBuf> {
    let folder = match named {
        Some(folder) => folder.to_owned(),
        None => free_folder(&settings::runs_folder()?, what),
    };
    let made = std::fs::create_dir_all(&folder);
    made.map_err(|source| Error::File { operation: "make the folder", path: folder.clone(), source })?;
    Ok(folder)
}

fn summarise(record: &Capsule, folder: &Path, printer: &Printer) {
    for warning in &record.warnings {
        printer.warning(warning);
    }
    let entropy = &record.entropy;
    printer.note(format_args!(
        "recorded {} draws of entropy in {} processes, {} files of code, {} inputs, {} outputs",
        entropy.n_draws,
        entropy.processes.len(),
        record.code.len(),
        record.inputs.len(),
        record.outputs.len()
    ));
    if entropy.n_tasked > 0 {
        printer.note(format_args!(
            "{} more draws in tasks of pools, each with a key of its own",
            entropy.n_tasked
        ));
    }
    printer.note(format_args!("capsule: {}", folder.display()));
}

/// The command's own end, as a shell would give it.
pub(super) fn ended(record: &Capsule) -> ExitStatus {
    match record.exit {
        Some(Exit::Code(code)) => ExitStatus::Of(u8::try_from(code).unwrap_or(1)),
        Some(Exit::Signal(signal)) => {
            ExitStatus::Of(128_u8.saturating_add(u8::try_from(signal).unwrap_or(0)))
        }
        None => ExitStatus::Failure,
    }
}
