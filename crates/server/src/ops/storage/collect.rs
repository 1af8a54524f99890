//! Collecting what nothing names: commits that no branch, tag or anything else leads to, uploads that no commit took up,
//! files that no repository has, xorbs of which no file has a chunk, stored bytes that no row names, and what is no longer
//! used of the cache.
//!
//! Runs beside servers that take files meanwhile. Why that is safe: a row goes only if it is still the one that was looked
//! at, and whoever names it changes it in the same transaction, or finds it gone and is refused; bytes go after the row
//! that named them, and as no two xorbs are stored under one name, nobody can be storing these bytes anew. Bytes that
//! have no row yet are younger than [`ABANDONED_MS`]. While somebody holds what is stored (`backup`), no bytes go.
//! Invariant: at whatever moment this ends, nothing that is named is lost, and what it did not come to is found by the next.

use spec::digest::Sha256;
use store::blobs::Found;
use store::clock;
use store::db::holds;
use store::db::ids::{ChunkedFileId, RepositoryId, XorbId};
use store::db::{repositories, revisions, storage as rows};

use crate::app::App;
use crate::error::{During, Error};
use crate::ops::uploads;

/// Age at which bytes without a row belong to nobody who is still storing them: a row follows its bytes within moments.
const ABANDONED_MS: i64 = 24 * 60 * 60 * 1000;
/// Stored files that are looked at together.
const PAGE: u32 = 1000;

/// Whether anything is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Collect,
    /// Only what would be collected is counted.
    Count,
}

/// What was collected, or would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Collected {
    /// Commits that were out of reach for long enough.
    pub n_revisions: u64,
    /// Uploads that no commit named in time.
    pub n_uploads: u64,
    /// Files of chunks that no repository has.
    pub n_files: u64,
    pub n_file_bytes: u64,
    /// Xorbs of which no file has a chunk.
    pub n_xorbs: u64,
    pub n_xorb_bytes: u64,
    /// Stored files that no row names.
    pub n_unnamed: u64,
    pub n_unnamed_bytes: u64,
    /// Files that were put together or fetched, and that nobody used for a while.
    pub n_cached: u64,
    pub n_cached_bytes: u64,
}

/// Collects what nothing named for as long as the settings say.
pub async fn collect(app: &App, deed: Deed) -> Result<Collected, Error> {
    let now_ms = clock::now_ms();
    let unused_ms = i64::try_from(app.settings.unused_after.0.as_millis()).unwrap_or(i64::MAX);
    let before_ms = now_ms.saturating_sub(unused_ms);
    let abandoned_ms = now_ms.saturating_sub(ABANDONED_MS);
    let collected = Collected::default();
    let mut collector = Collector { app, deed, now_ms, before_ms, abandoned_ms, collected };
    if deed == Deed::Collect {
        holds::check(&app.store.db, clock::now_ms()).await.during("look for holds")?;
        uploads::clean_up(app).await?;
    }
    collector.revisions().await?;
    collector.uploads().await?;
    collector.files().await?;
    collector.xorbs().await?;
    collector.unnamed().await?;
    collector.cached().await?;
    Ok(collector.collected)
}

struct Collector<'a> {
    app: &'a App,
    deed: Deed,
    now_ms: i64,
    before_ms: i64,
    abandoned_ms: i64,
    collected: Collected,
}

