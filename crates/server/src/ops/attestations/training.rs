//! How a model was trained: the recordings that lie beside it, and what came of running them again.
//!
//! Invariant: whoever attested is told by the attestations alone; what is said here of a model counts people and names
//! none, so that it can be shown to whoever holds a link.

use std::collections::BTreeMap;

use spec::capsule::{Capsule, place};
use spec::digest::Sha256;
use store::db::attestations as rows;
use store::db::entries::{self as stored, Entry, Listing};
use store::db::ids::{RepositoryId, TreeId};

use crate::app::App;
use crate::error::{During, Error};

/// Recordings of one commit that are shown.
pub const SHOWN: usize = 20;
/// Entries of a commit that are looked through.
const ENTRIES: u32 = 1000;

/// What lies beside a model, in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    pub n_capsules: usize,
    pub n_attestations: i64,
    /// The most people who could not change the model and came to the same with one recording.
    pub n_reproduced: i64,
}

/// A recording.
#[derive(Debug, Clone)]
pub struct Recording {
    pub id: String,
    pub sha256: Sha256,
    /// None where it is too long or cannot be read.
    pub record: Option<Capsule>,
    /// Files of the model that are, byte for byte, what the run wrote.
    pub files: Vec<String>,
    pub n_attestations: i64,
    pub n_reproduced: i64,
}

/// The recordings in a tree, in numbers.
pub async fn totals(app: &App, repository: RepositoryId, tree: TreeId) -> Result<Totals, Error> {
    let found = records(app, tree).await?;
    if found.is_empty() {
        return Ok(Totals::default());
    }
    let counts = counts(app, repository).await?;
    let of = |sha256: &Sha256| counts.get(&sha256.to_string()).copied().unwrap_or_default();
    Ok(Totals {
        n_capsules: found.len(),
        n_attestations: found.iter().map(|(_, sha256)| of(sha256).0).sum(),
        n_reproduced: found.iter().map(|(_, sha256)| of(sha256).1).max().unwrap_or_default(),
    })
}

/// The recordings in a tree that the actor was already found to be allowed to read.
pub async fn list(app: &App, repository: RepositoryId, tree: TreeId) -> Result<Vec<Recording>, Error> {
    let counts = counts(app, repository).await?;
    let files = files(app, tree).await?;
    let mut recordings = Vec::new();
    for (id, sha256) in records(app, tree).await?.into_iter().take(SHOWN) {
        let path = place::record(&id).unwrap_or_default();
        let record = match super::record(app, tree, (&path, sha256)).await {
            Ok(record) => Some(record),
            Err(Error::BadAttestation(_)) => None,
            Err(error) => return Err(error),
        };
        let written = record.iter().flat_map(|record| &record.outputs);
        let files = written.filter_map(|output| files.get(&output.sha256).cloned()).collect();
        let (n_attestations, n_reproduced) = counts.get(&sha256.to_string()).copied().unwrap_or_default();
        recordings.push(Recording { id, sha256, record, files, n_attestations, n_reproduced });
    }
    Ok(recordings)
}

/// Ids and digests of the records in a tree.
async fn records(app: &App, tree: TreeId) -> Result<Vec<(String, Sha256)>, Error> {
    let found = entries(app, tree, place::FOLDER).await?;
    let record = |entry: Entry| Some((place::id_of_record(&entry.path)?.to_owned(), entry.sha256?));
    Ok(found.into_iter().filter_map(record).collect())
}

/// The files of a tree that are no part of a capsule, by what is in them.
async fn files(app: &App, tree: TreeId) -> Result<BTreeMap<Sha256, String>, Error> {
    let found = entries(app, tree, "").await?;
    let outside = found.into_iter().filter(|entry| !entry.path.starts_with("capsules/"));
    Ok(outside.filter_map(|entry| Some((entry.sha256?, entry.path))).collect())
}

async fn entries(app: &App, tree: TreeId, folder: &str) -> Result<Vec<Entry>, Error> {
    let listing = Listing { folder, is_recursive: true, after: None, limit: ENTRIES };
    let page = stored::list(&app.store.db, tree, &listing).await.during("list files")?;
    Ok(page.items)
}

async fn counts(app: &App, repository: RepositoryId) -> Result<BTreeMap<String, (i64, i64)>, Error> {
    let counts = rows::counts(&app.store.db, repository).await.during("count attestations")?;
    Ok(counts.into_iter().map(|count| (count.capsule, (count.n_attestations, count.n_reproduced))).collect())
}
