//! Copies of all that a server has: backups, and moves to another database or storage.

use std::path::PathBuf;

use clap::Args;

use super::local::Place;

/// Make a snapshot of everything in a folder of backups; the server may be running
///
/// A snapshot is all rows of the database as they stood at one moment, and the stored files that they name. Files that
/// the folder has from earlier snapshots are not copied again. Whoever can read the folder can do what the server can:
/// it has the server's keys.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact admin backup /mnt/backup --data ./reenact-data
  reenact admin backup /mnt/backup --data ./reenact-data --json")]
pub struct AdminBackup {
    /// Folder of backups; made if there is none
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    #[command(flatten)]
    pub place: Place,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Put a snapshot into a new data folder, or into an empty database
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact admin restore /mnt/backup --data ./restored
  reenact admin restore /mnt/backup --snapshot 2026-11-22T03-40-12.345Z --data ./restored
  reenact admin restore /mnt/backup --data ./restored --database postgres://reenact@db/reenact --storage s3://models")]
pub struct AdminRestore {
    /// Folder of backups
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Which snapshot [default: the newest]
    #[arg(long, value_name = "NAME")]
    pub snapshot: Option<String>,
    #[command(flatten)]
    pub target: Target,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Move everything to another database, another storage, or both; the server must not be running
///
/// The source stays as it is. All files are copied first, each checked by its SHA-256; then all rows in one go, read back
/// and compared. One that broke off can be run again and copies what is missing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  reenact admin migrate --from-data ./reenact-data --data ./new --database postgres://reenact@db/reenact
  reenact admin migrate --from-data ./reenact-data --data ./new --storage s3://models/reenact
  reenact admin migrate --from-data ./new --from-database postgres://reenact@db/reenact --data ./back")]
pub struct AdminMigrate {
    /// The data folder that is moved
    #[arg(long, value_name = "DIR")]
    pub from_data: String,
    /// The database that is moved, where it is not in that folder
    #[arg(long, value_name = "URL")]
    pub from_database: Option<String>,
    /// The storage that is moved, where it is not in that folder
    #[arg(long, value_name = "URL")]
    pub from_storage: Option<String>,
    #[command(flatten)]
    pub target: Target,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Where things are put.
#[derive(Debug, Args)]
pub struct Target {
    #[command(flatten)]
    pub place: Place,
    /// The server's storage, where it is not in the data folder
    #[arg(long, value_name = "URL")]
    pub storage: Option<String>,
}
