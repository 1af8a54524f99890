//! Counting what is stored: what all repositories would take if each kept its files by itself, and what they take.
//!
//! Changes nothing. Invariant: what a repository is counted for hangs on its own files alone, so that it does not change
//! with what others push.

use serde::Serialize;
use store::db::ids::RepositoryId;
use store::db::storage as rows;

use crate::app::App;
use crate::error::{During, Error};

/// Rows, or stored files, that are looked at together.
const PAGE: u32 = 1000;

/// What is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// Different files, of all commits of all repositories.
    pub n_files: i64,
    /// Their bytes, each file counted once for every repository that has it.
    pub logical_bytes: i64,
    /// Their bytes, each file counted once.
    pub file_bytes: i64,
    /// Bytes of different chunks, and of files that are kept whole.
    pub unique_bytes: i64,
    pub n_xorbs: i64,
    /// What lies in the storage, and in how many files.
    pub n_stored: u64,
    pub stored_bytes: u64,
    pub repositories: Vec<OfRepository>,
}

/// What one repository has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfRepository {
    pub name: String,
    pub kind: String,
    /// Different files, of all commits.
    pub n_files: i64,
    pub logical_bytes: i64,
    /// Of these: in files that no other repository has.
    pub own_bytes: i64,
}

/// Counts all of it.
pub async fn count(app: &App) -> Result<Counted, Error> {
    let all = rows::totals(&app.store.db).await.during("count what is stored")?;
    let (n_stored, stored_bytes) = stored(app).await?;
    Ok(Counted {
        n_files: all.n_files,
        logical_bytes: all.logical_bytes,
        file_bytes: all.file_bytes,
        unique_bytes: all.chunk_bytes + all.whole_bytes,
        n_xorbs: all.n_xorbs,
        n_stored,
        stored_bytes,
        repositories: repositories(app).await?,
    })
}

async fn stored(app: &App) -> Result<(u64, u64), Error> {
    let (mut n_stored, mut n_bytes, mut after) = (0, 0, None);
    loop {
        let page = app.store.blobs.list(after.as_deref(), PAGE).await.during("list what is stored")?;
        n_stored += page.items.len() as u64;
        n_bytes += page.items.iter().map(|found| found.n_bytes).sum::<u64>();
        after = page.next;
        if after.is_none() {
            return Ok((n_stored, n_bytes));
        }
    }
}

async fn repositories(app: &App) -> Result<Vec<OfRepository>, Error> {
    let (mut all, mut after) = (Vec::new(), RepositoryId(0));
    loop {
        let page = rows::of_repositories(&app.store.db, after, PAGE).await.during("count what is stored")?;
        let Some(last) = page.last() else { return Ok(all) };
        after = last.id;
        all.extend(page.into_iter().map(|row| OfRepository {
            name: format!("{}/{}", row.owner, row.name),
            kind: row.kind,
            n_files: row.n_files,
            logical_bytes: row.n_bytes,
            own_bytes: row.own_bytes,
        }));
    }
}
