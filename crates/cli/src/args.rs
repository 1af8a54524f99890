//! What can be typed, as it is typed: names, help and examples, and nothing of what it means.
//!
//! Invariant: whatever has a form of its own is parsed here, so that a name that cannot be right is refused
//! before anything is sent.

pub mod apps;
pub mod copies;
pub mod endpoints;
pub mod local;
pub mod receipts;
pub mod remote;
pub mod reproducing;
pub mod setting;
pub mod sharing;
pub mod webhook;

use clap::{Parser, Subcommand};

/// Share machine-learning models: push, page, live endpoint, web app
#[derive(Debug, Parser)]
#[command(name = "reenact", version, about, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = "Begin with:
  reenact demo                          two models, live on this machine
  reenact serve                         a server of your own
  reenact login http://127.0.0.1:8484   sign in to one
  reenact push ./model alice/iris       share a model
  reenact deploy alice/iris --wait      put it live")]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
    /// Say only what was asked for, and errors
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

/// The commands, in the order of the help.
#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(local::Demo),
    Serve(local::Serve),
    Login(remote::Login),
    Push(remote::Push),
    Pull(remote::Pull),
    Cache(remote::Cache),
    Info(remote::Info),
    Deploy(remote::Deploy),
    Predict(remote::Predict),
    Endpoints(endpoints::Endpoints),
    App(apps::App),
    Record(reproducing::Record),
    Replay(reproducing::Replay),
    Verify(reproducing::Verify),
    Attest(reproducing::Attest),
    Sign(reproducing::Sign),
    Runs(reproducing::Runs),
    Doctor(reproducing::Doctor),
    Variance(reproducing::Variance),
    Share(sharing::Share),
    Grant(sharing::Grant),
    Revoke(sharing::Revoke),
    Org(sharing::Org),
    Token(sharing::Token),
    Receipt(receipts::Receipt),
    Webhook(webhook::Webhook),
    Admin(local::Admin),
    Setup(local::Setup),
    Completions(local::Completions),
    #[command(hide = true)]
    Launch(reproducing::Launch),
    #[command(hide = true)]
    Runtime(local::Runtime),
    #[command(hide = true)]
    Worker(local::Worker),
    #[command(hide = true)]
    RunApp(local::RunApp),
    #[command(hide = true)]
    BuildEnvironment(local::BuildEnvironment),
    #[command(hide = true)]
    Reference(local::Reference),
}
