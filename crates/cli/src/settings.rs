//! What the arguments mean, together with the environment and the credentials file.
//!
//! The only place of the command line that reads the environment for whom to talk to and where things are
//! kept. Invariant: what was typed wins over what is set, which wins over what was remembered.

use std::env;
use std::path::PathBuf;

use client::cache::Cache;
use client::credentials::{self, Credentials, Server, Source, Sources};
use client::http::Client;
use client::secret::Secret;
use server::settings::Bytes;

use crate::args::remote;
use crate::environment;
use crate::error::Error;

/// Bytes that pulls keep where nobody says otherwise.
const CACHE_LIMIT: Bytes = Bytes(20 << 30);

/// A connection to the server that is meant.
pub fn connect(args: &remote::Server) -> anyhow::Result<Client> {
    Ok(Client::new(&server(args)?)?)
}

/// Where tokens are kept.
pub fn credentials_path() -> anyhow::Result<PathBuf> {
    let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    Ok(credentials::file_path(folder("REENACT_HOME").as_deref(), folder("HOME").as_deref())?)
}

/// Where capsules are kept that were given no folder of their own, and where the others are remembered.
pub fn runs_folder() -> anyhow::Result<PathBuf> {
    let folder = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let own = || folder("HOME").map(|home| home.join(".local/share/reenact"));
    Ok(folder("REENACT_HOME").or_else(own).ok_or(Error::NoRuns)?.join("runs"))
}

/// What pulls keep, and how much of it.
pub fn cache() -> anyhow::Result<Cache> {
    let limit = env::var("REENACT_CACHE_LIMIT").ok().filter(|value| !value.trim().is_empty());
    let limit = match limit {
        Some(text) => text.trim().parse::<Bytes>().map_err(|_| Error::CacheLimit(text))?,
        None => CACHE_LIMIT,
    };
    Ok(Cache::new(environment::cache()?.join("files"), limit.0))
}

fn server(args: &remote::Server) -> anyhow::Result<Server> {
    let sources = Sources {
        flags: Source { url: args.url.clone(), token: args.token.as_deref().map(Secret::new) },
        own: variables("REENACT_URL", "REENACT_TOKEN"),
        hub: variables("HF_ENDPOINT", "HF_TOKEN"),
    };
    let credentials = Credentials::load(&credentials_path()?)?;
    Ok(credentials::resolve(&sources, &credentials)?)
}

fn variables(url: &str, token: &str) -> Source {
    let set = |name| env::var(name).ok().filter(|value| !value.trim().is_empty());
    Source { url: set(url), token: set(token).as_deref().map(Secret::new) }
}
