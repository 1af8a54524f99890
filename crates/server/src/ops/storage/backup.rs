//! Backups: all rows as they stood at one moment, and the stored bytes that they name.
//!
//! Runs beside servers that take files meanwhile. Why that is whole: a row never names bytes that are not there, so all
//! that the rows of one moment name is there at that moment; these bytes are never changed, and are held from before
//! that moment until they are copied. Invariant: at whatever moment this ends, earlier snapshots are as they were, and
//! what was copied need not be copied again.

use std::path::Path;

use serde::Serialize;
use store::backups::Folder;
use store::clock;

use super::copy::{Copied, Tell, copy, held, measure};
use crate::app::App;
use crate::error::{During, Error};
use crate::text;

/// A snapshot that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackedUp {
    pub snapshot: String,
    pub n_rows: u64,
    pub n_objects: u64,
    pub object_bytes: u64,
    #[serde(flatten)]
    pub copied: Copied,
}

/// Makes a snapshot in this folder.
pub async fn backup(app: &App, folder: &Path, tell: Tell<'_>) -> Result<BackedUp, Error> {
    let folder = Folder::create(folder).await.during("open the folder of backups")?;
    held(&app.store.db, async {
        let made_ms = clock::now_ms();
        let (draft, named) = folder.begin(&app.store.db).await.during("write the rows")?;
        let mut copied = Copied::default();
        let mut objects = measure(&app.store.blobs, named, &mut copied).await?;
        copy((&app.store.blobs, &folder.blobs), &objects, &mut copied, tell).await?;
        let lost = copied.lost_objects();
        objects.retain(|object| !lost.contains(&object.sha256));
        // No `:`, which not all disks take.
        let name = text::rfc3339(made_ms).replace(':', "-");
        let snapshot = draft.finish(&name, made_ms, &objects, lost).await.during("name the snapshot")?;
        Ok(BackedUp {
            snapshot: name,
            n_rows: snapshot.rows.n_rows(),
            n_objects: snapshot.n_objects,
            object_bytes: snapshot.object_bytes,
            copied,
        })
    })
    .await
}
