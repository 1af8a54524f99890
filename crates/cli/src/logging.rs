//! Where log lines go: to the standard error, as text or as JSON.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::error::Error;

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

impl Format {
    /// The format of this name; text for whatever else.
    pub fn from_name(name: &str) -> Self {
        if name == "json" { Self::Json } else { Self::Text }
    }
}

/// Starts writing what passes `filter`: a level, or targets with levels.
pub fn start(filter: &str, format: Format) -> Result<(), Error> {
    let parsed = EnvFilter::try_new(filter);
    let filter = parsed.map_err(|source| Error::LogFilter { value: filter.to_owned(), source })?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(false);
    match format {
        Format::Text => lines.init(),
        Format::Json => lines.json().init(),
    }
    Ok(())
}
