//! Contract tests: the same functions over SQLite and PostgreSQL, over a disk and an S3 store.
//!
//! PostgreSQL is started by the tests from the system's package, or named by `TEST_DATABASE_URL`. Without
//! either they fail, unless `REENACT_SKIP_POSTGRES=1` says that this is known.

/// Makes of each function two tests, one for each database.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::world::on_sqlite(super::$name).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::world::on_postgres(super::$name).await;
            })+
        }
    };
}

/// Makes of each function two tests, one for each storage.
macro_rules! on_both_storages {
    ($($name:ident),+ $(,)?) => {
        mod disk {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::world::on_disk(super::$name).await;
            })+
        }
        mod s3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                crate::world::on_s3(super::$name).await;
            })+
        }
    };
}

#[cfg(test)]
mod access_requests;
#[cfg(test)]
mod accounts;
#[cfg(test)]
mod answers;
#[cfg(test)]
mod apps;
#[cfg(test)]
mod attestations;
#[cfg(test)]
mod backups;
#[cfg(test)]
mod blobs;
#[cfg(test)]
mod bucket;
#[cfg(test)]
mod chunks;
#[cfg(test)]
mod copies;
#[cfg(test)]
mod discussions;
#[cfg(test)]
mod dumps;
#[cfg(test)]
mod entries;
#[cfg(test)]
mod environments;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod likes;
#[cfg(test)]
mod links;
#[cfg(test)]
mod lists;
#[cfg(test)]
mod opening;
#[cfg(test)]
mod packing;
#[cfg(test)]
mod people;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod repositories;
#[cfg(test)]
mod revisions;
#[cfg(test)]
mod rights;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod traffic;
#[cfg(test)]
mod unreached;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod world;
