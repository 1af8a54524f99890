//! The only home of SQL and of stored bytes: SQLite or PostgreSQL, a disk or an S3 store.
//!
//! Refuses to know HTTP, and who may do what: it remembers what it is told and answers what it is asked.
//! Invariant: a row never names bytes that are not there. Bytes are stored first, durably, and then one
//! transaction names them; a process killed at any moment loses nothing that was acknowledged.

use std::path::PathBuf;

pub mod backups;
pub mod blobs;
pub mod clock;
pub mod contents;
pub mod db;
mod error;
mod settings;

pub use blobs::Blobs;
pub use contents::Contents;
pub use db::Db;
pub use error::Error;
pub use settings::{Database, Durability, S3, Settings, Storage};

/// Everything a server remembers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    pub db: Db,
    pub blobs: Blobs,
    /// Files, whole or as chunks.
    pub contents: Contents,
    /// Folder for what this process keeps on its own disk.
    pub data_dir: PathBuf,
}

impl Store {
    /// Makes the data folder if it is missing, opens the database and brings it to the newest version, and
    /// opens the storage of bytes.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let data_dir = settings.data_dir.clone();
        std::fs::create_dir_all(&data_dir).map_err(Error::io("make the folder", &data_dir))?;
        let db = Db::open(settings).await?;
        let blobs = Blobs::open(settings).await?;
        let contents = Contents::new(db.clone(), blobs.clone());
        Ok(Self { db, blobs, contents, data_dir })
    }
}
