//! `reenact deploy`: puts a model live, prints the endpoint's address.

use std::time::{Duration, Instant};

use client::http::Client;
use spec::api::{self, Endpoint, EndpointState};
use spec::name::RepositoryName;

use crate::args::remote::Deploy;
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::printer::Printer;
use crate::settings;

/// How often the state is asked for: often at first, since most models are ready in a moment.
const FIRST_WAIT: Duration = Duration::from_millis(50);
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// Lines of its log that are shown when it fails.
const LOG_TAIL: usize = 20;

pub async fn run(args: Deploy, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let repository = &args.model.repository;
    let (revision, canary) = (args.model.revision.clone(), args.canary);
    let request = api::Deploy { repository: repository.to_string(), revision, canary };
    let accepted = client::api::deploy(&client, &request).await?;
    let endpoint = match args.wait {
        true => settled(&client, repository, accepted, Duration::from_secs(args.timeout)).await?,
        false => accepted,
    };
    match endpoint.state {
        EndpointState::Failed => {
            show_log(&client, repository, printer).await;
            return Err(not_live(&endpoint).into());
        }
        EndpointState::Stopped => return Err(not_live(&endpoint).into()),
        EndpointState::Ready | EndpointState::Idle | EndpointState::Crashed => {}
        EndpointState::Pending | EndpointState::Building | EndpointState::Starting => {
            printer.note(format_args!(
                "the endpoint is {}; --wait waits until it answers",
                endpoint.state.as_str()
            ));
        }
    }
    printer.note(format_args!("web app: {}", endpoint.try_url));
    printer.answer(&endpoint.url)?;
    Ok(ExitStatus::Success)
}

async fn settled(
    client: &Client,
    repository: &RepositoryName,
    accepted: Endpoint,
    patience: Duration,
) -> anyhow::Result<Endpoint> {
    let begun = Instant::now();
    let mut endpoint = accepted;
    let mut wait = FIRST_WAIT;
    while !endpoint.state.is_settled() {
        if begun.elapsed() > patience {
            let repository = repository.to_string();
            let seconds = patience.as_secs();
            return Err(Error::Late { repository, state: endpoint.state.as_str(), seconds }.into());
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 3 / 2).min(LONGEST_WAIT);
        endpoint = client::api::endpoint(client, repository).await?;
    }
    Ok(endpoint)
}

/// The log is an addition to the reason: without it, the reason still stands.
async fn show_log(client: &Client, repository: &RepositoryName, printer: &Printer) {
    let lines = client::api::logs(client, repository).await.unwrap_or_default();
    for line in lines.iter().skip(lines.len().saturating_sub(LOG_TAIL)) {
        printer.note(format_args!("  | {line}"));
    }
}

/// The log was shown; of the reason the first line is enough.
fn not_live(endpoint: &Endpoint) -> Error {
    let reason = endpoint.reason.lines().next().filter(|line| !line.is_empty());
    Error::NotLive {
        repository: endpoint.repository.clone(),
        reason: reason.unwrap_or("it was stopped").to_owned(),
    }
}
