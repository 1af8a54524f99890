//! What every test starts from: an empty database or storage, and a few words to fill it with.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use spec::digest::Sha256;
use spec::git;
use spec::name::{AccountName, RepositoryKind, RepositoryName};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use store::blobs::Stored;
use store::db::accounts::{self, Account, AccountKind, NewAccount};
use store::db::refs::RefKind;
use store::db::repositories::{self, NewRepository, Repository};
use store::db::revisions::{self, Change, Committed, IfUnchanged, NewRevision, Squash};
use store::db::uploads;
use store::{Blobs, Database, Db, Error, Settings, Storage};

use crate::{bucket, postgres};

/// A moment: 2026-01-01 00:00 UTC.
pub(crate) const NOW_MS: i64 = 1_767_225_600_000;

pub(crate) async fn on_sqlite(test: impl AsyncFnOnce(Db)) {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&Settings::embedded(folder.path())).await.unwrap();
    test(db.clone()).await;
    db.close().await;
}

pub(crate) async fn on_postgres(test: impl AsyncFnOnce(Db)) {
    with_postgres(async |settings| {
        let db = Db::open(&settings).await.unwrap();
        test(db.clone()).await;
        db.close().await;
    })
    .await;
}

/// Settings for an empty PostgreSQL database that is gone after the test.
pub(crate) async fn with_postgres(test: impl AsyncFnOnce(Settings)) {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let Some(server) = postgres::server() else {
        eprintln!("skipped: REENACT_SKIP_POSTGRES is set");
        return;
    };
    let name = format!("reenact_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::connect(server).await.unwrap();
    let run = |sql: String| sqlx::raw_sql(AssertSqlSafe(sql));
    run(format!("CREATE DATABASE {name}")).execute(&mut admin).await.unwrap();
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(&name);
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Postgres { url: url.to_string() };
    test(Settings { database, ..Settings::embedded(folder.path()) }).await;
    run(format!("DROP DATABASE {name} WITH (FORCE)")).execute(&mut admin).await.unwrap();
}

/// A storage under test, and where its files are.
pub(crate) struct Bytes {
    pub(crate) blobs: Blobs,
    pub(crate) settings: Settings,
    /// The folder in which the stored files lie, in the storage's own layout.
    pub(crate) files: PathBuf,
}

pub(crate) async fn on_disk(test: impl AsyncFnOnce(Bytes)) {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::embedded(folder.path());
    let blobs = Blobs::open(&settings).await.unwrap();
    test(Bytes { blobs, settings, files: folder.path().join("blobs") }).await;
}

pub(crate) async fn on_s3(test: impl AsyncFnOnce(Bytes)) {
    let folder = tempfile::tempdir().unwrap();
    let server = bucket::serve().await;
    let storage = Storage::S3(server.settings.clone());
    let settings = Settings { storage, ..Settings::embedded(folder.path()) };
    let blobs = Blobs::open(&settings).await.unwrap();
    let files = server.folder.path().join("models/deep/prefix/blobs");
    test(Bytes { blobs, settings, files }).await;
}

pub(crate) async fn account(db: &Db, name: &str) -> Account {
    let name: AccountName = name.parse().unwrap();
    let new = NewAccount {
        name: &name,
        kind: AccountKind::User,
        password_hash: None,
        is_admin: false,
        created_ms: NOW_MS,
    };
    accounts::create(db, &new).await.unwrap()
}

pub(crate) fn repository_name(name: &str) -> RepositoryName {
    name.parse().unwrap()
}

/// A public model of that account, without commits.
pub(crate) async fn repository(db: &Db, owner: &Account, name: &str) -> Repository {
    create(db, owner, name, false).await.unwrap()
}

pub(crate) async fn create(
    db: &Db,
    owner: &Account,
    name: &str,
    is_private: bool,
) -> Result<Repository, Error> {
    let name = repository_name(&format!("{}/{name}", owner.name));
    let new = NewRepository {
        owner_id: owner.id,
        kind: RepositoryKind::Model,
        name: &name,
        is_private,
        created_ms: NOW_MS,
    };
    repositories::create(db, &new).await
}

/// A file whose content is the given text.
pub(crate) fn put(path: &str, text: &str) -> Change {
    let bytes = text.as_bytes();
    Change::Put {
        path: path.parse().unwrap(),
        sha256: Sha256::of(bytes),
        git_oid: git::blob(bytes),
        n_bytes: bytes.len() as u64,
    }
}

pub(crate) fn delete(path: &str) -> Change {
    Change::Delete { path: path.parse().unwrap() }
}

/// A commit to `main`, wherever that stands.
pub(crate) async fn commit(
    db: &Db,
    to: &Repository,
    title: &str,
    changes: &[Change],
) -> Result<Committed, Error> {
    sent(db, to, changes).await;
    let branch = "main".parse().unwrap();
    revisions::commit(db, &NewRevision { title, changes, ..new_revision(to, &branch) }).await
}

/// Notes that the repository was sent what these changes name.
pub(crate) async fn sent(db: &Db, to: &Repository, changes: &[Change]) {
    for change in changes {
        if let Change::Put { sha256, git_oid, n_bytes, .. } = *change {
            uploads::put(db, to.id, &Stored { sha256, git_oid, n_bytes }, NOW_MS).await.unwrap();
        }
    }
}

pub(crate) fn new_revision<'a>(to: &Repository, branch: &'a spec::name::RefName) -> NewRevision<'a> {
    NewRevision {
        repository_id: to.id,
        ref_kind: RefKind::Branch,
        branch,
        expected_parent: None,
        changes: &[],
        title: "a commit",
        description: "",
        author: "alice",
        now_ms: NOW_MS,
        if_unchanged: IfUnchanged::Keep,
        follow_up: None,
    }
}

/// A disk of 4 MB in memory.
pub(crate) struct SmallDisk<'a>(&'a Path);

impl<'a> SmallDisk<'a> {
    /// `None` where this user may not.
    pub(crate) fn mount(folder: &'a Path) -> Option<Self> {
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder).output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).output();
    }
}

/// The whole of a branch made one commit.
pub(crate) fn squash<'a>(of: &Repository, branch: &'a spec::name::RefName) -> Squash<'a> {
    Squash {
        repository_id: of.id,
        branch,
        title: "all",
        description: "",
        author: "alice",
        now_ms: NOW_MS + 1000,
        follow_up: None,
    }
}
