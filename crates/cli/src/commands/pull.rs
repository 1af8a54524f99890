//! `reenact pull`: brings a revision's files into a folder, prints the folder.

use std::path::PathBuf;

use client::cache::Cache;
use client::error::Error;
use client::http::Client;
use client::hub::repositories;
use client::hub::trees::{self, RemoteFile, Snapshot};
use client::pull;
use serde_json::json;
use spec::name::{RepositoryAt, RepositoryKind};

use crate::args::remote::Pull;
use crate::commands::ExitStatus;
use crate::printer::{Form, Printer};
use crate::settings;

/// The branch that is meant where none is named.
const BRANCH: &str = "main";

pub async fn run(args: Pull, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let client = settings::connect(&args.server)?;
    let cache = if args.no_cache { None } else { Some(settings::cache()?) };
    let folder = args.destination.clone().unwrap_or_else(|| PathBuf::from(args.from.repository.name()));
    let transfer = printer.transfer("fetching", Form::of(args.json));
    let (revision, pulled) = match &cache {
        Some(cache) if args.offline => {
            let (snapshot, files) = recall(cache, &client, &args.from)?;
            (snapshot.revision, pull::pull_kept(&files, (&folder, cache), transfer.clone()).await?)
        }
        cache => {
            let snapshot = snapshot(&client, &args.from).await?;
            let files = trees::list(&client, &snapshot).await?;
            if let Some(cache) = cache {
                cache.remember((client.base(), named(&args.from)), &snapshot, &files)?;
            }
            let to = (folder.as_path(), cache.as_ref());
            (snapshot.revision, pull::pull_listed(&client, (&snapshot, &files), to, transfer.clone()).await?)
        }
    };
    let given =
        if pulled.n_given > 0 { format!(", {} from the cache,", pulled.n_given) } else { String::new() };
    printer.note(format_args!(
        "fetched {} of {} files{given} of revision {revision}",
        pulled.n_fetched, pulled.n_files
    ));
    match args.json {
        true => printer.answer_json(&json!({
            "folder": folder,
            "revision": revision,
            "files": pulled.n_files,
            "fetched_files": pulled.n_fetched,
            "cached_files": pulled.n_given,
            "bytes": pulled.n_bytes,
            "fetched_bytes": transfer.n_moved(),
            "there_bytes": transfer.n_there(),
        }))?,
        false => printer.answer(folder.display())?,
    }
    Ok(ExitStatus::Success)
}

fn named(from: &RepositoryAt) -> &str {
    from.revision.as_deref().unwrap_or(BRANCH)
}

/// Finds what is meant, of a model or else of a data set, in what was pulled before.
fn recall(cache: &Cache, client: &Client, from: &RepositoryAt) -> Result<(Snapshot, Vec<RemoteFile>), Error> {
    for kind in [RepositoryKind::Model, RepositoryKind::Dataset] {
        if let Some(found) = cache.recall((client.base(), named(from)), kind, &from.repository)? {
            return Ok(found);
        }
    }
    Err(Error::NotPulled {
        repository: from.repository.to_string(),
        revision: named(from).to_owned(),
        server: client.base().to_owned(),
    })
}

/// Finds the commit that is meant, of a model or else of a data set.
pub(super) async fn snapshot(client: &Client, from: &RepositoryAt) -> Result<Snapshot, Error> {
    let (repository, revision) = (&from.repository, named(from));
    let (kind, info) = match repositories::info(client, RepositoryKind::Model, repository, revision).await {
        Err(unknown) if unknown.is_unknown_repository() => {
            let second = repositories::info(client, RepositoryKind::Dataset, repository, revision).await;
            let info = second.map_err(|error| if error.is_unknown_repository() { unknown } else { error })?;
            (RepositoryKind::Dataset, info)
        }
        found => (RepositoryKind::Model, found?),
    };
    let operation = format!("pull `{repository}`");
    let revision = info.sha.ok_or(Error::Incomplete { operation, missing: "sha" })?;
    Ok(Snapshot { kind, repository: repository.clone(), revision })
}
