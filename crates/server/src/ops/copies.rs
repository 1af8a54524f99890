//! Copies between repositories: of large files for a commit to name, and of a whole repository. No bytes are moved.
//!
//! Invariant: who copies may read what is copied, as if they fetched it, and write where it goes, as if they sent it.

use std::collections::{BTreeMap, BTreeSet};

use spec::digest::Sha256;
use spec::limits;
use spec::name::{RepositoryKind, RepositoryName};
use spec::xet::XetHash;
use store::clock;
use store::db::chunked_files;
use store::db::repositories::{Duplicate, NewRepository, Repository};
use store::db::{repositories as rows, revisions};

use super::access::{self, Action, Actor};
use super::repositories::{self, Visibility};
use super::{access_requests, quotas};
use crate::app::App;
use crate::error::{During, Error};
use crate::jobs;

/// What is copied.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    pub sha256: Sha256,
    /// By which the asker knows it, too.
    pub hash: XetHash,
}

/// Lets the commits of a repository name large files of another. Answers those that the other does not have in chunks.
pub async fn files(
    app: &App,
    actor: &Actor,
    from: (RepositoryKind, &RepositoryName),
    to: (RepositoryKind, &RepositoryName),
    wanted: &[Wanted],
) -> Result<Vec<Sha256>, Error> {
    if wanted.len() > limits::PAGE_ENTRIES {
        return Err(Error::BadRequest(format!("at most {} files are copied at once", limits::PAGE_ENTRIES)));
    }
    let source = readable(app, actor, from).await?;
    let target = repositories::get(app, actor, to.0, to.1, Action::Write).await?;
    let all: Vec<Sha256> = wanted.iter().map(|file| file.sha256).collect();
    let there = chunked_files::in_repository(&app.store.db, source.id, &all).await;
    let there: BTreeMap<Sha256, XetHash> = there.during("find files of chunks")?.into_iter().collect();
    let found: Vec<Sha256> = wanted
        .iter()
        .filter(|file| there.get(&file.sha256) == Some(&file.hash))
        .map(|file| file.sha256)
        .collect();
    let sizes = chunked_files::by_digests(&app.store.db, &found).await.during("find files of chunks")?;
    let sizes: BTreeMap<Sha256, u64> = sizes.into_iter().map(|file| (file.sha256, file.n_bytes)).collect();
    quotas::check_files(app, (target.owner_id, target.id), &sizes).await?;
    let found: BTreeSet<Sha256> = found.into_iter().collect();
    let copied = chunked_files::copy(&app.store.db, (source.id, target.id), &found, clock::now_ms()).await;
    let copied = match copied {
        // One of the two was deleted in this very moment.
        Err(store::Error::NotFound { name, .. }) if name == target.id.to_string() => {
            return Err(Error::RepositoryNotFound(to.1.to_string()));
        }
        Err(store::Error::NotFound { .. }) => return Err(Error::RepositoryNotFound(from.1.to_string())),
        copied => copied.during("copy files")?,
    };
    Ok(all.into_iter().filter(|sha256| !copied.contains(sha256)).collect())
}

/// Makes a repository of the same kind with the same commits, branches and tags. It is as open as the one that is copied
/// where nothing else is said. [`Error::AlreadyExists`] carries the name that is taken.
pub async fn repository(
    app: &App,
    actor: &Actor,
    (kind, from): (RepositoryKind, &RepositoryName),
    to: &RepositoryName,
    visibility: Option<Visibility>,
) -> Result<Repository, Error> {
    let source = readable(app, actor, (kind, from)).await?;
    let known = access::signed_in(actor)?;
    let owner_id = repositories::place_for(app, actor, (kind, to)).await?;
    app.rates.makings.take(&known.name)?;
    let extent = revisions::extent(&app.store.db, source.id).await.during("measure a history")?;
    let (n_revisions, n_files) = (limits::COPIED_REVISIONS, limits::COPIED_FILES);
    if extent.n_revisions > n_revisions || extent.n_files > n_files {
        let limit = format!("{n_revisions} commits and {n_files} files in all of them, to be copied at once");
        return Err(Error::TooLarge { limit });
    }
    let n_bytes = store::db::storage::bytes_in(&app.store.db, source.id).await;
    let n_bytes = n_bytes.during("count what a repository has")?;
    quotas::check(app, owner_id, u64::try_from(n_bytes).unwrap_or(0)).await?;
    let is_private = visibility.map_or(source.is_private, |named| named == Visibility::Private);
    let new = NewRepository { owner_id, kind, name: to, is_private, created_ms: clock::now_ms() };
    let copy = Duplicate { from: source.id, new, gate: source.gate };
    let made = match rows::duplicate(&app.store.db, &copy).await {
        Err(store::Error::AlreadyExists { name, .. }) => {
            return Err(Error::AlreadyExists { what: "a repository", name });
        }
        Err(store::Error::NotFound { .. }) => return Err(Error::RepositoryNotFound(from.to_string())),
        made => made.during("copy a repository")?,
    };
    // Reads what was not read yet of the files.
    jobs::enqueue(app, &jobs::follow_up::task(made.id)).await?;
    Ok(made)
}

/// The repository, if the actor may have its files.
async fn readable(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
) -> Result<Repository, Error> {
    let repository = repositories::get(app, actor, kind, name, Action::Read).await?;
    access_requests::check(app, actor, &repository).await?;
    Ok(repository)
}
