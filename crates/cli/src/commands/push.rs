//! `reenact push`: sends what changed, prints the page's address.

use std::path::{Path, PathBuf};

use ::record::{capsule, runs};
use client::hub::repositories::Visibility;
use client::push::{self, Pushed};
use serde_json::{Value, json};
use spec::capsule::Capsule;
use spec::name::RepositoryKind;

use crate::args::remote::Push;
use crate::commands::{ExitStatus, capsules};
use crate::printer::{Form, Printer, Transfer};
use crate::settings;

pub async fn run(args: Push, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let capsule = capsule_of(&args.path)?;
    let packed = match &capsule {
        Some(folder) => Some(capsules::packed(folder)?),
        None => None,
    };
    if let Some((_, record)) = &packed {
        warn(record, printer);
    }
    let name = args.path.file_name().map_or("files".into(), |name| name.to_string_lossy());
    let what = if packed.is_some() { "capsule " } else { "" };
    let message = args.message.unwrap_or_else(|| format!("Push {what}{name}"));
    let request = push::Push {
        source: packed.as_ref().map_or(args.path.as_path(), |(staged, _)| staged.path()),
        kind: if args.dataset { RepositoryKind::Dataset } else { RepositoryKind::Model },
        repository: &args.repository,
        visibility: if args.public { Visibility::Public } else { Visibility::Private },
        message: &message,
    };
    let transfer = printer.transfer("sending", Form::of(args.json));
    let pushed = push::push(&client, &request, transfer.clone()).await?;
    for warning in &pushed.warnings {
        printer.warning(warning);
    }
    printer.note(summary(&pushed));
    if let (Some(folder), Some(packed)) = (&capsule, &packed) {
        capsules::pushed(folder, packed, (client.base(), &args.repository, pushed.revision))?;
        printer.note(format_args!("run it again with `reenact replay {}`", args.repository));
    }
    match args.json {
        true => printer.answer_json(&described(&pushed, &transfer))?,
        false => printer.answer(&pushed.url)?,
    }
    Ok(ExitStatus::Success)
}

/// The capsule that is meant, if one is: a folder with a record, or a run that is known by a name.
fn capsule_of(path: &Path) -> anyhow::Result<Option<PathBuf>> {
    if path.exists() {
        return Ok(capsule::is_capsule(path).then(|| path.to_owned()));
    }
    let home = settings::runs_folder()?;
    Ok(path.to_str().and_then(|word| runs::find(&home, word).ok()))
}

/// Says what of a capsule others will see that its owner may not think of.
fn warn(record: &Capsule, printer: &Printer) {
    printer.warning(format_args!(
        "whoever may read the repository can read all of the capsule: {} files of code, {} inputs, {} draws of entropy, \
         and the paths, packages and processor of this machine",
        record.code.len(),
        record.inputs.len(),
        record.entropy.n_draws
    ));
    record.warnings.iter().for_each(|warning| printer.warning(warning));
}

fn described(pushed: &Pushed, transfer: &Transfer) -> Value {
    json!({
        "url": pushed.url,
        "revision": pushed.revision,
        "files": pushed.n_files,
        "sent_files": pushed.n_sent,
        "sent_bytes": transfer.n_moved(),
        "there_bytes": transfer.n_there(),
        "is_new": pushed.is_new,
    })
}

fn summary(pushed: &Pushed) -> String {
    let Pushed { revision, n_files, n_sent, is_new, .. } = pushed;
    let files = if *n_files == 1 { "file" } else { "files" };
    let made = if *is_new { "made the repository; " } else { "" };
    match n_sent {
        0 => format!("{made}nothing changed in {n_files} {files}; the revision is {revision}"),
        _ => format!("{made}sent {n_sent} of {n_files} {files}; the revision is {revision}"),
    }
}
