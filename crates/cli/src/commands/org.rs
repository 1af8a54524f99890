//! `reenact org`: organisations, their members, invitations to them.

use spec::api::NewInvitation;

use crate::args::sharing::{Org, OrgAction, OrgCreate, OrgInvite, OrgList, OrgMembers};
use crate::commands::ExitStatus;
use crate::printer::Printer;
use crate::settings;
use crate::table::Table;

pub async fn run(args: Org, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action {
        OrgAction::Create(args) => create(args, printer).await,
        OrgAction::List(args) => list(args, printer).await,
        OrgAction::Members(args) => members(args, printer).await,
        OrgAction::Invite(args) => invite(args, printer).await,
    }
}

async fn create(args: OrgCreate, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let made = client::sharing::create_organization(&client, &args.name).await?;
    printer.note(format_args!("made {}; push to it as `{}/NAME`", made.name, made.name));
    Ok(ExitStatus::Success)
}

async fn list(args: OrgList, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let organizations = client::sharing::organizations(&client).await?;
    if args.json {
        printer.answer_json(&organizations)?;
        return Ok(ExitStatus::Success);
    }
    if organizations.is_empty() {
        printer.note("you are a member of no organisation; `reenact org create NAME` makes one");
        return Ok(ExitStatus::Success);
    }
    let mut table = Table::new(["ORGANISATION", "YOU MAY"]);
    for organization in organizations {
        table.push(vec![organization.name, organization.role.to_string()]);
    }
    printer.answer_table(&table)?;
    Ok(ExitStatus::Success)
}

async fn members(args: OrgMembers, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    if let Some(person) = &args.add {
        client::sharing::put_member(&client, &args.name, (person, args.role)).await?;
        printer.note(format_args!("{person} is a member of {} and may {}", args.name, args.role));
        return Ok(ExitStatus::Success);
    }
    if let Some(person) = &args.remove {
        client::sharing::delete_member(&client, &args.name, person).await?;
        printer.note(format_args!("{person} is no member of {} any more", args.name));
        return Ok(ExitStatus::Success);
    }
    let members = client::sharing::members(&client, &args.name).await?;
    if args.json {
        printer.answer_json(&members)?;
        return Ok(ExitStatus::Success);
    }
    let mut table = Table::new(["MEMBER", "MAY", "SINCE"]);
    for member in members {
        table.push(vec![member.name, member.role.to_string(), member.since]);
    }
    printer.answer_table(&table)?;
    Ok(ExitStatus::Success)
}

async fn invite(args: OrgInvite, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let new = NewInvitation { role: Some(args.role), email: args.email, expires: args.expires };
    let made = client::sharing::invite(&client, Some(&args.name), &new).await?;
    printer.answer(&made.url)?;
    printer.note(format_args!("works once, until {}; send it to whoever is meant", made.invitation.expires));
    Ok(ExitStatus::Success)
}
