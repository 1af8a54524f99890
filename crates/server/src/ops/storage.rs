//! The storage as a whole: whether all that is named is there and is what it was, what nothing names, and its copies.
//!
//! Runs beside servers that take files meanwhile. Invariants: checking changes nothing, and repairing nothing but bytes
//! that are not what their name says; what is reported as lost was looked for after it was named.

use std::collections::BTreeSet;
use std::path::Path;

use futures_util::TryStreamExt;
use serde::Serialize;
use spec::digest::{Oid, Sha256};
use store::Blobs;
use store::blobs::Reading;
use store::db::chunked_files;
use store::db::dump;
use store::db::entries::{self, Named};
use store::db::ids::{ChunkedFileId, RepositoryId};
use store::db::repositories as rows;
use store::db::revisions;

use super::repositories;
use crate::app::App;
use crate::error::{During, Error};

mod backup;
mod collect;
mod copy;
mod count;
mod restore;

pub use backup::{BackedUp, backup};
pub use collect::{Collected, Deed, collect};
pub use copy::{Copied, Step, Tell};
pub use count::{Counted, OfRepository, count};
pub use restore::{Restored, migrate, restore};

/// Rows, or stored files, that are looked at together.
const PAGE: u32 = 1000;

/// What is wrong, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// Stored bytes are not what their name says, or cannot be read.
    Damaged { sha256: Sha256, reason: String },
    /// A row names stored bytes that are not there.
    Missing { sha256: Sha256 },
    /// Stored bytes that were either, and are right again.
    Repaired { sha256: Sha256 },
    /// A file that a commit has, and of which no sound bytes are there. Of several commits that have it at that path,
    /// `revision` is one.
    Lost { repository: String, revision: Option<Oid>, path: String, sha256: Sha256 },
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Checked {
    pub n_stored: u64,
    pub n_stored_bytes: u64,
    pub n_chunked_files: u64,
    /// What is wrong still.
    pub n_findings: u64,
    pub n_repaired: u64,
}

/// What lies in the folder of a second copy: of backups, or the data of another server.
pub fn second_copy(folder: &Path) -> Result<Blobs, Error> {
    if !folder.join("blobs").is_dir() {
        return Err(Error::NoCopy { path: folder.to_owned() });
    }
    Ok(Blobs::read_only(folder))
}

/// Reads everything that is stored and looks for every file of every commit. What is damaged or missing is put back from
/// the second copy, if there is one that has it.
pub async fn check(
    app: &App,
    second_copy: Option<&Blobs>,
    mut tell: impl FnMut(Finding),
) -> Result<Checked, Error> {
    let (checked, sound, lost) = (Checked::default(), BTreeSet::new(), BTreeSet::new());
    let mut checker = Checker { app, second_copy, checked, sound, lost };
    checker.stored(&mut tell).await?;
    checker.objects(&mut tell).await?;
    checker.chunked(&mut tell).await?;
    checker.named(&mut tell).await?;
    Ok(checker.checked)
}

struct Checker<'a> {
    app: &'a App,
    second_copy: Option<&'a Blobs>,
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
                    self.repair_or(Finding::Damaged { sha256: found.sha256, reason }, found.sha256, tell)
                        .await?;
                }
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// All that rows name must be there. What is there was read before, or came since then.
    async fn objects(&mut self, tell: &mut impl FnMut(Finding)) -> Result<(), Error> {
        for sha256 in dump::objects(&self.app.store.db).await.during("list what is named")? {
            let is_there = self.sound.contains(&sha256)
                || self.app.store.blobs.exists(&sha256).await.during("look for bytes")?;
            if !is_there {
                self.repair_or(Finding::Missing { sha256 }, sha256, tell).await?;
            }
        }
        Ok(())
    }

    /// Puts bytes back from the second copy, or tells what is wrong with them.
    async fn repair_or(
        &mut self,
        finding: Finding,
        sha256: Sha256,
        tell: &mut impl FnMut(Finding),
    ) -> Result<(), Error> {
        let Some(second_copy) = self.second_copy else {
            self.report(finding, tell);
            return Ok(());
        };
        match self.app.store.blobs.copy_from(second_copy, &sha256).await {
            Ok(_) => {
                self.sound.insert(sha256);
                self.checked.n_repaired += 1;
                tell(Finding::Repaired { sha256 });
            }
            Err(store::Error::NoBlob(_) | store::Error::Damaged { .. }) => self.report(finding, tell),
            Err(error) => return Err(error).during("put bytes back"),
        }
        Ok(())
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
            for Named { tree_id, repository_id, path, sha256 } in &page {
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
                let revision = revisions::of_tree(&self.app.store.db, *tree_id).await;
                let revision = revision.during("look up a revision")?.map(|revision| revision.oid);
                let (path, sha256) = (path.clone(), *sha256);
                self.report(Finding::Lost { repository, revision, path, sha256 }, tell);
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
