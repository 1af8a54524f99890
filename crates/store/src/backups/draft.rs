//! A snapshot that is being made, in the folder of this process.
//!
//! Invariant: it gets its name once all of its files have reached the disk; one that is dropped before was never there.

use std::collections::BTreeSet;
use std::fs;

use tempfile::TempDir;

use super::{
    FORMAT, Folder, OBJECTS, Object, ROWS, RowsFile, SNAPSHOT, SNAPSHOTS, Snapshot, sync, write_synced,
};
use crate::Error;
use crate::blobs::blocking;
use crate::db::dump::Exported;
use spec::digest::Sha256;

/// A snapshot without a name.
pub struct Draft {
    folder: Folder,
    files: TempDir,
    rows: RowsFile,
    exported: Exported,
}

impl Folder {
    /// Begins a snapshot with all rows of the database as they are now; answers which stored bytes they name.
    pub async fn begin(&self, db: &crate::Db) -> Result<(Draft, Vec<Sha256>), Error> {
        let files = self.blobs.new_folder()?;
        let (rows, exported, objects) = RowsFile::write(db, files.path().join(ROWS)).await?;
        Ok((Draft { folder: self.clone(), files, rows, exported }, objects))
    }
}

impl Draft {
    /// Names it. `objects` are in the folder by now, `lost` are not.
    pub async fn finish(
        self,
        name: &str,
        made_ms: i64,
        objects: &[Object],
        lost: BTreeSet<Sha256>,
    ) -> Result<Snapshot, Error> {
        let Self { folder, files, rows, exported } = self;
        let list: String =
            objects.iter().map(|object| format!("{} {}\n", object.sha256, object.n_bytes)).collect();
        let snapshot = Snapshot {
            format: FORMAT,
            made_ms,
            rows: exported,
            n_objects: objects.len() as u64,
            object_bytes: objects.iter().map(|object| object.n_bytes).sum(),
            lost,
            rows_sha256: rows.sha256,
            objects_sha256: Sha256::of(list.as_bytes()),
        };
        let told = serde_json::to_vec_pretty(&snapshot).map_err(|error| Error::Dump(error.to_string()))?;
        let snapshots = folder.root.join(SNAPSHOTS);
        let target = snapshots.join(name);
        blocking(move || {
            write_synced(&files.path().join(OBJECTS), list.as_bytes())?;
            write_synced(&files.path().join(SNAPSHOT), &told)?;
            sync(files.path())?;
            fs::create_dir_all(&snapshots).map_err(Error::io("make the folder", &snapshots))?;
            fs::rename(files.path(), &target).map_err(Error::io("write", &target))?;
            // It has another name now, under which it stays.
            let _ = files.keep();
            sync(&snapshots)
        })
        .await?;
        Ok(snapshot)
    }
}
