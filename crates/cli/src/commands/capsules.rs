//! Capsules on servers: sent beside a model's files, fetched again, and where each came from.
//!
//! Invariants: what is unpacked is what the commit has, digest by digest; where a capsule came from is known by the
//! digest of its record, so that an edited one comes from nowhere.

use std::fs;
use std::path::{Path, PathBuf};

use ::record::{capsule, pack, runs};
use client::http::Client;
use client::hub::trees::{self, RemoteFile, Snapshot};
use client::pull;
use serde::{Deserialize, Serialize};
use spec::capsule::{Capsule, place};
use spec::digest::{Oid, Sha256};
use spec::name::{RepositoryAt, RepositoryKind, RepositoryName};

use crate::args::remote::Server;
use crate::error::Error;
use crate::printer::Printer;
use crate::settings;

/// A capsule on this machine.
pub struct Found {
    pub folder: PathBuf,
    /// Where it was pushed to or fetched from.
    pub origin: Option<Origin>,
    /// Whether it came from a server, by whatever name it was asked for.
    pub is_foreign: bool,
}

/// A place on a server where a capsule lies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Origin {
    /// The server's address.
    pub server: String,
    pub repository: RepositoryName,
    pub revision: Oid,
    /// SHA-256 of the archive there.
    pub packed: Sha256,
    /// Whether it was ever fetched, so that somebody else may have recorded it.
    pub is_fetched: bool,
}

/// The capsule that a person means: one of this machine, or else one that lies beside a model on a server.
pub async fn find(
    (word, id): (&str, Option<&str>),
    server: &Server,
    printer: &Printer,
) -> anyhow::Result<Found> {
    let home = settings::runs_folder()?;
    let unknown = match runs::find(&home, word) {
        Ok(folder) => {
            let origin = origin(&folder)?;
            let is_foreign = origin.as_ref().is_some_and(|origin| origin.is_fetched);
            return Ok(Found { folder, origin, is_foreign });
        }
        Err(unknown) => unknown,
    };
    // What looks like a path that is there was meant as one.
    let at = word.parse::<RepositoryAt>().ok().filter(|_| word.contains('/') && !Path::new(word).exists());
    let Some(at) = at else { return Err(unknown.into()) };
    let client = settings::connect(server)?;
    fetch(&client, (&at, id), printer).await
}

async fn fetch(
    client: &Client,
    (at, id): (&RepositoryAt, Option<&str>),
    printer: &Printer,
) -> anyhow::Result<Found> {
    let snapshot = super::pull::snapshot(client, at).await?;
    let files = trees::list(client, &snapshot).await?;
    let id = choose(&files, at, id)?;
    // What broke off is continued in the folder of the same commit.
    let cache = crate::environment::cache()?.join("capsules").join(snapshot.revision.to_string());
    let take = async |path: Option<String>| {
        let file = files.iter().find(|file| path.as_deref() == Some(file.path.as_str()));
        let file = file.cloned().ok_or_else(|| Error::NoCapsule(at.repository.to_string()))?;
        let place = cache.join(file.path.as_str());
        pull::fetch(client, &snapshot, (&[file], &cache), printer.progress("fetching")).await?;
        anyhow::Ok(place)
    };
    let (sha256, _) = capsule::digest(&take(place::record(&id)).await?)?;
    let folder = place_of(&id, sha256)?;
    let is_known = |known: &Origin| {
        known.server == client.base()
            && known.repository == snapshot.repository
            && known.revision == snapshot.revision
            && known.is_fetched
    };
    let origin = match is_whole(&folder, sha256) {
        true => origin(&folder)?.filter(is_known),
        false => None,
    };
    let origin = match origin {
        Some(origin) => origin,
        None => {
            let packed = take(place::packed(&id)).await?;
            let origin = Origin {
                server: client.base().to_owned(),
                repository: snapshot.repository.clone(),
                revision: snapshot.revision,
                packed: capsule::digest(&packed)?.0,
                is_fetched: true,
            };
            // Before it is there: what came from elsewhere is never taken for one's own.
            remember(sha256, &origin)?;
            unpack(&packed, (&folder, sha256))?;
            printer.note(format_args!("fetched capsule {id} of revision {}", snapshot.revision));
            origin
        }
    };
    // All of it is in the folder now; what is left behind costs space alone.
    let _ = fs::remove_dir_all(cache.join(place::FOLDER).join(&id));
    Ok(Found { folder, origin: Some(origin), is_foreign: true })
}

/// The capsule that is meant among those of a commit.
fn choose(files: &[RemoteFile], at: &RepositoryAt, wanted: Option<&str>) -> Result<String, Error> {
    let ids = files.iter().filter_map(|file| place::id_of_record(file.path.as_str()));
    let ids: Vec<&str> = ids.filter(|id| wanted.is_none_or(|wanted| id.starts_with(wanted))).collect();
    match ids.as_slice() {
        [] => Err(Error::NoCapsule(at.repository.to_string())),
        [id] => Ok((*id).to_owned()),
        ids => Err(Error::ManyCapsules { repository: at.repository.to_string(), ids: ids.join("`, `") }),
    }
}

