//! The storage as a whole: whether all that is named is there and is what it was, and what nothing names.
//!
//! Runs beside servers that take files meanwhile. Invariants: checking changes nothing; what is reported as lost was looked
//! for after it was named.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use spec::digest::Sha256;
use store::blobs::Reading;
use store::db::chunked_files;
use store::db::entries::{self, Named};
use store::db::ids::{ChunkedFileId, RepositoryId};
use store::db::repositories as rows;

use super::repositories;
use crate::app::App;
use crate::error::{During, Error};

mod collect;
mod count;

pub use collect::{Collected, Deed, collect};
pub use count::{Counted, OfRepository, count};

/// Rows, or stored files, that are looked at together.
const PAGE: u32 = 1000;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// Stored bytes are not what their name says, or cannot be read.
    Damaged { sha256: Sha256, reason: String },
    /// A file that a commit has, and of which no sound bytes are there.
    Lost { repository: String, path: String, sha256: Sha256 },
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    pub n_stored: u64,
    pub n_stored_bytes: u64,
    pub n_chunked_files: u64,
    pub n_findings: u64,
}

/// Reads everything that is stored and looks for every file of every commit.
pub async fn check(app: &App, mut tell: impl FnMut(Finding)) -> Result<Checked, Error> {
    let mut checker =
        Checker { app, checked: Checked::default(), sound: BTreeSet::new(), lost: BTreeSet::new() };
    checker.stored(&mut tell).await?;
    checker.chunked(&mut tell).await?;
    checker.named(&mut tell).await?;
    Ok(checker.checked)
}

struct Checker<'a> {
    app: &'a App,
    checked: Checked,
    /// Files whose bytes were read and are right.
    sound: BTreeSet<Sha256>,
    /// What was reported, of the many commits that have it.
    lost: BTreeSet<(RepositoryId, String, Sha256)>,
}

impl Checker<'_> {
    /// Every stored file must have its digest.
    async fn stored(&mut self, tell: &mut impl FnMut(Finding)) -> Result<(), Error> {
        let mut after = None;
        loop {
            let page =
                self.app.store.blobs.list(after.as_deref(), PAGE).await.during("list what is stored")?;
            for found in page.items {
                self.checked.n_stored += 1;
                self.checked.n_stored_bytes += found.n_bytes;
                let reading = self.app.store.blobs.read(&found.sha256, None).await;
                if let Some(reason) = self.fault_of(found.sha256, reading).await? {
                    self.report(Finding::Damaged { sha256: found.sha256, reason }, tell);
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Every file of chunks must have its digest.
    async fn chunked(&mut self, tell: &mut impl FnMut(Finding)) -> Result<(), Error> {
        let mut after = ChunkedFileId(0);
        loop {
            let page =
                chunked_files::after(&self.app.store.db, after, PAGE).await.during("list files of chunks")?;
            let Some(last) = page.last().map(|file| file.id) else { return Ok(()) };
            for file in page {
                self.checked.n_chunked_files += 1;
                if self.sound.contains(&file.sha256) {
                    continue;
                }
                if let Some(reason) = self.fault(file.sha256).await? {
                    self.report(Finding::Damaged { sha256: file.sha256, reason }, tell);
                }
            }
            after = last;
        }
    }

    /// Every file of every commit must be sound.
    async fn named(&mut self, tell: &mut impl FnMut(Finding)) -> Result<(), Error> {
        let mut page: Vec<Named> = Vec::new();
        loop {
            let after = page.last().map(|named| (named.tree_id, named.path.clone()));
            page =
                entries::named_after(&self.app.store.db, after.as_ref(), PAGE).await.during("list files")?;
            if page.is_empty() {
                return Ok(());
            }
            for Named { repository_id, path, sha256, .. } in &page {
                let key = (*repository_id, path.clone(), *sha256);
                // What came since the storage was listed is looked at now.
                if self.sound.contains(sha256)
                    || self.lost.contains(&key)
                    || self.fault(*sha256).await?.is_none()
                {
                    continue;
                }
                self.lost.insert(key);
                let repository = name(self.app, *repository_id).await?;
                self.report(Finding::Lost { repository, path: path.clone(), sha256: *sha256 }, tell);
            }
        }
    }

    /// Reads a file to its end. What is wrong with it, if anything is.
    async fn fault(&mut self, sha256: Sha256) -> Result<Option<String>, Error> {
        let reading = self.app.store.contents.read(&sha256, None).await;
        self.fault_of(sha256, reading).await
    }

    async fn fault_of(
        &mut self,
        sha256: Sha256,
        reading: Result<Reading, store::Error>,
    ) -> Result<Option<String>, Error> {
        let fault = match digest(reading).await {
            Ok(found) if found == sha256 => None,
            Ok(found) => Some(format!("its bytes have the SHA-256 `{found}`")),
            Err(store::Error::NoBlob(_)) => Some("it is not there".to_owned()),
            Err(
                error @ (store::Error::Damaged { .. }
                | store::Error::Io { .. }
                | store::Error::NotFound { .. }),
            ) => Some(error.to_string()),
            Err(source) => return Err(Error::Store { operation: "read what is stored", source }),
        };
        if fault.is_none() {
            self.sound.insert(sha256);
        }
        Ok(fault)
    }

    fn report(&mut self, finding: Finding, tell: &mut impl FnMut(Finding)) {
        self.checked.n_findings += 1;
        tell(finding);
    }
}

async fn digest(reading: Result<Reading, store::Error>) -> Result<Sha256, store::Error> {
    use sha2::Digest;
    let mut reading = reading?;
    let mut hasher = sha2::Sha256::new();
    while let Some(bytes) = reading.stream.try_next().await? {
        hasher.update(&bytes);
    }
    Ok(Sha256::from_bytes(hasher.finalize().into()))
}

async fn name(app: &App, id: RepositoryId) -> Result<String, Error> {
    let found = rows::by_id(&app.store.db, id).await.during("look up a repository")?;
    Ok(found.map_or_else(|| id.to_string(), |row| repositories::full_name(&row)))
}
