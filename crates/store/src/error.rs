//! What can go wrong in the store.
//!
//! Variants that callers branch on carry what they need to answer; the rest carry the operation, with the
//! cause in `source`. No message holds a secret or a value bound to a query.

use std::fmt::Display;
use std::io;
use std::path::{Path, PathBuf};

use spec::digest::{Oid, Sha256};
use sqlx::error::DatabaseError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A unique name is taken. `what` is the noun: `account`, `repository`, `branch`, `tag`, …
    #[error("the {what} `{name}` already exists")]
    AlreadyExists { what: &'static str, name: String },

    /// What a change was to be made to is not there.
    #[error("there is no {what} `{name}`")]
    NotFound { what: &'static str, name: String },

    /// The branch moved on since its writer looked. `current` is where it stands, `None` if it has no commit.
    #[error("the branch `{branch}` has moved on")]
    StaleParent { branch: String, current: Option<Oid> },

    /// A commit deletes a file or folder that is not there.
    #[error("there is no file `{path}`")]
    EntryNotFound { path: String },

    /// A commit would make one path both a file and a folder.
    #[error("`{path}` cannot be a file: `{other}` needs it as a folder, or the other way round")]
    PathConflict { path: String, other: String },

    /// What is to be deleted still holds something.
    #[error("the {what} `{name}` is not empty")]
    NotEmpty { what: &'static str, name: String },

    /// Nobody would be left to administer an organisation.
    #[error("an organisation keeps at least one member who administers it")]
    LastAdmin,

    /// Nobody would be left to administer the server.
    #[error("a server keeps at least one account that administers it")]
    LastServerAdmin,

    /// A job is no longer the worker's: its lease ran out, or it is finished.
    #[error("the job `{job}` is not leased to the worker `{worker}`")]
    LeaseLost { job: i64, worker: String },

    /// A cursor that no list gave out.
    #[error("`{0}` is not a cursor of this list")]
    Cursor(String),

    #[error("`{value}` is not a {what}: {rule}")]
    Setting { what: &'static str, value: String, rule: &'static str },

    /// The database was written by a newer version of the program.
    #[error(
        "the database has version {found}, but this program knows only {known}: install a newer `reenact`"
    )]
    NewerDatabase { found: i64, known: i64 },

    /// Somebody copies what is stored, and it has to stay meanwhile.
    #[error("what is stored is being copied, and has to stay meanwhile")]
    Held,

    /// Rows were written while they were to stay as they are.
    #[error("the table `{table}` was written to meanwhile")]
    Changed { table: String },

    /// Lines that are no export of these tables.
    #[error("the rows cannot be read: {0}")]
    Dump(String),

    /// A folder that holds no backup.
    #[error("`{}` is no folder of backups", path.display())]
    NotABackup { path: PathBuf },

    /// A backup that a newer version of the program made.
    #[error("the backup has format {found}, but this program knows only {known}: install a newer `reenact`")]
    NewerBackup { found: u32, known: u32 },

    /// A file of a snapshot that is not what it was.
    #[error("`{}` is damaged: {reason}", path.display())]
    DamagedBackup { path: PathBuf, reason: String },

    /// The database could not do it.
    #[error("failed to {operation} in the database")]
    Database {
        operation: &'static str,
        #[source]
        source: sqlx::Error,
    },

    /// No room is left for bytes, or the writer's quota is used up.
    #[error("the storage is full")]
    StorageFull {
        #[source]
        source: io::Error,
    },

    /// There are no bytes of this digest.
    #[error("no bytes are stored under `{0}`")]
    NoBlob(Sha256),

    /// Fewer or more bytes came than were announced.
    #[error("{expected_bytes} bytes were announced, but {found_bytes} came")]
    WrongLength { expected_bytes: u64, found_bytes: u64 },

    /// Other bytes came than were announced.
    #[error("bytes with the SHA-256 `{expected}` were announced, but `{found}` came")]
    WrongDigest { expected: Sha256, found: Sha256 },

    /// An upload lacks a part, or never was.
    #[error("the upload `{upload}` has no part {number}")]
    NoPart { upload: String, number: u32 },

    /// Stored bytes are not what they were.
    #[error("the bytes stored under `{expected}` are damaged: {found}")]
    Damaged { expected: Sha256, found: String },

    /// Bytes that are not the xorb they were said to be.
    #[error(transparent)]
    Xorb(#[from] spec::xet::xorb::XorbError),

    /// A range begins behind the last byte.
    #[error("the range begins at {start}, but there are {size_bytes} bytes")]
    Range { start: u64, size_bytes: u64 },

    #[error("failed to {operation} `{}`", path.display())]
    Io {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: io::Error,
    },

    #[error("failed to {operation} in the object store")]
    ObjectStore {
        operation: &'static str,
        #[source]
        source: object_store::Error,
    },
}

impl Error {
    pub(crate) fn not_found(what: &'static str, name: impl Display) -> Self {
        Self::NotFound { what, name: name.to_string() }
    }

    /// Says what failed at which path; a full disk is a variant of its own, whatever was being done.
    pub(crate) fn io(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::StorageFull { source },
            _ => Self::Io { operation, path: path.to_owned(), source },
        }
    }

    /// Says what failed in the database; a full disk is told apart, as SQLite and PostgreSQL number it.
    pub(crate) fn database(operation: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        Self::database_each(operation)
    }

    /// The same for each of many.
    pub(crate) fn database_each(operation: &'static str) -> impl Fn(sqlx::Error) -> Self {
        move |source| match source.as_database_error().and_then(DatabaseError::code).as_deref() {
            Some("13" | "53100") => {
                Self::StorageFull { source: io::Error::new(io::ErrorKind::StorageFull, source) }
            }
            _ => Self::Database { operation, source },
        }
    }

    /// Whether this says that a unique name was taken.
    pub fn is_already_exists(&self) -> bool {
        matches!(self, Self::AlreadyExists { .. })
    }

    /// A violated uniqueness becomes [`Error::AlreadyExists`]; anything else stays as it is. SQLite does not
    /// name the constraint, so the place of the call says which noun it was.
    pub(crate) fn if_taken(self, what: &'static str, name: impl Display) -> Self {
        match self {
            Self::Database { source: sqlx::Error::Database(cause), .. } if cause.is_unique_violation() => {
                Self::AlreadyExists { what, name: name.to_string() }
            }
            other => other,
        }
    }

    /// Names what hangs on a row that is gone: a violated foreign key becomes [`Error::NotFound`].
    pub(crate) fn if_missing(self, what: &'static str, name: impl Display) -> Self {
        match self {
            Self::Database { source: sqlx::Error::Database(cause), .. }
                if cause.is_foreign_key_violation() =>
            {
                Self::not_found(what, name)
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_other_failures() {
        let path = Path::new("file");
        let full = Error::io("write", path)(io::ErrorKind::StorageFull.into());
        assert!(matches!(full, Error::StorageFull { .. }));
        let denied = Error::io("write", path)(io::ErrorKind::PermissionDenied.into());
        assert_eq!(denied.to_string(), "failed to write `file`");
    }
}
