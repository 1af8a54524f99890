//! Opening a database: first, again, together, and by the wrong version.

use sqlx::Connection;
use store::db::accounts::{self, AccountKind, NewAccount};
use store::db::secrets;
use store::{Database, Db, Error, Settings, Store};

use crate::world::{SmallDisk, account, with_postgres};

#[tokio::test]
async fn a_reopened_store_has_what_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::embedded(folder.path().join("new/data"));
    let store = Store::open(&settings).await.unwrap();
    account(&store.db, "alice").await;
    let stored = store.blobs.put(b"bytes").await.unwrap();
    store.db.close().await;
    drop(store);
    let store = Store::open(&settings).await.unwrap();
    assert!(accounts::by_name(&store.db, "alice").await.unwrap().is_some());
    assert!(store.blobs.exists(&stored.sha256).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_together_on_sqlite_all_come_up() {
    let folder = tempfile::tempdir().unwrap();
    start_together(Settings::embedded(folder.path())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_together_on_postgres_all_come_up() {
    with_postgres(start_together).await;
}

#[tokio::test]
async fn a_newer_sqlite_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::embedded(folder.path());
    Db::open(&settings).await.unwrap().close().await;
    let file = format!("sqlite://{}", folder.path().join("reenact.db").display());
    let mut raw = sqlx::SqliteConnection::connect(&file).await.unwrap();
    sqlx::raw_sql(FROM_THE_FUTURE).execute(&mut raw).await.unwrap();
    assert_refused(&settings).await;
}

#[tokio::test]
async fn a_newer_postgres_database_is_refused() {
    with_postgres(async |settings| {
        Db::open(&settings).await.unwrap().close().await;
        let Database::Postgres { url } = &settings.database else { unreachable!() };
        let mut raw = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(FROM_THE_FUTURE).execute(&mut raw).await.unwrap();
        assert_refused(&settings).await;
    })
    .await;
}

#[tokio::test]
async fn what_a_database_on_a_full_disk_acknowledged_is_there_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else {
        eprintln!("skipped: this user may not mount a small disk");
        return;
    };
    let settings = Settings::embedded(folder.path());
    let db = Db::open(&settings).await.unwrap();
    let mut n_acknowledged = 0;
    let error = loop {
        match secrets::get_or_create(&db, &format!("{n_acknowledged}"), &"x".repeat(20_000)).await {
            Ok(_) => n_acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::StorageFull { .. }), "{error:?}");
    let (n_accounts, error) = fill_with_accounts(&db).await;
    assert!(matches!(error, Error::StorageFull { .. }), "{error:?}");
    assert_eq!(accounts::list(&db, None, 1000).await.unwrap().items.len(), n_accounts);
    for n in 0..n_acknowledged {
        assert_eq!(secrets::get_or_create(&db, &format!("{n}"), "lost").await.unwrap().len(), 20_000);
    }
}

/// Creates accounts, each by one statement that answers with its row, until there is no room for one.
async fn fill_with_accounts(db: &Db) -> (usize, Error) {
    for n in 0..20_000 {
        let name = format!("{}{n}", "a".repeat(80)).parse().unwrap();
        let kind = AccountKind::User;
        let new = NewAccount { name: &name, kind, password_hash: None, is_admin: false, created_ms: 0 };
        if let Err(error) = accounts::create(db, &new).await {
            return (n, error);
        }
    }
    panic!("more was acknowledged than the disk can hold");
}

#[tokio::test]
async fn a_database_that_is_not_there_is_an_error_that_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Postgres { url: "postgres://nobody@127.0.0.1:1/none".to_owned() };
    let error = Db::open(&Settings { database, ..Settings::embedded(folder.path()) }).await.unwrap_err();
    assert_eq!(error.to_string(), "failed to open a connection in the database");
}

const FROM_THE_FUTURE: &str = "INSERT INTO migrations (version, name, applied_ms) VALUES (999, 'future', 0)";

async fn start_together(settings: Settings) {
    let servers = (0..6).map(|_| {
        let settings = settings.clone();
        tokio::spawn(async move { Db::open(&settings).await.unwrap() })
    });
    let mut open = Vec::new();
    for server in servers.collect::<Vec<_>>() {
        open.push(server.await.unwrap());
    }
    account(&open[0], "alice").await;
    for db in open {
        assert!(accounts::by_name(&db, "alice").await.unwrap().is_some());
        db.close().await;
    }
}

async fn assert_refused(settings: &Settings) {
    let error = Db::open(settings).await.unwrap_err();
    assert!(matches!(error, Error::NewerDatabase { found: 999, .. }), "{error:?}");
    assert!(error.to_string().contains("install a newer `reenact`"));
}