impl Collector<'_> {
    /// First the commits: what only they named is then named by nothing.
    async fn revisions(&mut self) -> Result<(), Error> {
        let db = &self.app.store.db;
        let times = (self.now_ms, self.before_ms);
        let mut after = RepositoryId(0);
        loop {
            let found = repositories::after(db, after, PAGE).await.during("list repositories")?;
            let Some(last) = found.last() else { return Ok(()) };
            after = *last;
            for repository in found {
                self.collected.n_revisions += match self.deed {
                    Deed::Count => revisions::count_unreached(db, repository, times).await,
                    Deed::Collect => revisions::collect_unreached(db, repository, times).await,
                }
                .during("collect commits")?;
            }
        }
    }

    async fn uploads(&mut self) -> Result<(), Error> {
        let db = &self.app.store.db;
        let mut last = None;
        loop {
            let found = rows::unused_uploads(db, self.before_ms, last.as_ref()).await;
            let found = found.during("find unused uploads")?;
            self.collected.n_uploads += match self.deed {
                Deed::Count => found.len() as u64,
                Deed::Collect => rows::delete_uploads(db, &found).await.during("forget uploads")?,
            };
            last = found.into_iter().next_back();
            if last.is_none() {
                return Ok(());
            }
        }
    }

    async fn files(&mut self) -> Result<(), Error> {
        let db = &self.app.store.db;
        let mut after = ChunkedFileId(0);
        loop {
            let found = rows::unused_files(db, self.before_ms, after).await.during("find unused files")?;
            let Some(last) = found.last() else { return Ok(()) };
            after = last.id;
            self.collected.n_files += match self.deed {
                Deed::Count => found.len() as u64,
                Deed::Collect => rows::delete_files(db, &found).await.during("forget files")?,
            };
            self.collected.n_file_bytes += found.iter().map(|file| count(file.n_bytes)).sum::<u64>();
        }
    }

    /// First the rows, then the bytes that only they named.
    async fn xorbs(&mut self) -> Result<(), Error> {
        let db = &self.app.store.db;
        let mut after = XorbId(0);
        loop {
            let mut found =
                rows::unused_xorbs(db, self.before_ms, after).await.during("find unused xorbs")?;
            let Some(last) = found.last() else { return Ok(()) };
            after = last.id;
            if self.deed == Deed::Collect {
                let deleted = rows::delete_xorbs(db, &found, clock::now_ms()).await.during("forget xorbs")?;
                found.retain(|xorb| deleted.contains(&xorb.id));
                for xorb in &found {
                    self.app.store.blobs.delete(&xorb.sha256).await.during("delete bytes")?;
                }
            }
            self.collected.n_xorbs += found.len() as u64;
            self.collected.n_xorb_bytes += found.iter().map(|xorb| count(xorb.n_bytes)).sum::<u64>();
        }
    }

    async fn unnamed(&mut self) -> Result<(), Error> {
        let store = &self.app.store;
        let mut after = None;
        loop {
            let page = store.blobs.list(after.as_deref(), PAGE).await.during("list what is stored")?;
            let old: Vec<Found> =
                page.items.into_iter().filter(|found| found.modified_ms < self.abandoned_ms).collect();
            let digests: Vec<Sha256> = old.iter().map(|found| found.sha256).collect();
            let named = rows::named(&store.db, &digests).await.during("look for what is named")?;
            // Whoever holds since before these rows went has a snapshot with them.
            if self.deed == Deed::Collect {
                holds::check(&store.db, clock::now_ms()).await.during("look for holds")?;
            }
            for found in old.iter().filter(|found| !named.contains(&found.sha256)) {
                if self.deed == Deed::Collect {
                    let gone = store.blobs.delete_unless_newer(&found.sha256, self.abandoned_ms).await;
                    if !gone.during("delete bytes")? {
                        continue;
                    }
                }
                self.collected.n_unnamed += 1;
                self.collected.n_unnamed_bytes += found.n_bytes;
            }
            after = page.next;
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Runtimes have links to what they use, or copies.
    async fn cached(&mut self) -> Result<(), Error> {
        let store = &self.app.store;
        let mut after = None;
        loop {
            let page = store.blobs.list_cached(after, PAGE).await.during("list the cache")?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.sha256);
            let digests: Vec<Sha256> = page.iter().map(|found| found.sha256).collect();
            let known = rows::known_files(&store.db, &digests).await.during("look for what is named")?;
            for found in page {
                let is_known = known.contains(&found.sha256);
                let before_ms = if is_known { self.before_ms } else { self.abandoned_ms };
                if found.modified_ms >= before_ms {
                    continue;
                }
                if self.deed == Deed::Collect {
                    store.blobs.uncache(&found.sha256, before_ms).await.during("clear the cache")?;
                }
                self.collected.n_cached += 1;
                self.collected.n_cached_bytes += found.n_bytes;
            }
        }
    }
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}
