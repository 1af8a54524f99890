//! `reenact runs`: the capsules that are known here.

use ::record::{capsule, runs};
use spec::capsule::{Capsule, Exit, File, Kind, State};

use crate::args::reproducing::{Runs, RunsAction, RunsList, RunsRm, RunsShow};
use crate::commands::ExitStatus;
use crate::printer::Printer;
use crate::settings;
use crate::table::Table;

pub fn run(args: &Runs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match &args.action {
        None => list(&RunsList { json: false }, printer),
        Some(RunsAction::List(args)) => list(args, printer),
        Some(RunsAction::Show(args)) => show(args, printer),
        Some(RunsAction::Rm(args)) => remove(args, printer),
    }
}

fn list(args: &RunsList, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let known = runs::list(&settings::runs_folder()?)?;
    if args.json {
        printer.answer_json(&known.iter().map(|known| &known.record).collect::<Vec<_>>())?;
        return Ok(ExitStatus::Success);
    }
    if known.is_empty() {
        printer.note("no runs are known here; `reenact record -- COMMAND` records one");
        return Ok(ExitStatus::Success);
    }
    let mut table = Table::new(["ID", "NAME", "KIND", "END", "SECONDS", "COMMAND"]);
    for known in known {
        let record = known.record;
        table.push(vec![
            record.id.clone(),
            record.name.clone(),
            kind(&record).to_owned(),
            end(&record),
            seconds(&record),
            record.command.join(" "),
        ]);
    }
    printer.answer_table(&table)?;
    Ok(ExitStatus::Success)
}

fn show(args: &RunsShow, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let folder = runs::find(&settings::runs_folder()?, &args.run)?;
    let record = capsule::read(&folder)?;
    if args.json {
        printer.answer_json(&record)?;
        return Ok(ExitStatus::Success);
    }
    let mut lines = vec![
        format!("{} ({}), {}", record.name, record.id, kind(&record)),
        format!("  command      {}", record.command.join(" ")),
        format!("  folder       {}", record.folder),
        format!("  end          {}, after {} s", end(&record), seconds(&record)),
        format!("  capsule      {}", folder.display()),
    ];
    if let Some(git) = &record.git {
        let changed = if git.is_changed { ", with changes" } else { "" };
        lines.push(format!("  git          {}{changed}", git.commit));
    }
    if let Some(python) = &record.environment.python {
        lines.push(format!("  python       {python}, {} packages", record.environment.packages.len()));
    }
    lines.extend(record.environment.machine.iter().map(|(name, value)| format!("  {name:<12} {value}")));
    lines.extend(record.variables.iter().map(|(name, value)| format!("  variable     {name}={value}")));
    let entropy = &record.entropy;
    let n_processes = entropy.processes.len();
    lines.push(format!(
        "  entropy      {} draws, {} bytes, {n_processes} processes, {} left to cryptography",
        entropy.n_draws, entropy.n_bytes, entropy.n_passed
    ));
    if entropy.n_tasked > 0 {
        lines.push(format!(
            "  entropy      {} more draws in tasks of pools, each task with a key of its own",
            entropy.n_tasked
        ));
    }
    for (name, files) in [("code", &record.code), ("input", &record.inputs), ("output", &record.outputs)] {
        lines.extend(files.iter().map(|file| format!("  {name:<12} {}", told(file))));
    }
    let unhashed = record.unhashed.iter();
    lines.extend(
        unhashed.map(|file| format!("  input        {} ({} bytes, not hashed)", file.path, file.n_bytes)),
    );
    for (name, values) in &record.metrics {
        let last = values.last().map_or_else(String::new, |last| format!(", last {last}"));
        lines.push(format!("  metric       {name}: {} values{last}", values.len()));
    }
    lines.extend(record.warnings.iter().map(|warning| format!("  warning      {warning}")));
    printer.answer(lines.join("\n"))?;
    Ok(ExitStatus::Success)
}

fn remove(args: &RunsRm, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let folder = runs::remove(&settings::runs_folder()?, &args.run)?;
    printer.note(format_args!("deleted {}", folder.display()));
    Ok(ExitStatus::Success)
}

fn told(file: &File) -> String {
    let mut digest = file.sha256.to_string();
    digest.truncate(12);
    let held = if file.is_held { "" } else { ", by its digest alone" };
    format!("{} ({} bytes, SHA-256 {digest}…{held})", file.path, file.n_bytes)
}

fn kind(record: &Capsule) -> &'static str {
    match record.kind {
        Kind::Recording => "recording",
        Kind::Replay => "replay",
    }
}

fn end(record: &Capsule) -> String {
    match (record.state, record.exit) {
        (State::Incomplete, _) | (_, None) => "incomplete".to_owned(),
        (_, Some(Exit::Code(code))) => format!("exit code {code}"),
        (_, Some(Exit::Signal(signal))) => format!("signal {signal}"),
    }
}

fn seconds(record: &Capsule) -> String {
    record.duration_ms.map_or_else(|| "-".to_owned(), |ms| format!("{}.{}", ms / 1000, ms % 1000 / 100))
}
