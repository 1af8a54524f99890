//! `reenact push`: sends what changed, prints the page's address.

use client::hub::repositories::Visibility;
use client::push::{self, Pushed};
use spec::name::RepositoryKind;

use crate::args::remote::Push;
use crate::commands::ExitStatus;
use crate::printer::Printer;
use crate::settings;

pub async fn run(args: Push, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let name = args.path.file_name().map_or("files".into(), |name| name.to_string_lossy());
    let message = args.message.unwrap_or_else(|| format!("Push {name}"));
    let request = push::Push {
        source: &args.path,
        kind: if args.dataset { RepositoryKind::Dataset } else { RepositoryKind::Model },
        repository: &args.repository,
        visibility: if args.public { Visibility::Public } else { Visibility::Private },
        message: &message,
    };
    let pushed = push::push(&client, &request, printer.progress("sending")).await?;
    for warning in &pushed.warnings {
        printer.warning(warning);
    }
    printer.note(summary(&pushed));
    printer.answer(&pushed.url)?;
    Ok(ExitStatus::Success)
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
