//! `reenact share`: links to a model, with or without its owner's name.

use spec::api::{CreatedLink, Link, LinkChange, LinkUse, NewLink};

use crate::args::remote::Server;
use crate::args::sharing::{
    Allow, Share, ShareAction, ShareExtend, ShareList, ShareNew, ShareRevoke, ShareShow,
};
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::printer::Printer;
use crate::settings;
use crate::table::Table;

pub async fn run(args: Share, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action {
        None => create(args.new, printer).await,
        Some(ShareAction::List(args)) => list(args, printer).await,
        Some(ShareAction::Show(args)) => show(args, printer).await,
        Some(ShareAction::Extend(args)) => extend(args, printer).await,
        Some(ShareAction::Revoke(args)) => revoke(args, printer).await,
    }
}

async fn create(args: ShareNew, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let model = args.model.ok_or(Error::NoModel)?;
    let client = settings::connect(&args.server)?;
    let new = NewLink {
        revision: model.revision,
        anonymous: args.anonymous,
        hide: args.hide,
        expires: args.expires,
        calls: args.calls,
        calls_per_minute: args.rate,
        round: args.round,
        top_k: args.top_k,
        files: args.allow == Allow::Files,
        dry_run: args.dry_run,
    };
    let made = client::sharing::create_link(&client, &model.repository, &new).await?;
    if args.json {
        printer.answer_json(&made)?;
        return Ok(ExitStatus::Success);
    }
    tell_traces(&made, args.anonymous, printer);
    if let (Some(url), Some(link)) = (&made.url, &made.link) {
        printer.answer(url)?;
        printer.note(format_args!(
            "link {} leads to revision {}; `reenact share revoke {}` ends it",
            link.id, link.revision, link.id
        ));
    }
    Ok(ExitStatus::Success)
}

/// What the owner should know before they send the link on.
fn tell_traces(made: &CreatedLink, is_anonymous: bool, printer: &Printer) {
    if is_anonymous && made.traces.is_empty() {
        printer.note("nothing that is shown tells whose it is, as far as this server knows your names");
    }
    for trace in &made.traces {
        let what = match (trace.hidden, trace.shown) {
            (true, _) => "hidden",
            (_, true) => "shown",
            _ => "not given",
        };
        match trace.word.as_str() {
            "" => printer.note(format_args!("{what}: {}", trace.place)),
            word => printer.note(format_args!("{what}: `{word}` in {}", trace.place)),
        }
    }
}

async fn list(args: ShareList, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let links = client::sharing::links(&client, args.model.as_ref()).await?;
    if args.json {
        printer.answer_json(&links)?;
        return Ok(ExitStatus::Success);
    }
    if links.is_empty() {
        printer.note("no links; `reenact share OWNER/NAME` makes one");
        return Ok(ExitStatus::Success);
    }
    let mut table = Table::new(["LINK", "MODEL", "STATE", "CALLS", "EXPIRES", "ANONYMOUS"]);
    for link in links {
        let calls = calls(&link);
        let anonymous = if link.anonymous { "yes" } else { "no" };
        let expires = expires(&link);
        table.push(vec![
            link.id.to_string(),
            link.repository,
            link.state,
            calls,
            expires,
            anonymous.to_owned(),
        ]);
    }
    printer.answer_table(&table)?;
    Ok(ExitStatus::Success)
}

async fn show(args: ShareShow, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let link = client::sharing::link(&client, args.id).await?;
    if args.json {
        printer.answer_json(&link)?;
        return Ok(ExitStatus::Success);
    }
    let number = |n: Option<i64>| n.map(|n| n.to_string()).unwrap_or_default();
    let lines = [
        ("model", link.repository.clone()),
        ("revision", link.revision.clone()),
        ("state", link.state.clone()),
        ("allows", link.action.to_string()),
        ("anonymous", if link.anonymous { "yes" } else { "no" }.to_owned()),
        ("expires", link.expires.clone().unwrap_or_else(|| "never".to_owned())),
        ("calls", calls(&link)),
        ("different", link.asked.as_ref().map(asked).unwrap_or_default()),
        ("a minute", number(link.calls_per_minute)),
        ("rounded to", number(link.round)),
        ("classes", number(link.top_k)),
        ("created", link.created.clone()),
        ("last used", link.last_used.clone().unwrap_or_else(|| "never".to_owned())),
    ];
    if let Some(warning) = link.asked.as_ref().and_then(|asked| asked.warning.as_ref()) {
        printer.warning(warning);
    }
    for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
        printer.answer(format_args!("{name:<10} {value}"))?;
    }
    Ok(ExitStatus::Success)
}

async fn extend(args: ShareExtend, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let change = LinkChange { expires: args.expires, calls: args.calls };
    let link = client::sharing::change_link(&client, args.id, &change).await?;
    let expires = link.expires.as_deref().unwrap_or("never");
    printer.note(format_args!("link {} ends {expires}, with {} calls", link.id, calls(&link)));
    Ok(ExitStatus::Success)
}

async fn revoke(args: ShareRevoke, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let server: &Server = &args.server;
    client::sharing::revoke_link(&settings::connect(server)?, args.id).await?;
    printer.note(format_args!("link {} no longer works", args.id));
    Ok(ExitStatus::Success)
}

/// The day of its end, and a mark while that is near.
fn expires(link: &Link) -> String {
    let day = link.expires.as_deref().map_or("never", |end| end.get(..10).unwrap_or(end));
    match link.ends_in_days {
        Some(1) => format!("{day} [ends in 1 day]"),
        Some(days) => format!("{day} [ends in {days} days]"),
        None => day.to_owned(),
    }
}

fn asked(asked: &LinkUse) -> String {
    let LinkUse { rows, distinct, busiest_hour, .. } = asked;
    format!("about {distinct} of {rows} rows in 30 days, up to {busiest_hour} in an hour")
}

fn calls(link: &Link) -> String {
    match link.max_calls {
        Some(most) => format!("{} of {most}", link.calls),
        None => link.calls.to_string(),
    }
}