/// The folder for a fetched capsule, which `reenact runs` lists.
fn place_of(id: &str, sha256: Sha256) -> anyhow::Result<PathBuf> {
    let mut digest = sha256.to_string();
    digest.truncate(12);
    Ok(settings::runs_folder()?.join(format!("fetched-{id}-{digest}")))
}

fn is_whole(folder: &Path, sha256: Sha256) -> bool {
    let record = folder.join(capsule::RECORD);
    capsule::digest(&record).is_ok_and(|(found, _)| found == sha256)
        && capsule::read(folder).is_ok_and(|record| capsule::check(folder, &record).is_ok())
}

/// Puts what is in an archive into its folder, in the place of whatever is left there.
fn unpack(packed: &Path, (folder, sha256): (&Path, Sha256)) -> anyhow::Result<()> {
    if is_whole(folder, sha256) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder).map_err(|source| file("delete", folder, source))?;
    }
    pack::unpack(packed, sha256, folder)?;
    Ok(())
}

/// Packs a capsule for a push: a folder that has the paths of the repository.
pub fn packed(folder: &Path) -> anyhow::Result<(tempfile::TempDir, Capsule)> {
    let record = capsule::read(folder)?;
    let paths = place::record(&record.id).zip(place::packed(&record.id));
    let (beside, archive) = paths.ok_or_else(|| Error::BadId(record.id.clone()))?;
    let temporary = std::env::temp_dir();
    let staged = tempfile::TempDir::with_prefix_in("reenact-push-", &temporary)
        .map_err(|source| file("make a folder in", &temporary, source))?;
    let beside = staged.path().join(beside);
    let above = beside.parent().unwrap_or(staged.path());
    fs::create_dir_all(above).map_err(|source| file("make the folder", above, source))?;
    let record = pack::pack(folder, &staged.path().join(archive))?;
    let from = folder.join(capsule::RECORD);
    fs::copy(&from, &beside).map_err(|source| file("copy", &from, source))?;
    Ok((staged, record))
}

/// Remembers that a capsule that was packed into this folder was pushed.
pub fn pushed(
    folder: &Path,
    (staged, record): &(tempfile::TempDir, Capsule),
    (server, repository, revision): (&str, &RepositoryName, Oid),
) -> anyhow::Result<()> {
    let archive = staged.path().join(place::packed(&record.id).unwrap_or_default());
    let packed = capsule::digest(&archive)?.0;
    let (server, repository) = (server.to_owned(), repository.clone());
    let is_fetched = origin(folder)?.is_some_and(|known| known.is_fetched);
    remember(digest(folder)?, &Origin { server, repository, revision, packed, is_fetched })
}

fn remember(record: Sha256, origin: &Origin) -> anyhow::Result<()> {
    let path = origin_path(record)?;
    let above = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(above).map_err(|source| file("make the folder", above, source))?;
    fs::write(&path, serde_json::to_vec(origin)?).map_err(|source| file("write", &path, source))?;
    Ok(())
}

/// Where a capsule was pushed to or came from last.
fn origin(folder: &Path) -> anyhow::Result<Option<Origin>> {
    match fs::read(origin_path(digest(folder)?)?) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(_) => Ok(None),
    }
}

fn digest(folder: &Path) -> anyhow::Result<Sha256> {
    Ok(capsule::digest(&folder.join(capsule::RECORD))?.0)
}

fn origin_path(sha256: Sha256) -> anyhow::Result<PathBuf> {
    let home = settings::runs_folder()?;
    Ok(home.parent().unwrap_or(&home).join("origins").join(format!("{sha256}.json")))
}

/// Fetches the files of a model that may be inputs which its capsule does not hold: those of their lengths.
pub async fn inputs(client: &Client, origin: &Origin, missing: &[u64]) -> anyhow::Result<Option<PathBuf>> {
    let kind = RepositoryKind::Model;
    let snapshot = Snapshot { kind, repository: origin.repository.clone(), revision: origin.revision };
    let files = trees::list(client, &snapshot).await?;
    let wanted: Vec<RemoteFile> = files.into_iter().filter(|file| missing.contains(&file.n_bytes)).collect();
    if wanted.is_empty() {
        return Ok(None);
    }
    let cache = crate::environment::cache()?.join("inputs").join(origin.revision.to_string());
    pull::fetch(client, &snapshot, (&wanted, &cache), std::sync::Arc::new(client::progress::Silent)).await?;
    Ok(Some(cache))
}

fn file(operation: &'static str, path: &Path, source: std::io::Error) -> Error {
    Error::File { operation, path: path.to_owned(), source }
}
