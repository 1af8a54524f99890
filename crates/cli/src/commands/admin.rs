//! `reenact admin`: what the operator does on the server's own machine.

use std::collections::BTreeMap;
use std::env;
use std::time::Duration;

use server::admin::{self, IsAdmin};
use server::ops::storage::{Checked, Collected, Deed, Finding};
use server::serve;
use server::settings::Settings;
use spec::api::NewInvitation;

use crate::args::local::{
    Admin, AdminAction, AdminFsck, AdminGc, AdminKeyAction, AdminSignInLink, AdminStats, AdminUserAction,
    AdminUserAdd, AdminUserEmail, AdminUserInvite, Place,
};
use crate::commands::ExitStatus;
use crate::printer::Printer;
use crate::table::Table;

mod copies;

/// How long clients believe that what they sent is there: the caches of `hf_xet` 1.8.
const CLIENTS_REMEMBER: Duration = Duration::from_secs(21 * 24 * 60 * 60);

pub async fn run(args: Admin, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action {
        AdminAction::User(user) => match user.action {
            AdminUserAction::Add(args) => add_user(args, printer).await,
            AdminUserAction::Invite(args) => invite_user(args, printer).await,
            AdminUserAction::Email(args) => set_email(args, printer).await,
        },
        AdminAction::SignInLink(args) => sign_in_link(args, printer).await,
        AdminAction::Key(key) => match key.action {
            AdminKeyAction::Show(args) => {
                printer.answer_json(&admin::keys(&settings(&args.place)?).await?)?;
                Ok(ExitStatus::Success)
            }
        },
        AdminAction::Backup(args) => copies::backup(args, printer).await,
        AdminAction::Restore(args) => copies::restore(args, printer).await,
        AdminAction::Migrate(args) => copies::migrate(args, printer).await,
        AdminAction::Fsck(args) => fsck(args, printer).await,
        AdminAction::Gc(args) => gc(args, printer).await,
        AdminAction::Stats(args) => stats(args, printer).await,
    }
}

async fn fsck(args: AdminFsck, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = settings(&args.place)?;
    let mut findings = Vec::new();
    let tell = |finding| findings.push(finding);
    let checked = admin::check_storage(&settings, args.repair_from.as_deref(), tell).await?;
    if args.json {
        printer.answer_json(&serde_json::json!({ "checked": checked, "findings": findings }))?;
    } else {
        findings.iter().try_for_each(|finding| printer.answer(line(finding)))?;
        let Checked { n_stored, n_stored_bytes, n_chunked_files, n_findings, n_repaired } = checked;
        printer.note(format_args!(
            "read {n_stored} stored files of {n_stored_bytes} bytes, {n_chunked_files} files of chunks: {n_findings} findings"
        ));
        if n_repaired > 0 {
            printer.note(format_args!("{n_repaired} stored files were put back"));
        }
    }
    Ok(if checked.n_findings == 0 { ExitStatus::Success } else { ExitStatus::Failure })
}

fn line(finding: &Finding) -> String {
    match finding {
        Finding::Damaged { sha256, reason } => format!("damaged: {sha256}: {reason}"),
        Finding::Missing { sha256 } => format!("missing: {sha256}"),
        Finding::Repaired { sha256 } => format!("repaired: {sha256}"),
        Finding::Lost { repository, revision, path, sha256 } => {
            let revision = revision.map(|oid| format!("@{oid}")).unwrap_or_default();
            format!("lost: {repository}{revision} {path} ({sha256})")
        }
    }
}

async fn gc(args: AdminGc, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = settings(&args.place)?;
    let deed = if args.dry_run { Deed::Count } else { Deed::Collect };
    if settings.unused_after.0 < CLIENTS_REMEMBER {
        printer.note("`unused_after` is less than 21d: clients that sent the removed chunks lately cannot push them again until they forget them");
    }
    let collected = admin::collect_unused(&settings, deed).await?;
    if args.json {
        printer.answer_json(&collected)?;
        return Ok(ExitStatus::Success);
    }
    let Collected { n_revisions, n_uploads, n_files, n_file_bytes, n_xorbs, n_xorb_bytes, .. } = collected;
    let Collected { n_unnamed, n_unnamed_bytes, n_cached, n_cached_bytes, .. } = collected;
    printer.answer(format_args!("commits:       {n_revisions}"))?;
    printer.answer(format_args!("uploads:       {n_uploads}"))?;
    printer.answer(format_args!("files:         {n_files}, {n_file_bytes} bytes of content"))?;
    printer.answer(format_args!("xorbs:         {n_xorbs}, {n_xorb_bytes} bytes"))?;
    printer.answer(format_args!("unnamed files: {n_unnamed}, {n_unnamed_bytes} bytes"))?;
    printer.answer(format_args!("cached files:  {n_cached}, {n_cached_bytes} bytes"))?;
    printer.note(if args.dry_run { "nothing was removed" } else { "all of it was removed" });
    Ok(ExitStatus::Success)
}

async fn stats(args: AdminStats, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let counted = admin::count_storage(&settings(&args.place)?).await?;
    if args.json {
        printer.answer_json(&counted)?;
        return Ok(ExitStatus::Success);
    }
    let mut table = Table::new(["REPOSITORY", "KIND", "FILES", "BYTES", "ITS ALONE"]);
    for of in &counted.repositories {
        let numbers = [of.n_files, of.logical_bytes, of.own_bytes].map(|n| n.to_string());
        table.push([of.name.clone(), of.kind.clone()].into_iter().chain(numbers).collect());
    }
    printer.answer_table(&table)?;
    printer.note(format_args!(
        "{} files: {} bytes if each repository kept its own, {} bytes of different files, {} bytes of different chunks",
        counted.n_files, counted.logical_bytes, counted.file_bytes, counted.unique_bytes
    ));
    printer.note(format_args!("stored: {} bytes in {} files", counted.stored_bytes, counted.n_stored));
    Ok(ExitStatus::Success)
}

async fn add_user(args: AdminUserAdd, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = settings(&args.place)?;
    let is_admin = if args.admin { IsAdmin::Yes } else { IsAdmin::No };
    let token = admin::add_user(&settings, args.name.as_str(), is_admin).await?;
    printer.answer(token.expose())?;
    Ok(ExitStatus::Success)
}

async fn sign_in_link(args: AdminSignInLink, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = settings(&args.place)?;
    let path = admin::sign_in_link(&settings, args.name.as_str()).await?;
    printer.answer(format_args!("{}{path}", serve::address(&settings)))?;
    Ok(ExitStatus::Success)
}

async fn invite_user(args: AdminUserInvite, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = settings(&args.place)?;
    let new = NewInvitation { email: args.email, expires: args.expires, role: None };
    let path = admin::invite_user(&settings, &new).await?;
    printer.answer(format_args!("{}{path}", serve::address(&settings)))?;
    Ok(ExitStatus::Success)
}

async fn set_email(args: AdminUserEmail, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = settings(&args.place)?;
    admin::set_email(&settings, args.name.as_str(), &args.email).await?;
    printer.note(format_args!("{} is {} from now on", args.email, args.name));
    Ok(ExitStatus::Success)
}

fn settings(place: &Place) -> anyhow::Result<Settings> {
    let typed = [("data", &place.data), ("database", &place.database)];
    let typed = typed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
    let flags: BTreeMap<String, String> = typed.collect();
    Ok(Settings::load(&flags, |name| env::var(name).ok(), place.config.as_deref())?)
}
