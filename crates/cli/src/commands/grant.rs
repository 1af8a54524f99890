//! `reenact grant` and `reenact revoke`: opening a repository to named people and organisations.

use spec::name::RepositoryKind;

use crate::args::sharing::{Grant, Revoke};
use crate::commands::ExitStatus;
use crate::printer::Printer;
use crate::settings;
use crate::table::Table;

pub async fn give(args: Grant, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let repository = (kind(args.dataset), &args.repository);
    if let (Some(who), Some(action)) = (&args.who, args.action) {
        client::sharing::grant(&client, repository, who, action).await?;
        printer.note(format_args!("{who} may now {action} {}", args.repository));
        return Ok(ExitStatus::Success);
    }
    let grants = client::sharing::grants(&client, repository).await?;
    if args.json {
        printer.answer_json(&grants)?;
        return Ok(ExitStatus::Success);
    }
    if grants.is_empty() {
        printer.note("nobody but its owner was given a right to it");
        return Ok(ExitStatus::Success);
    }
    let mut table = Table::new(["WHO", "RIGHT", "GIVEN BY", "SINCE"]);
    for grant in grants {
        table.push(vec![grant.who, grant.action.to_string(), grant.granted_by, grant.created]);
    }
    printer.answer_table(&table)?;
    Ok(ExitStatus::Success)
}

pub async fn take_back(args: Revoke, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    client::sharing::revoke_grant(&client, (kind(args.dataset), &args.repository), &args.who).await?;
    printer.note(format_args!("{} has no right of their own to {} any more", args.who, args.repository));
    Ok(ExitStatus::Success)
}

fn kind(is_dataset: bool) -> RepositoryKind {
    if is_dataset { RepositoryKind::Dataset } else { RepositoryKind::Model }
}
