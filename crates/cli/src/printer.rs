//! The only home of printing.
//!
//! What was asked for goes to the standard output, everything else to the standard error. Invariants: with
//! `--quiet` only answers and errors are left; colour never says anything that words do not; nothing that
//! moves is shown where nobody watches.

mod hashing;
mod progress;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::Arc;

use ::record::run::Hashing;
use client::progress::Progress;
use serde::Serialize;

use crate::error;
use crate::table::Table;
use progress::Shown;
pub use progress::Transfer;

/// Whoever read our output has closed it.
#[derive(Debug, thiserror::Error)]
#[error("could not write to the standard output")]
pub struct Closed(#[source] pub io::Error);

/// The standard output, for what another program says.
pub fn out() -> Box<dyn Write + Send> {
    Box::new(io::stdout())
}

/// The standard error, for what another program says.
pub fn err() -> Box<dyn Write + Send> {
    Box::new(io::stderr())
}

/// Nowhere, for what another program says where only its numbers are wanted.
pub fn nowhere() -> Box<dyn Write + Send> {
    Box::new(io::sink())
}

/// For whom something is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// People.
    Text,
    /// Programs.
    Json,
}

impl Form {
    /// What `--json` asks for.
    pub fn of(is_json: bool) -> Self {
        if is_json { Self::Json } else { Self::Text }
    }
}

/// Prints. One is made in `main` and lent to every command.
#[derive(Debug)]
pub struct Printer {
    quiet: bool,
    is_watched: bool,
    has_colour: bool,
}

impl Printer {
    pub fn new(quiet: bool) -> Self {
        let is_watched = io::stderr().is_terminal();
        let has_colour = is_watched && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Self { quiet, is_watched, has_colour }
    }

    /// A line of the answer.
    pub fn answer(&self, line: impl Display) -> Result<(), Closed> {
        self.answer_text(&format!("{line}\n"))
    }

    /// A text of the answer, as it is.
    pub fn answer_text(&self, text: &str) -> Result<(), Closed> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(Closed)
    }

    /// The answer as JSON.
    pub fn answer_json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        Ok(self.answer(serde_json::to_string_pretty(value)?)?)
    }

    /// The answer as a table.
    pub fn answer_table(&self, table: &Table) -> Result<(), Closed> {
        self.answer_text(&table.to_string())
    }

    /// Something worth knowing that was not asked for.
    pub fn note(&self, line: impl Display) {
        if !self.quiet {
            self.say(&format!("{line}"));
        }
    }

    /// Something that may be wrong.
    pub fn warning(&self, line: impl Display) {
        let label = self.paint("warning", "33;1");
        self.say(&format!("{label}: {line}"));
    }

    /// Why the command failed, with every cause, and what to do next.
    pub fn failure(&self, error: &anyhow::Error) {
        let mut text = format!("{}: {error}", self.paint("error", "31;1"));
        for cause in error.chain().skip(1) {
            text.push_str(&format!("\n  caused by: {cause}"));
        }
        if let Some(hint) = error::hint(error) {
            text.push_str(&format!("\n{}: {hint}", self.paint("hint", "36;1")));
        }
        self.say(&text);
    }

    /// Shows how far a transfer is, where somebody watches and it takes long.
    pub fn progress(&self, verb: &'static str) -> Arc<dyn Progress> {
        self.transfer(verb, Form::Text)
    }

    /// The same, in either form, and the sums when it is done.
    pub fn transfer(&self, verb: &'static str, form: Form) -> Arc<Transfer> {
        let shown = match form {
            _ if self.quiet => Shown::Nothing,
            Form::Json => Shown::Lines,
            Form::Text if self.is_watched => Shown::bar(),
            Form::Text => Shown::Nothing,
        };
        Arc::new(Transfer::new(verb, shown))
    }

    /// What shows how far the hashing of a long file is: a bar where somebody watches, else a line now and then.
    pub fn hashing(&self) -> Option<Hashing> {
        match (self.quiet, self.is_watched) {
            (true, _) => None,
            (false, true) => Some(hashing::bar),
            (false, false) => Some(hashing::lines),
        }
    }

    /// The standard error may be closed too, and then there is nobody left to tell.
    fn say(&self, text: &str) {
        let mut err = io::stderr().lock();
        let _ = writeln!(err, "{text}");
    }

    fn paint(&self, word: &str, code: &str) -> String {
        if self.has_colour { format!("\x1b[{code}m{word}\x1b[0m") } else { word.to_owned() }
    }
}
