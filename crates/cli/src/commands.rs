//! The commands: each a function `(arguments, printer) -> Result<ExitStatus>` in a file of its own.
//!
//! Knows which command is meant, and makes the threads that it runs on.

mod admin;
mod apps;
mod attest;
mod build_environment;
mod cache;
mod capsules;
mod completions;
mod demo;
mod deploy;
mod doctor;
mod endpoints;
mod grant;
mod info;
mod launch;
mod login;
mod org;
mod predict;
mod pull;
mod push;
mod receipt;
mod record;
mod reference;
mod replay;
mod run_app;
mod runs;
mod runtime;
mod serve;
mod setup;
mod share;
mod sign;
mod token;
mod variance;
mod verify;
mod webhook;
mod worker;

use std::process::ExitCode;

use anyhow::Context;
use client::error::Error as ClientError;
use client::http::Client;
use spec::name::{RepositoryAt, RepositoryKind};

use crate::args::Command;
use crate::printer::Printer;

/// How the process ends. Wrong usage ends it with 2, which the parser of arguments sees to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    Success,
    Failure,
    /// As another command ended, or with a code that says more than failure.
    Of(u8),
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        match status {
            ExitStatus::Success => Self::from(0),
            ExitStatus::Failure => Self::from(1),
            ExitStatus::Of(code) => Self::from(code),
        }
    }
}

/// Runs a command.
pub fn run(command: Command, printer: &Printer) -> anyhow::Result<ExitStatus> {
    match command {
        Command::Completions(args) => completions::run(&args, printer),
        Command::Reference(args) => reference::run(&args, printer),
        Command::Serve(args) => serve::run(&args, printer),
        Command::Admin(args) => wait_for(admin::run(args, printer)),
        Command::Setup(_) => setup::run(printer),
        Command::Demo(args) => demo::run(&args, printer),
        Command::Record(args) => record::run(&args, printer),
        Command::Replay(args) => replay::run(&args, printer),
        Command::Attest(args) => attest::run(&args, printer),
        Command::Sign(args) => sign::run(&args, printer),
        Command::Verify(args) => verify::run(&args, printer),
        Command::Runs(args) => runs::run(&args, printer),
        Command::Doctor(args) => doctor::run(&args, printer),
        Command::Variance(args) => variance::run(&args, printer),
        Command::Launch(args) => launch::run(args),
        Command::Runtime(args) => runtime::run(args),
        Command::Worker(args) => worker::run(args),
        Command::RunApp(args) => run_app::run(&args),
        Command::BuildEnvironment(args) => build_environment::run(&args, printer),
        Command::Push(args) => wait_for(push::run(args, printer)),
        Command::Pull(args) => wait_for(pull::run(args, printer)),
        Command::Cache(args) => cache::run(args, printer),
        Command::Info(args) => wait_for(info::run(args, printer)),
        Command::Deploy(args) => wait_for(deploy::run(args, printer)),
        Command::Predict(args) => wait_for(predict::run(args, printer)),
        Command::Endpoints(args) => wait_for(endpoints::run(args, printer)),
        Command::App(args) => wait_for(apps::run(args, printer)),
        Command::Share(args) => wait_for(share::run(args, printer)),
        Command::Grant(args) => wait_for(grant::give(args, printer)),
        Command::Revoke(args) => wait_for(grant::take_back(args, printer)),
        Command::Org(args) => wait_for(org::run(args, printer)),
        Command::Token(args) => wait_for(token::run(args, printer)),
        Command::Receipt(args) => wait_for(receipt::run(args, printer)),
        Command::Webhook(args) => wait_for(webhook::run(args, printer)),
        Command::Login(args) => wait_for(login::run(args, printer)),
    }
}

/// Runs what talks to a server: one thread is enough for one command.
fn wait_for<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("could not start the threads that talk to the server")?.block_on(work)
}

/// Looks a repository up as a model, then as a data set: a person names it without saying which.
async fn look_up(client: &Client, at: &RepositoryAt) -> Result<spec::api::Repository, ClientError> {
    let revision = at.revision.as_deref();
    match client::api::repository(client, RepositoryKind::Model, &at.repository, revision).await {
        Err(unknown) if unknown.is_unknown_repository() => {
            let second =
                client::api::repository(client, RepositoryKind::Dataset, &at.repository, revision).await;
            second.map_err(|error| if error.is_unknown_repository() { unknown } else { error })
        }
        found => found,
    }
}
