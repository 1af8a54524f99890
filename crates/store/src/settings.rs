//! What the store must be told to open: where rows and bytes live.
//!
//! Refuses to know where the settings came from. Invariant: showing a value of these types shows no secret.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::Error;

/// Where everything lives.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Folder on the local disk for the SQLite file, stored bytes, unfinished uploads and the cache.
    pub data_dir: PathBuf,
    pub database: Database,
    pub storage: Storage,
    /// What a power cut may cost; SQLite only.
    pub durability: Durability,
    /// Connections that read: beside the one writer with SQLite, all of the pool with PostgreSQL.
    pub n_readers: u32,
}

impl Settings {
    /// The embedded default: SQLite and a disk, both in `data_dir`.
    pub fn embedded(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            database: Database::Sqlite,
            storage: Storage::Disk,
            durability: Durability::Normal,
            n_readers: 4,
        }
    }
}

/// Which database holds the rows. Read from `sqlite` or a `postgres://` address.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    /// The file `reenact.db` in the data folder.
    Sqlite,
    Postgres {
        url: String,
    },
}

impl FromStr for Database {
    type Err = Error;

    fn from_str(value: &str) -> Result<Self, Error> {
        match value {
            "sqlite" => Ok(Self::Sqlite),
            url if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                Ok(Self::Postgres { url: url.to_owned() })
            }
            _ => Err(Error::Setting {
                what: "database",
                value: value.to_owned(),
                rule: "write `sqlite` or `postgres://…`",
            }),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite => f.write_str("sqlite"),
            Self::Postgres { url } => f.write_str(&without_password(url)),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Which storage holds the bytes. Read from `disk` or `s3://bucket/prefix`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Storage {
    /// The folder `blobs` in the data folder.
    Disk,
    S3(S3),
}

/// A bucket and how to reach it. What is `None` is read from the environment: `AWS_ENDPOINT_URL`,
/// `AWS_REGION`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`.
#[derive(Clone, PartialEq, Eq)]
pub struct S3 {
    pub bucket: String,
    /// Put before every key; no `/` at its ends, and possibly empty.
    pub prefix: String,
    /// Plain `http://` is taken, for stores in the same rack.
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub access_key_id: Option<String>,
    pub secret_access_key: Option<String>,
    /// Where clients reach the store themselves, if they may fetch from it by addresses that are signed for them.
    pub direct: Option<String>,
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.prefix)
    }
}

impl FromStr for Storage {
    type Err = Error;

    fn from_str(value: &str) -> Result<Self, Error> {
        if value == "disk" {
            return Ok(Self::Disk);
        }
        let (bucket, prefix) = match value.strip_prefix("s3://") {
            Some(rest) => rest.split_once('/').unwrap_or((rest, "")),
            None => ("", ""),
        };
        if bucket.is_empty() {
            let rule = "write `disk` or `s3://bucket/prefix`";
            return Err(Error::Setting { what: "storage", value: value.to_owned(), rule });
        }
        Ok(Self::S3(S3 {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_matches('/').to_owned(),
            endpoint: None,
            region: None,
            access_key_id: None,
            secret_access_key: None,
            direct: None,
        }))
    }
}

impl fmt::Display for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk => f.write_str("disk"),
            Self::S3(s3) => fmt::Debug::fmt(s3, f),
        }
    }
}

/// What a power cut may cost. The process being killed costs nothing either way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Durability {
    /// SQLite's `synchronous=NORMAL`: the database stays whole, but the last commits before a power cut may be
    /// gone.
    #[default]
    Normal,
    /// SQLite's `synchronous=FULL`: a commit is on the disk before it is acknowledged.
    Full,
}

fn without_password(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut url) if url.password().is_some() => match url.set_password(Some("***")) {
            Ok(()) => url.to_string(),
            Err(()) => "postgres://***".to_owned(),
        },
        Ok(url) => url.to_string(),
        Err(_) => "postgres://***".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_setting_hides_the_password() {
        let database: Database = "postgres://ann:hunter2@db/reenact".parse().unwrap();
        assert_eq!(format!("{database:?}"), "postgres://ann:***@db/reenact");
        let Ok(Storage::S3(mut s3)) = "s3://bucket/a/b/".parse() else { panic!("not read as S3") };
        s3.secret_access_key = Some("hunter2".to_owned());
        assert_eq!(format!("{s3:?}"), "s3://bucket/a/b");
    }

    #[test]
    fn what_is_neither_kind_is_refused() {
        assert!("mysql://x".parse::<Database>().is_err());
        assert!("s3://".parse::<Storage>().is_err());
    }
}
