//! `reenact admin backup`, `restore` and `migrate`: everything that a server has, once more elsewhere.

use std::collections::BTreeMap;

use client::progress::Progress;
use serde::Serialize;
use server::admin;
use server::ops::storage::{BackedUp, Copied, Restored, Step};
use server::settings::Settings;

use crate::args::copies::{AdminBackup, AdminMigrate, AdminRestore, Target};
use crate::commands::ExitStatus;
use crate::printer::{Form, Printer, Transfer};

pub async fn backup(args: AdminBackup, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = super::settings(&args.place)?;
    let transfer = printer.transfer("copying", Form::of(args.json));
    let made = admin::back_up(&settings, &args.folder, &|step| show(&transfer, step)).await?;
    drop(transfer);
    if !args.json {
        let BackedUp { snapshot, n_rows, n_objects, object_bytes, .. } = &made;
        printer.answer(snapshot)?;
        printer.note(format_args!("{n_rows} rows and {n_objects} stored files of {object_bytes} bytes"));
    }
    end(&made, &made.copied, args.json, printer)
}

pub async fn restore(args: AdminRestore, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let to = target(&args.target)?;
    let transfer = printer.transfer("copying", Form::of(args.json));
    let tell = |step| show(&transfer, step);
    let restored = admin::restore(&args.folder, args.snapshot.as_deref(), &to, &tell).await?;
    drop(transfer);
    filled(&restored, args.json, printer)
}

pub async fn migrate(args: AdminMigrate, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let to = target(&args.target)?;
    let typed = [
        ("data", Some(&args.from_data)),
        ("database", args.from_database.as_ref()),
        ("storage", args.from_storage.as_ref()),
    ];
    // What the environment says is meant for where it goes to.
    let from = Settings::load(&said(typed), |_| None, None)?;
    let transfer = printer.transfer("copying", Form::of(args.json));
    let moved = admin::migrate(&from, &to, &|step| show(&transfer, step)).await?;
    drop(transfer);
    filled(&moved, args.json, printer)
}

fn filled(restored: &Restored, json: bool, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if !json {
        if let Some(snapshot) = &restored.snapshot {
            printer.answer(snapshot)?;
        }
        printer.note(format_args!("{} rows were written and read back", restored.n_rows));
    }
    end(restored, &restored.copied, json, printer)
}

/// What was copied, and a failure if something could not be.
fn end(all: &impl Serialize, copied: &Copied, json: bool, printer: &Printer) -> anyhow::Result<ExitStatus> {
    if json {
        printer.answer_json(all)?;
    } else {
        let Copied { n_copied, copied_bytes, n_there, .. } = copied;
        printer.note(format_args!(
            "{n_copied} stored files of {copied_bytes} bytes were copied, {n_there} were there already"
        ));
    }
    for (sha256, reason) in &copied.lost {
        printer.warning(format_args!("{sha256} could not be copied: {reason}"));
    }
    if copied.lost.is_empty() {
        return Ok(ExitStatus::Success);
    }
    printer.note("all else was copied; `reenact admin fsck` says which files of which repositories are hit");
    Ok(ExitStatus::Failure)
}

fn show(transfer: &Transfer, step: Step) {
    match step {
        Step::Begun { n_objects, n_bytes } => transfer.begin(n_objects, n_bytes),
        Step::Copied { n_bytes } => transfer.advance(n_bytes),
        Step::WasThere { n_bytes } => transfer.is_there(n_bytes),
    }
}

fn target(target: &Target) -> anyhow::Result<Settings> {
    let Target { place, storage } = target;
    let typed =
        [("data", place.data.as_ref()), ("database", place.database.as_ref()), ("storage", storage.as_ref())];
    let environment = |name: &str| std::env::var(name).ok();
    Ok(Settings::load(&said(typed), environment, place.config.as_deref())?)
}

fn said<'a>(typed: impl IntoIterator<Item = (&'a str, Option<&'a String>)>) -> BTreeMap<String, String> {
    typed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clone()))).collect()
}
