//! Trains, pushes, deploys and asks the demo's models: by the Python package, as any user would.

use std::env;
use std::process::Stdio;

use client::secret::Secret;
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{ChildStderr, Command};

use crate::commands::demo::Shown;
use crate::commands::demo::place::OWNER;
use crate::error::Error;
use crate::printer::{Closed, Printer};

/// Lines of Python's last words that are shown when it fails.
const LAST_WORDS: usize = 15;

/// What the package says of a model, in one line of JSON.
#[derive(Debug, Deserialize)]
pub(super) struct Model {
    pub(super) repository: String,
    page: String,
    #[serde(rename = "try")]
    web_app: String,
    endpoint: String,
    /// Share of held-out rows it gets right.
    accuracy: f64,
    prediction: String,
    expected: String,
    /// Of the one prediction, there and back.
    latency_ms: f64,
}

impl Model {
    pub(super) fn describe(&self, printer: &Printer) -> Result<(), Closed> {
        let Self { repository, page, web_app, endpoint, accuracy, prediction, expected, latency_ms } = self;
        printer
            .answer(format_args!("\n{repository}: right on {:.1} % of held-out rows", accuracy * 100.0))?;
        printer.answer(format_args!("  page        {page}"))?;
        printer.answer(format_args!("  web app     {web_app}"))?;
        printer.answer(format_args!("  endpoint    {endpoint}"))?;
        printer.answer(format_args!(
            "  asked once  it answers `{prediction}` in {latency_ms:.1} ms; `{expected}` is right"
        ))
    }
}

/// Has the package make the models, and tells of each as soon as it is live. Ends early when told to stop.
pub(super) async fn train(
    demo: &Shown<'_>,
    token: &Secret,
    mut tell: impl FnMut(&Model) -> anyhow::Result<()>,
) -> anyhow::Result<Vec<Model>> {
    let python = demo.environment.python();
    let failed = |source| Error::Program { program: python.display().to_string(), source };
    let mut child = command(demo, token).map_err(failed)?.spawn().map_err(failed)?;
    let stdout = child.stdout.take().map(BufReader::new);
    let complaints = tokio::spawn(read_all(child.stderr.take()));
    let mut models = Vec::new();
    if let Some(stdout) = stdout {
        let mut lines = stdout.lines();
        loop {
            let line = tokio::select! {
                line = lines.next_line() => line.map_err(failed)?,
                // The child ends with its handle.
                () = demo.stop.cancelled() => return Ok(models),
            };
            let Some(line) = line else { break };
            let model = serde_json::from_str(&line).map_err(|source| Error::DemoLine { line, source })?;
            tell(&model)?;
            models.push(model);
        }
    }
    let status = child.wait().await.map_err(failed)?;
    let complaints = complaints.await.unwrap_or_default();
    match status.success() || demo.stop.is_cancelled() {
        true => Ok(models),
        false => {
            Err(Error::ProgramFailed { operation: "make the models", last_words: last_lines(&complaints) }
                .into())
        }
    }
}

fn command(demo: &Shown<'_>, token: &Secret) -> std::io::Result<Command> {
    let url = &demo.running.ready.url;
    let mut command = Command::new(demo.environment.python());
    command.args(["-m", "reenact._demo", "--url", url, "--owner", OWNER]);
    command.env("PYTHONPATH", &demo.environment.package).env("REENACT_BINARY", env::current_exe()?);
    // Whatever other server the user is signed in to stays out of it.
    command
        .env("REENACT_URL", url)
        .env("REENACT_TOKEN", token.reveal())
        .env("REENACT_HOME", &demo.place.settings.data);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

async fn read_all(stderr: Option<ChildStderr>) -> String {
    let mut text = Vec::new();
    if let Some(mut stderr) = stderr {
        // What was read until it broke off is better than nothing.
        let _ = stderr.read_to_end(&mut text).await;
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST_WORDS)..].join("\n")
}
