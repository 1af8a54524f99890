//! `reenact endpoints`: list, show, stop, logs.

use spec::api::Endpoint;

use crate::args::remote::{
    Endpoints, EndpointsAction, EndpointsList, EndpointsLogs, EndpointsShow, EndpointsStop,
};
use crate::commands::ExitStatus;
use crate::printer::Printer;
use crate::settings;
use crate::table::Table;

/// Digits of a revision that are enough for a person.
const SHORT: usize = 12;

pub async fn run(args: Endpoints, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action.unwrap_or(EndpointsAction::List(args.list)) {
        EndpointsAction::List(args) => list(args, printer).await,
        EndpointsAction::Show(args) => show(args, printer).await,
        EndpointsAction::Stop(args) => stop(args, printer).await,
        EndpointsAction::Logs(args) => logs(args, printer).await,
    }
}

async fn list(args: EndpointsList, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let endpoints = client::api::endpoints(&client).await?;
    if args.json {
        printer.answer_json(&endpoints)?;
        return Ok(ExitStatus::Success);
    }
    if endpoints.is_empty() {
        printer.note("no endpoints; `reenact deploy OWNER/NAME` makes one");
        return Ok(ExitStatus::Success);
    }
    let mut table = Table::new(["MODEL", "STATE", "REVISION", "ADDRESS"]);
    for endpoint in endpoints {
        let revision = endpoint.revision.chars().take(SHORT).collect();
        table.push(vec![endpoint.repository, endpoint.state.as_str().to_owned(), revision, endpoint.url]);
    }
    printer.answer_table(&table)?;
    Ok(ExitStatus::Success)
}

async fn show(args: EndpointsShow, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let endpoint = client::api::endpoint(&client, &args.model).await?;
    match args.json {
        true => printer.answer_json(&endpoint)?,
        false => describe(&endpoint, printer)?,
    }
    Ok(ExitStatus::Success)
}

fn describe(endpoint: &Endpoint, printer: &Printer) -> anyhow::Result<()> {
    let lines = [
        ("model", endpoint.repository.as_str()),
        ("state", endpoint.state.as_str()),
        ("reason", &endpoint.reason),
        ("revision", &endpoint.revision),
        ("weights", endpoint.weights.as_deref().unwrap_or_default()),
        ("endpoint", &endpoint.url),
        ("web app", &endpoint.try_url),
        ("created", &endpoint.created),
        ("updated", &endpoint.updated),
    ];
    for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
        printer.answer(format_args!("{name:<10} {value}"))?;
    }
    Ok(())
}

async fn stop(args: EndpointsStop, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    client::api::stop(&client, &args.model).await?;
    printer.note(format_args!("the endpoint of {} is stopped", args.model));
    Ok(ExitStatus::Success)
}

async fn logs(args: EndpointsLogs, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    for line in client::api::logs(&client, &args.model).await? {
        printer.answer(line)?;
    }
    Ok(ExitStatus::Success)
}
