//! `reenact app`: start, stop, show, read the log.

use std::time::{Duration, Instant};

use client::http::Client;
use spec::api::{App as Told, EndpointState, StartApp};
use spec::app::Sdk;
use spec::name::RepositoryName;

use crate::args::apps::{App, AppAction, AppShow, AppStart};
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::printer::Printer;
use crate::settings;

/// How often the state is asked for: an app takes seconds to start, its environment minutes to build.
const WAIT: Duration = Duration::from_millis(500);
/// Lines of its log that are shown when it fails.
const LOG_TAIL: usize = 20;

pub async fn run(args: App, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action {
        AppAction::Start(args) => start(args, printer).await?,
        AppAction::Show(args) => show(args, printer).await?,
        AppAction::Stop(args) => {
            let client = settings::connect(&args.of.server)?;
            client::apps::stop(&client, &args.of.model).await?;
            printer.note(format_args!("the app of {} is stopped", args.of.model));
        }
        AppAction::Logs(args) => {
            let client = settings::connect(&args.of.server)?;
            for line in client::apps::logs(&client, &args.of.model).await? {
                printer.answer(line)?;
            }
        }
    }
    Ok(ExitStatus::Success)
}

async fn start(args: AppStart, printer: &Printer) -> anyhow::Result<()> {
    let client = settings::connect(&args.server)?;
    let repository = &args.model.repository;
    let wanted = StartApp { revision: args.model.revision.clone() };
    let mut app = client::apps::start(&client, repository, &wanted).await?;
    if args.wait {
        app = settled(&client, repository, app, Duration::from_secs(args.timeout)).await?;
    }
    match app.state {
        EndpointState::Failed | EndpointState::Stopped => {
            show_log(&client, repository, printer).await;
            let reason = app.reason.lines().next().filter(|line| !line.is_empty());
            let reason = reason.unwrap_or("it was stopped").to_owned();
            return Err(Error::NotLive { repository: app.repository, reason }.into());
        }
        state if !state.is_settled() => {
            printer.note(format_args!("the app is {}; --wait waits until it answers", app.state.as_str()));
        }
        _ => {}
    }
    Ok(printer.answer(&app.url)?)
}

async fn settled(
    client: &Client,
    repository: &RepositoryName,
    accepted: Told,
    patience: Duration,
) -> anyhow::Result<Told> {
    let begun = Instant::now();
    let mut app = accepted;
    while !app.state.is_settled() {
        if begun.elapsed() > patience {
            let (repository, seconds) = (repository.to_string(), patience.as_secs());
            return Err(Error::Late { repository, state: app.state.as_str(), seconds }.into());
        }
        tokio::time::sleep(WAIT).await;
        app = client::apps::get(client, repository).await?;
    }
    Ok(app)
}

/// The log is an addition to the reason: without it, the reason still stands.
async fn show_log(client: &Client, repository: &RepositoryName, printer: &Printer) {
    let lines = client::apps::logs(client, repository).await.unwrap_or_default();
    for line in lines.iter().skip(lines.len().saturating_sub(LOG_TAIL)) {
        printer.note(format_args!("  | {line}"));
    }
}

async fn show(args: AppShow, printer: &Printer) -> anyhow::Result<()> {
    let client = settings::connect(&args.of.server)?;
    let app = client::apps::get(&client, &args.of.model).await?;
    if args.json {
        return printer.answer_json(&app);
    }
    let sdk = app.sdk.map(Sdk::title).unwrap_or_default();
    let lines = [
        ("model", app.repository.as_str()),
        ("state", app.state.as_str()),
        ("reason", &app.reason),
        ("revision", &app.revision),
        ("kind", sdk),
        ("file", app.file.as_deref().unwrap_or_default()),
        ("page", &app.url),
        ("created", &app.created),
        ("updated", &app.updated),
    ];
    for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
        printer.answer(format_args!("{name:<10} {value}"))?;
    }
    Ok(())
}
