//! `reenact cache`: what pulls have kept.

use std::time::SystemTime;

use client::cache::{Listed, Pruned, Verified};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::args::remote::{Cache, CacheAction, CacheList, CachePrune, CacheVerify};
use crate::commands::ExitStatus;
use crate::printer::Printer;
use crate::settings;
use crate::table::Table;

pub fn run(args: Cache, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action {
        CacheAction::List(args) => list(&args, printer),
        CacheAction::Prune(args) => prune(&args, printer),
        CacheAction::Verify(args) => verify(&args, printer),
    }
}

fn list(args: &CacheList, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let listed = settings::cache()?.list()?;
    if args.json {
        printer.answer_json(&listed.iter().map(described).collect::<Vec<Value>>())?;
        return Ok(ExitStatus::Success);
    }
    let mut table = Table::new(["REPOSITORY", "REVISION", "REFS", "FILES KEPT", "BYTES KEPT", "LAST USED"]);
    for listed in &listed {
        let Listed { listing, refs, n_files, n_kept, kept_bytes, .. } = listed;
        table.push(vec![
            format!("{}{}", listing.kind.web_prefix(), listing.repository),
            listing.revision.to_string().chars().take(12).collect(),
            refs.join(", "),
            format!("{n_kept} of {n_files}"),
            kept_bytes.to_string(),
            used(listed).unwrap_or_else(|| "never".to_owned()),
        ]);
    }
    printer.answer_table(&table)?;
    Ok(ExitStatus::Success)
}

/// With the names that the Hub's own command gives to the same things.
fn described(listed: &Listed) -> Value {
    let Listed { listing, refs, n_files, n_kept, size_bytes, kept_bytes, .. } = listed;
    json!({
        "server": listing.server,
        "repo_id": listing.repository,
        "repo_type": listing.kind,
        "revision": listing.revision,
        "refs": refs,
        "size": size_bytes,
        "files": n_files,
        "kept_files": n_kept,
        "kept_bytes": kept_bytes,
        "last_accessed": used(listed),
    })
}

fn used(listed: &Listed) -> Option<String> {
    let used = listed.last_accessed.unwrap_or(SystemTime::UNIX_EPOCH);
    let used = OffsetDateTime::from(used).replace_nanosecond(0).ok()?;
    listed.last_accessed.and_then(|_| used.format(&Rfc3339).ok())
}

fn prune(args: &CachePrune, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let cache = settings::cache()?;
    let limit = args.to.map_or(cache.limit(), |to| to.0);
    let Pruned { n_files, n_bytes, n_left, left_bytes } = cache.prune(limit, args.dry_run)?;
    if args.json {
        let told = json!({
            "removed_files": n_files,
            "removed_bytes": n_bytes,
            "kept_files": n_left,
            "kept_bytes": left_bytes,
            "dry_run": args.dry_run,
        });
        printer.answer_json(&told)?;
        return Ok(ExitStatus::Success);
    }
    let verb = if args.dry_run { "would remove" } else { "removed" };
    printer.answer(format_args!(
        "{verb} {n_files} files of {n_bytes} bytes; {n_left} files of {left_bytes} bytes are kept"
    ))?;
    Ok(ExitStatus::Success)
}

fn verify(args: &CacheVerify, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let Verified { n_files, n_bytes, damaged } = settings::cache()?.verify()?;
    if args.json {
        let told = json!({ "files": n_files, "bytes": n_bytes, "damaged": damaged });
        printer.answer_json(&told)?;
    } else {
        printer.answer(format_args!(
            "read {n_files} files of {n_bytes} bytes; {} were damaged",
            damaged.len()
        ))?;
        for digest in &damaged {
            printer.answer(format_args!("removed {digest}"))?;
        }
    }
    Ok(if damaged.is_empty() { ExitStatus::Success } else { ExitStatus::Failure })
}
