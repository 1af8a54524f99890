//! `reenact serve`: runs a server until told to stop.

use std::env;

use server::provider::Launcher;
use server::serve::{self, Ready};
use server::settings::Settings;
use tokio_util::sync::CancellationToken;

use crate::args::local::Serve;
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::logging::{self, Format};
use crate::printer::{Closed, Printer};
use crate::signals;

pub fn run(args: &Serve, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let settings = Settings::load(&args.settings.0, |name| env::var(name).ok(), args.config.as_deref())?;
    if args.print_config {
        printer.answer_text(&settings.to_toml())?;
        return Ok(ExitStatus::Success);
    }
    logging::start(&settings.log, Format::from_name(&settings.log_format))?;
    warn_where_unconfined(&settings);
    let stop = CancellationToken::new();
    signals::stop_on_signal(&stop)?;
    let mut announced = Ok(());
    serve::serve(settings, launcher()?, &stop, |ready| announced = announce(ready, printer))?;
    announced?;
    Ok(ExitStatus::Success)
}

/// Our own binary, started again for what the server does not do itself.
pub(super) fn launcher() -> Result<Launcher, Error> {
    let program =
        env::current_exe().map_err(|source| Error::Program { program: "reenact".into(), source })?;
    Ok(Launcher { program })
}

fn announce(ready: &Ready, printer: &Printer) -> Result<(), Closed> {
    printer.answer(format_args!("reenact is listening on {}", ready.url))?;
    match &ready.sign_in_url {
        Some(url) => printer.answer(format_args!("sign in as admin: {url}")),
        None => Ok(()),
    }
}

fn warn_where_unconfined(settings: &Settings) {
    let report = sandbox::probe();
    for (layer, standing) in report.gaps() {
        tracing::info!("sandbox: the layer `{layer}` is {standing}");
    }
    if !report.holds_foreign_code() && settings.unsandboxed != "allow" {
        tracing::warn!("this kernel cannot confine a model, and so no endpoint will start");
    }
}
