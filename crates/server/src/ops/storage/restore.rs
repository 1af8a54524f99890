//! Rows and stored bytes, put into a database and a storage that are empty: from a snapshot, or from those of a server.
//!
//! Invariants: bytes first, then all rows in one transaction, read back and compared before anybody uses them; what is
//! not empty is left as it is; where this ends early, it can be begun again and finds what was copied.

use std::path::Path;

use serde::Serialize;
use store::backups::{Folder, RowsFile};
use store::db::dump::{self, Exported};
use store::{Blobs, Db, Settings, Store};

use super::copy::{Copied, Tell, copy, held, measure};
use crate::error::{During, Error};

/// What was put there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The snapshot that it came from, if it was one.
    pub snapshot: Option<String>,
    pub n_rows: u64,
    #[serde(flatten)]
    pub copied: Copied,
}

/// Restores a snapshot of this folder: the one of that name, or the newest.
pub async fn restore(
    folder: &Path,
    name: Option<&str>,
    to: &Settings,
    tell: Tell<'_>,
) -> Result<Restored, Error> {
    let path = folder;
    let folder = Folder::open(path).await.during("open the folder of backups")?;
    let names = folder.snapshots().await.during("list the snapshots")?;
    let wanted = name.map(str::to_owned).or_else(|| names.last().cloned());
    let name = wanted.clone().filter(|name| names.contains(name));
    let Some(name) = name else {
        return Err(Error::SnapshotNotFound { path: path.to_owned(), name: wanted.unwrap_or_default() });
    };
    let snapshot = folder.snapshot(&name).await.during("read the snapshot")?;
    let (found, known) = (snapshot.rows.version, dump::version());
    if found > known {
        return Err(Error::BadBackup(store::Error::NewerDatabase { found, known }));
    }
    let objects = folder.objects(&name, &snapshot).await.during("read the snapshot")?;
    let rows = folder.rows(&name, &snapshot).await.during("read the snapshot")?;
    let target = Target::open(to).await?;
    let mut copied = Copied::default();
    let lost =
        snapshot.lost.iter().map(|sha256| (sha256.to_string(), "the backup has not got it".to_owned()));
    copied.lost.extend(lost);
    copy((&folder.blobs, &target.blobs), &objects, &mut copied, tell).await?;
    target.fill(&rows, &snapshot.rows, async || Ok(())).await?;
    Ok(Restored { snapshot: Some(name), n_rows: snapshot.rows.n_rows(), copied })
}

/// Moves all that a server has: to another database, another storage, or both. The source stays as it is.
/// [`Error::SourceInUse`] if a server runs there, [`Error::SourceChanged`] if one has written meanwhile.
pub async fn migrate(from: &Settings, to: &Settings, tell: Tell<'_>) -> Result<Restored, Error> {
    if !from.data_dir.is_dir() {
        return Err(Error::NotFound { what: "data folder", name: from.data_dir.display().to_string() });
    }
    if Blobs::is_in_use(&from.data_dir).await.during("look who uses the data folder")? {
        return Err(Error::SourceInUse { path: from.data_dir.clone() });
    }
    let target = Target::open(to).await?;
    let source = Store::open(from).await.during("open the data folder")?;
    held(&source.db, async {
        let (rows, exported, named) =
            RowsFile::of(&source.db, &target.blobs).await.during("read the rows")?;
        let mut copied = Copied::default();
        let objects = measure(&source.blobs, named, &mut copied).await?;
        copy((&source.blobs, &target.blobs), &objects, &mut copied, tell).await?;
        let is_unchanged = async || {
            let now = export(&source.db, &exported).await?;
            match exported.difference(&now) {
                Some(table) => Err(store::Error::Changed { table: table.to_owned() }),
                None => Ok(()),
            }
        };
        target.fill(&rows, &exported, is_unchanged).await?;
        Ok(Restored { snapshot: None, n_rows: exported.n_rows(), copied })
    })
    .await
}

/// A database without rows, and a storage.
struct Target {
    db: Db,
    blobs: Blobs,
}

impl Target {
    async fn open(settings: &Settings) -> Result<Self, Error> {
        std::fs::create_dir_all(&settings.data_dir).during("make the data folder")?;
        let db = Db::connect(settings).await.during("open the database")?;
        if !dump::is_empty(&db).await.during("look whether the database is empty")? {
            let what = match &settings.database {
                store::Database::Sqlite => settings.data_dir.display().to_string(),
                database => database.to_string(),
            };
            return Err(Error::TargetNotEmpty { what });
        }
        let blobs = Blobs::open(settings).await.during("open the storage")?;
        Ok(Self { db, blobs })
    }

    /// Writes the rows, if `may_be_kept` in the end, and finds them to be those that were read.
    async fn fill(
        self,
        rows: &RowsFile,
        expected: &Exported,
        may_be_kept: impl AsyncFnOnce() -> Result<(), store::Error>,
    ) -> Result<(), Error> {
        let imported = dump::import(&self.db, expected.version, rows.blocks(), may_be_kept).await;
        imported.during("write the rows")?;
        let found = export(&self.db, expected).await.during("read the rows back")?;
        if let Some(table) = expected.difference(&found) {
            return Err(Error::NotAsRead { table: table.to_owned() });
        }
        self.db.upgrade().await.during("bring the tables to this version")?;
        self.db.close().await;
        Ok(())
    }
}

/// The digests of the tables of an export as they are in a database.
async fn export(db: &Db, like: &Exported) -> Result<Exported, store::Error> {
    let tables: Vec<&str> = like.tables.iter().map(|table| table.table.as_str()).collect();
    Ok(dump::export(db, &tables, async |_| Ok(())).await?.0)
}
