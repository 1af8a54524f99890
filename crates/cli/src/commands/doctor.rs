//! `reenact doctor`: runs a command, says what in it cannot be reproduced, and proves the patch that it writes.

use ::record::recorder::{Pins, Recording, Wanted};
use ::record::run::Means;
use ::record::{doctor, recorder};
use anyhow::Context;
use spec::capsule::Exit;
use spec::diagnosis::{self, Diagnosis, Known};

use crate::args::reproducing::Doctor;
use crate::commands::ExitStatus;
use crate::commands::record::{ended, made_folder, means};
use crate::printer::{self, Printer};
use crate::report;

pub fn run(args: &Doctor, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let folder = made_folder(args.out.as_deref(), "doctor")?;
    // What the command says is not what was asked for.
    let means = Means { out: printer::err, ..means(&args.wanted, printer)? };
    let here = std::env::current_dir().context("could not find the current folder")?;
    let recording = Recording {
        command: &args.command,
        folder: &here,
        capsule: &folder.join("profile"),
        name: None,
        pins: Pins::None,
        wanted: Wanted {
            inputs: &[],
            outputs: &args.wanted.outputs,
            metrics: args.wanted.metric_pattern.as_ref(),
            hash_up_to: None,
        },
    };
    let (record, facts) = recorder::profile(&means, &recording)?;
    record.warnings.iter().for_each(|warning| printer.warning(warning));
    if record.exit != Some(Exit::Code(0)) {
        printer.warning("the command failed, so nothing is said of it");
        return Ok(ended(&record));
    }
    let n_tasked = record.entropy.n_tasked;
    let known = Known { variables: &record.variables, n_tasked, warnings: &record.warnings };
    let causes = diagnosis::causes(&facts, &known);
    let patch = match args.patch {
        true => {
            let variables = doctor::write_patch(&args.patch_folder, &record, (&facts, &causes))?;
            printer.note(format_args!("wrote {}; two runs with it", args.patch_folder.display()));
            let proof = doctor::prove(&means, &Recording { capsule: &folder, ..recording }, &variables)?;
            Some(doctor::patch(&args.patch_folder, variables, proof))
        }
        false => None,
    };
    let found = Diagnosis { format: doctor::FORMAT, command: record.command, causes, patch };
    printer.note(format_args!("capsules: {}", folder.display()));
    match args.json {
        true => printer.answer_json(&found)?,
        false => printer.answer_text(&report::diagnosis::text(&found))?,
    }
    Ok(match found.patch {
        Some(patch) if !patch.is_proven => ExitStatus::Failure,
        _ => ExitStatus::Success,
    })
}
