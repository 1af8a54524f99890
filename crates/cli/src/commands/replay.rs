//! `reenact replay`: runs a recorded command again and compares.

use std::path::{Path, PathBuf};

use ::record::recorder::Wanted;
use ::record::replayer::{self, Reach, Replaying};
use ::record::run::Means;
use ::record::{capsule, runs, verify};
use spec::capsule::Capsule;
use spec::criteria::{Criterion, Standing, Verdict};

use crate::args::reproducing::{Environment, Replay, Sandbox};
use crate::commands::capsules::{self, Found};
use crate::commands::record::{free_folder, means};
use crate::commands::{ExitStatus, wait_for};
use crate::environment::{needed, restored};
use crate::error::Error;
use crate::printer::Printer;
use crate::{report, settings};

/// Everything that a replay is started with.
struct Prepared {
    recorded: PathBuf,
    /// The program in place of the recorded one.
    program: Option<PathBuf>,
    /// Where inputs are looked for.
    places: Vec<PathBuf>,
    reach: Reach,
}

pub fn run(args: &Replay, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let home = settings::runs_folder()?;
    let prepared = wait_for(prepare(args, printer))?;
    let means = means(&args.wanted, printer)?;
    let mut n_same = 0;
    for n in 1..=args.times {
        let to = folder(args, &home, &prepared.recorded, n)?;
        n_same += u32::from(once((args, &means), (&prepared, &to), printer)?);
        printer.note(format_args!("replay: {}", to.display()));
        if means.bell.has_rung() && n < args.times {
            printer.warning("a signal came, so the replays end here");
            break;
        }
    }
    if args.times > 1 {
        printer.answer(format_args!("{n_same} of {} replays are bitwise the same", args.times))?;
    }
    Ok(if n_same == args.times { ExitStatus::Success } else { ExitStatus::Failure })
}

/// Finds the capsule and what it needs, from a server where that is where it is.
async fn prepare(args: &Replay, printer: &Printer) -> anyhow::Result<Prepared> {
    let found = capsules::find((&args.capsule, args.id.as_deref()), &args.server, printer).await?;
    let record = capsule::read(&found.folder)?;
    let runs_python = record.environment.python.is_some();
    let env = args.env.unwrap_or(match found.is_foreign && runs_python {
        true => Environment::Restore,
        false => Environment::Current,
    });
    let program = match env {
        Environment::Current => None,
        Environment::Restore => Some(restored::python(&record, printer)?),
    };
    let sandbox = args.sandbox.unwrap_or(if found.is_foreign { Sandbox::On } else { Sandbox::Off });
    let reach = match sandbox {
        Sandbox::Off => Reach::Free,
        Sandbox::On => confined()?,
    };
    let mut places = args.input.clone();
    places.extend(inputs(args, (&found, &record)).await?);
    Ok(Prepared { recorded: found.folder, program, places, reach })
}

/// What is left to a confined training, if this kernel can confine one.
fn confined() -> Result<Reach, Error> {
    let report = sandbox::probe();
    if !report.holds_foreign_code() {
        let gaps: Vec<String> = report.gaps().map(|(layer, gap)| format!("{layer} is {gap}")).collect();
        return Err(Error::UnconfinedReplay(gaps.join("; ")));
    }
    Ok(Reach::Confined(needed::of))
}

/// The folder with files of the model that may be inputs which lie nowhere else.
async fn inputs(args: &Replay, (found, record): (&Found, &Capsule)) -> anyhow::Result<Option<PathBuf>> {
    let Some(origin) = found.origin.as_ref().filter(|_| found.is_foreign) else { return Ok(None) };
    let missing = record.code.iter().chain(&record.inputs).filter(|file| {
        let is_inside = spec::capsule::stays_inside(&file.path);
        !file.is_held && is_inside && !Path::new(&record.folder).join(&file.path).exists()
    });
    let lengths: Vec<u64> = missing.map(|file| file.n_bytes).collect();
    match lengths.as_slice() {
        [] => Ok(None),
        lengths => capsules::inputs(&settings::connect(&args.server)?, origin, lengths).await,
    }
}

/// Where one of the replays goes.
fn folder(args: &Replay, home: &Path, recorded: &Path, n: u32) -> anyhow::Result<PathBuf> {
    Ok(match (&args.out, args.times) {
        (Some(folder), 1) => folder.clone(),
        (Some(folder), _) => folder.join(n.to_string()),
        (None, _) => free_folder(home, &format!("replay-of-{}", capsule::read(recorded)?.id)),
    })
}

/// Replays once; whether the result is the same.
fn once(
    (args, means): (&Replay, &Means),
    (prepared, to): (&Prepared, &Path),
    printer: &Printer,
) -> anyhow::Result<bool> {
    let wanted = Wanted {
        outputs: &args.wanted.outputs,
        metrics: args.wanted.metric_pattern.as_ref(),
        ..Wanted::default()
    };
    let replaying = Replaying {
        capsule: &prepared.recorded,
        to,
        program: prepared.program.as_deref(),
        is_strict: args.strict,
        wanted,
        places: &prepared.places,
        reach: prepared.reach,
    };
    let record = replayer::replay(means, &replaying)?;
    runs::remember(&settings::runs_folder()?, to, &record)?;
    record.warnings.iter().for_each(|warning| printer.warning(warning));
    let mut comparison = verify::verify(&prepared.recorded, to)?;
    if args.allow_divergence {
        let complete = comparison.findings.iter_mut().find(|found| found.criterion == Criterion::Complete);
        let has_diverged = record.entropy.n_fresh + record.entropy.n_missing > 0 && record.strayed.is_empty();
        if let Some(complete) = complete.filter(|_| has_diverged) {
            complete.standing = Standing::NotComparable;
            complete.summary.push_str(" (allowed)");
            comparison.verdict = spec::criteria::verdict(&comparison.findings, false);
        }
    }
    printer.answer_text(&report::text(&comparison))?;
    Ok(comparison.verdict == Verdict::Bitwise)
}
