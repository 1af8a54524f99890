//! `reenact pull`: brings a revision's files into a folder, prints the folder.

use std::path::PathBuf;

use client::error::Error;
use client::http::Client;
use client::hub::repositories;
use client::hub::trees::Snapshot;
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
    let snapshot = snapshot(&client, &args.from).await?;
    let folder = args.destination.unwrap_or_else(|| PathBuf::from(args.from.repository.name()));
    let transfer = printer.transfer("fetching", Form::of(args.json));
    let pulled = pull::pull(&client, &snapshot, &folder, transfer.clone()).await?;
    printer.note(format_args!(
        "fetched {} of {} files of revision {}",
        pulled.n_fetched, pulled.n_files, snapshot.revision
    ));
    match args.json {
        true => printer.answer_json(&json!({
            "folder": folder,
            "revision": snapshot.revision,
            "files": pulled.n_files,
            "fetched_files": pulled.n_fetched,
            "bytes": pulled.n_bytes,
            "fetched_bytes": transfer.n_moved(),
            "there_bytes": transfer.n_there(),
        }))?,
        false => printer.answer(folder.display())?,
    }
    Ok(ExitStatus::Success)
}

/// Finds the commit that is meant, of a model or else of a data set.
pub(super) async fn snapshot(client: &Client, from: &RepositoryAt) -> Result<Snapshot, Error> {
    let (repository, revision) = (&from.repository, from.revision.as_deref().unwrap_or(BRANCH));
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
