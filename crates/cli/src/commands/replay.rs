//! `reenact replay`: runs a recorded command again and compares.

use std::path::{Path, PathBuf};

use ::record::recorder::Wanted;
use ::record::replayer::{self, Replaying};
use ::record::run::Means;
use ::record::{capsule, runs, verify};
use spec::criteria::{Criterion, Standing, Verdict};

use crate::args::reproducing::{Environment, Replay};
use crate::commands::ExitStatus;
use crate::commands::record::{free_folder, means};
use crate::environment::restored;
use crate::printer::Printer;
use crate::{report, settings};

pub fn run(args: &Replay, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let home = settings::runs_folder()?;
    let recorded = runs::find(&home, &args.capsule)?;
    let program = match args.env {
        Environment::Current => None,
        Environment::Restore => Some(restored::python(&capsule::read(&recorded)?, printer)?),
    };
    let means = means(args.wanted.timeout)?;
    let mut n_same = 0;
    for n in 1..=args.times {
        let to = folder(args, &home, &recorded, n)?;
        n_same += u32::from(once((args, &means), (&recorded, &to), program.as_deref(), printer)?);
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
    (recorded, to): (&Path, &Path),
    program: Option<&Path>,
    printer: &Printer,
) -> anyhow::Result<bool> {
    let wanted =
        Wanted { inputs: &[], outputs: &args.wanted.outputs, metrics: args.wanted.metric_pattern.as_ref() };
    let replaying = Replaying { capsule: recorded, to, program, is_strict: args.strict, wanted };
    let record = replayer::replay(means, &replaying)?;
    runs::remember(&settings::runs_folder()?, to, &record)?;
    record.warnings.iter().for_each(|warning| printer.warning(warning));
    let mut comparison = verify::verify(recorded, to)?;
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
