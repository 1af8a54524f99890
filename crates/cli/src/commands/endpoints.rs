//! `reenact endpoints`: list, show, deal out, set, watch, stop.

use client::http::Client;
use serde_json::Value;
use spec::api::{Endpoint, EndpointChange, NewTarget, NewTargets};

use crate::args::endpoints::{
    Endpoints, EndpointsAction, EndpointsList, EndpointsLogs, EndpointsMetrics, EndpointsRequests,
    EndpointsSet, EndpointsShow, EndpointsTraffic, Which,
};
use crate::commands::ExitStatus;
use crate::printer::Printer;
use crate::settings;
use crate::table::Table;

/// Digits of a revision that are enough for a person.
const SHORT: usize = 12;

pub async fn run(args: Endpoints, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match args.action.unwrap_or(EndpointsAction::List(args.list)) {
        EndpointsAction::List(args) => list(args, printer).await?,
        EndpointsAction::Show(args) => show(args, printer).await?,
        EndpointsAction::Traffic(args) => traffic(args, printer).await?,
        EndpointsAction::Promote(args) => {
            let (client, model) = connect(&args.which)?;
            describe(&client::api::promote(&client, model).await?, printer)?;
        }
        EndpointsAction::Rollback(args) => {
            let (client, model) = connect(&args.which)?;
            describe(&client::api::roll_back(&client, model).await?, printer)?;
        }
        EndpointsAction::Set(args) => set(args, printer).await?,
        EndpointsAction::Metrics(args) => metrics(args, printer).await?,
        EndpointsAction::Requests(args) => requests(args, printer).await?,
        EndpointsAction::Logs(args) => logs(args, printer).await?,
        EndpointsAction::Stop(args) => {
            let (client, model) = connect(&args.which)?;
            client::api::stop(&client, model).await?;
            printer.note(format_args!("the endpoint of {model} is stopped"));
        }
    }
    Ok(ExitStatus::Success)
}

fn connect(which: &Which) -> anyhow::Result<(Client, &spec::name::RepositoryName)> {
    Ok((settings::connect(&which.server)?, &which.model))
}

async fn list(args: EndpointsList, printer: &Printer) -> anyhow::Result<()> {
    let client = settings::connect(&args.server)?;
    let endpoints = client::api::endpoints(&client).await?;
    if args.json {
        return printer.answer_json(&endpoints);
    }
    if endpoints.is_empty() {
        printer.note("no endpoints; `reenact deploy OWNER/NAME` makes one");
        return Ok(());
    }
    let mut table = Table::new(["MODEL", "STATE", "REVISION", "ADDRESS"]);
    for endpoint in endpoints {
        let revision = short(&endpoint.revision);
        table.push(vec![endpoint.repository, endpoint.state.as_str().to_owned(), revision, endpoint.url]);
    }
    Ok(printer.answer_table(&table)?)
}

async fn show(args: EndpointsShow, printer: &Printer) -> anyhow::Result<()> {
    let (client, model) = connect(&args.which)?;
    let endpoint = client::api::endpoint(&client, model).await?;
    match args.json {
        true => printer.answer_json(&endpoint),
        false => describe(&endpoint, printer),
    }
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
    for target in &endpoint.targets {
        let (revision, state) = (short(&target.revision), target.state.as_str());
        let (percent, n) = (target.percent, target.replicas);
        printer.answer(format_args!("{:<10} {revision} {percent:>3} %  {state}, runtimes: {n}", "target"))?;
    }
    let options = &endpoint.options;
    let limits = format!(
        "min_replicas={} max_replicas={} concurrency={} request_timeout={} load_timeout={} idle_after={} \
         memory={} log_sample={}",
        options.min_replicas,
        options.max_replicas,
        options.concurrency,
        options.request_timeout,
        options.load_timeout,
        options.idle_after,
        options.memory.replace(' ', ""),
        options.log_sample
    );
    Ok(printer.answer(format_args!("{:<10} {limits}", "limits"))?)
}

async fn traffic(args: EndpointsTraffic, printer: &Printer) -> anyhow::Result<()> {
    let (client, model) = connect(&args.which)?;
    let targets =
        args.shares.into_iter().map(|(revision, percent)| NewTarget { revision, percent }).collect();
    describe(&client::api::set_targets(&client, model, &NewTargets { targets }).await?, printer)
}

async fn set(args: EndpointsSet, printer: &Printer) -> anyhow::Result<()> {
    let (client, model) = connect(&args.which)?;
    let options = args.options.into_iter().map(|(key, value)| (key, Value::String(value))).collect();
    describe(&client::api::set_endpoint(&client, model, &EndpointChange(options)).await?, printer)
}

async fn metrics(args: EndpointsMetrics, printer: &Printer) -> anyhow::Result<()> {
    let (client, model) = connect(&args.which)?;
    let metrics = client::api::endpoint_metrics(&client, model).await?;
    if args.json {
        return printer.answer_json(&metrics);
    }
    let ms = |s: Option<f64>| s.map_or_else(|| "-".to_owned(), |s| format!("{:.1} ms", s * 1e3));
    let mut table = Table::new(["MINUTE", "REQUESTS", "ERRORS", "P50", "P95", "COLD STARTS", "CPU"]);
    for minute in metrics.minutes {
        table.push(vec![
            // Hours and minutes of an RFC 3339 time.
            minute.from.get(11..16).unwrap_or_default().to_owned(),
            minute.requests.to_string(),
            minute.errors.to_string(),
            ms(minute.p50_s),
            ms(minute.p95_s),
            minute.cold_starts.to_string(),
            format!("{:.2} s", minute.cpu_s),
        ]);
    }
    Ok(printer.answer_table(&table)?)
}

async fn requests(args: EndpointsRequests, printer: &Printer) -> anyhow::Result<()> {
    let (client, model) = connect(&args.which)?;
    let requests = client::api::recorded_requests(&client, model, args.limit).await?;
    if args.json {
        return printer.answer_json(&requests);
    }
    if requests.is_empty() {
        printer.note(
            "no requests were recorded; `reenact endpoints set OWNER/NAME log_sample=0.1` records some",
        );
    }
    for request in requests {
        let (at, revision, ms) = (&request.at, short(&request.revision), request.took_s * 1e3);
        printer.answer(format_args!("{at} {revision} {} {ms:.1} ms", request.outcome))?;
        printer.answer(format_args!("  asked    {}", request.request))?;
        printer.answer(format_args!("  answered {}", request.response))?;
    }
    Ok(())
}

async fn logs(args: EndpointsLogs, printer: &Printer) -> anyhow::Result<()> {
    let (client, model) = connect(&args.which)?;
    if args.follow {
        return Ok(client::api::follow_logs(&client, model, |line| printer.answer(line)).await??);
    }
    for line in client::api::logs(&client, model).await? {
        printer.answer(line)?;
    }
    Ok(())
}

fn short(revision: &str) -> String {
    revision.chars().take(SHORT).collect()
}
