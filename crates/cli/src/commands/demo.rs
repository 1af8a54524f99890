//! `reenact demo`: a server, two models trained, pushed and live, with no account and no argument.
//!
//! Invariant: however it ends, its server is stopped in order, and a temporary folder is removed.

mod models;
mod place;
mod running;

use client::credentials::Server;
use client::http::Client;
use tokio_util::sync::CancellationToken;

use crate::args::local::Demo;
use crate::commands::demo::models::Model;
use crate::commands::demo::place::Place;
use crate::commands::demo::running::Running;
use crate::commands::{ExitStatus, wait_for};
use crate::environment;
use crate::error::Error;
use crate::logging::{self, Format};
use crate::printer::Printer;
use crate::signals;

pub fn run(args: &Demo, printer: &Printer) -> anyhow::Result<ExitStatus> {
    logging::start("error", Format::Text)?;
    let stop = CancellationToken::new();
    signals::stop_on_signal(&stop)?;
    let place = Place::new(args.data.as_deref())?;
    let environment = environment::ensure(printer)?;
    let running = Running::start(&place, &stop)?;
    let demo = Shown { place: &place, environment: &environment, running: &running, stop: &stop };
    let outcome = wait_for(show(&demo, args.once, printer));
    stop.cancel();
    running.join()?;
    outcome
}

/// All that a running demo consists of.
struct Shown<'a> {
    place: &'a Place,
    environment: &'a environment::Environment,
    running: &'a Running,
    stop: &'a CancellationToken,
}

async fn show(demo: &Shown<'_>, is_check: bool, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let url = &demo.running.ready.url;
    printer.answer(format_args!("the server of the demo listens on {url}"))?;
    let token = demo.place.token().await?;
    printer.note("training two models on data that ships with scikit-learn, pushing and deploying them");
    let models = models::train(demo, &token, |model| Ok(model.describe(printer)?)).await?;
    if demo.stop.is_cancelled() {
        return Ok(ExitStatus::Success);
    }
    if models.is_empty() {
        return Err(Error::DemoModels.into());
    }
    if is_check {
        check(url, &models, printer).await?;
        return Ok(ExitStatus::Success);
    }
    let link = demo.place.sign_in_link().await?;
    printer.answer(format_args!(
        "\nopen {url}/ to look around; {url}{link} signs you in as their owner, once"
    ))?;
    printer.answer("Ctrl-C ends the demo")?;
    demo.stop.cancelled().await;
    printer.note("ending");
    Ok(ExitStatus::Success)
}

/// Whether health, front page, and each model's page, web app and endpoint answer.
async fn check(url: &str, models: &[Model], printer: &Printer) -> anyhow::Result<()> {
    let client = Client::new(&Server { url: client::credentials::parse_url(url)?, token: None })?;
    let mut paths = vec!["/healthz".to_owned(), "/".to_owned()];
    for Model { repository, .. } in models {
        let own =
            [format!("/{repository}"), format!("/{repository}/try"), format!("/endpoints/{repository}/ping")];
        paths.extend(own);
    }
    for path in &paths {
        let status = client::api::page_status(&client, path).await?.as_u16();
        if status != 200 {
            return Err(Error::DemoCheck { path: path.clone(), status }.into());
        }
    }
    printer.answer(format_args!("checked: {} addresses answer 200", paths.len()))?;
    Ok(())
}
