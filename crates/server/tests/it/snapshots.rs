//! Backups and moves: what comes back, what is refused, and that nothing is collected meanwhile.

use std::path::Path;

use server::admin;
use server::error::{Code, Error};
use server::ops::storage::{self, Deed, Restored, collect};
use spec::digest::Sha256;
use store::db::dump::{self, Exported, TABLES};
use store::db::holds;
use store::{Database, Settings, Storage, Store, clock};

use crate::bucket;
use crate::postgres;
use crate::server::{Actor, Server};
use crate::xet::{Sample, keep_whole, push, walk};

/// A server with a file of chunks, one that is kept whole, and small ones.
async fn filled() -> Server {
    let server = Server::start_with(&[("unused_after", "0s")]).await;
    server.create("iris", "private").await;
    push(&server, "iris", &Sample::new(11)).await;
    keep_whole(&server, "old.txt", b"kept whole").await;
    server.push("iris", &[("small.txt", b"small"), ("deep/empty", b"")]).await;
    server
}

async fn rows(settings: &Settings) -> Exported {
    let store = Store::open(settings).await.unwrap();
    let exported = dump::export(&store.db, TABLES, async |_| Ok(())).await.unwrap().0;
    store.db.close().await;
    exported
}

/// All files of [`filled`] can be read there.
async fn assert_whole(settings: &Settings) {
    let store = Store::open(settings).await.unwrap();
    for bytes in [Sample::new(11).bytes(), b"kept whole".to_vec(), b"small".to_vec(), Vec::new()] {
        let found = store.contents.read_all(&Sha256::of(&bytes), 10_000_000).await.unwrap();
        assert!(found == bytes);
    }
    store.db.close().await;
}

async fn migrate(from: &Settings, to: &Settings) -> Result<Restored, Error> {
    storage::migrate(from, to, &|_| ()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_moves_to_postgres_and_a_bucket_and_back() {
    let Some(database) = postgres::server() else {
        eprintln!("skipped: REENACT_SKIP_POSTGRES is set");
        return;
    };
    let (database, drop_database) = new_database(database).await;
    let bucket = bucket::serve().await;
    let server = filled().await;
    let first = Settings::embedded(server.folder.path());
    let (far, back) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (database, storage) = (Database::Postgres { url: database }, Storage::S3(bucket.settings.clone()));
    let far = Settings { database, storage, ..Settings::embedded(far.path()) };
    let back = Settings::embedded(back.path().join("new/folder"));

    let refused = migrate(&first, &far).await.unwrap_err();
    assert!(matches!(refused, Error::SourceInUse { .. }), "{refused}");
    let folder = server.stop();
    let before = rows(&first).await;
    let moved = migrate(&first, &far).await.unwrap();
    assert!(
        moved.copied.lost.is_empty() && moved.copied.n_copied >= 3 && moved.copied.n_there == 0,
        "{moved:?}"
    );
    assert_eq!((rows(&far).await, moved.n_rows), (before.clone(), before.n_rows()));
    assert_whole(&far).await;
    let again = migrate(&first, &far).await.unwrap_err();
    assert_eq!(again.code(), Code::TargetNotEmpty, "{again}");
    // What was moved does not need where it came from.
    folder.close().unwrap();
    let moved = migrate(&far, &back).await.unwrap();
    assert!(moved.copied.lost.is_empty(), "{moved:?}");
    assert_eq!(rows(&back).await, before);
    assert_whole(&back).await;
    drop_database().await;
}

/// An empty database, and what removes it.
async fn new_database(server: &str) -> (String, impl AsyncFnOnce()) {
    let name = format!("reenact_copies_{}", std::process::id());
    let run = async |verb: &str, how: &str| {
        let mut psql = tokio::process::Command::new("psql");
        psql.args(["-q", "-d", server, "-c", &format!("{verb} DATABASE {name} {how}")]);
        assert!(psql.status().await.unwrap().success());
    };
    run("CREATE", "").await;
    let mut url = server.parse::<url::Url>().unwrap();
    url.set_path(&name);
    let (url, server) = (url.to_string(), server.to_owned());
    let remove = async move || {
        let mut psql = tokio::process::Command::new("psql");
        psql.args(["-q", "-d", &server, "-c", &format!("DROP DATABASE {name} WITH (FORCE)")]);
        assert!(psql.status().await.unwrap().success());
    };
    (url, remove)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_is_backed_up_and_a_move_that_broke_off_goes_on() {
    let bucket = bucket::serve().await;
    let server = filled().await;
    let first = Settings::embedded(server.folder.path());
    let _folder = server.stop();
    let (far, root, new) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let far = Settings { storage: Storage::S3(bucket.settings.clone()), ..Settings::embedded(far.path()) };
    // Of one that was killed the bytes of one object are there.
    let object = {
        let (store, blobs) = (Store::open(&first).await.unwrap(), store::Blobs::open(&far).await.unwrap());
        let object = dump::objects(&store.db).await.unwrap()[0];
        blobs.copy_from(&store.blobs, &object).await.unwrap();
        object
    };
    let moved = migrate(&first, &far).await.unwrap();
    assert_eq!(moved.copied.n_there, 1, "{object} was there");

    let app = app(&far).await;
    let made = storage::backup(&app, root.path(), &|_| ()).await.unwrap();
    assert!(made.copied.lost.is_empty() && made.n_objects == made.copied.n_copied, "{made:?}");
    let to = Settings::embedded(new.path());
    let restored = storage::restore(root.path(), None, &to, &|_| ()).await.unwrap();
    assert_eq!(restored.snapshot, Some(made.snapshot));
    assert_eq!(rows(&to).await, rows(&far).await);
    assert_whole(&to).await;
}

async fn app(settings: &Settings) -> std::sync::Arc<server::app::App> {
    use server::gateway::Gateway;
    let store = Store::open(settings).await.unwrap();
    let flags = [("data".to_owned(), settings.data_dir.to_str().unwrap().to_owned())];
    let settings = server::settings::Settings::load(&flags.into(), |_| None, None).unwrap();
    let launcher = server::provider::Launcher { program: "/nonexistent/reenact".into() };
    server::app::App::new(settings.clone(), store, Gateway::new(launcher, &settings))
}

#[tokio::test]
async fn nothing_is_collected_while_it_is_copied() {
    let server = filled().await;
    let body = serde_json::json!({ "name": "iris", "organization": "alice" });
    let db = &server.app.store.db;
    let named = dump::objects(db).await.unwrap();
    holds::take(db, "test", clock::now_ms() + 60_000).await.unwrap();
    let request = server.request(Actor::Owner, reqwest::Method::DELETE, "/api/repos/delete").json(&body);
    assert!(request.send().await.unwrap().status().is_success());
    let refused = collect(&server.app, Deed::Collect).await.unwrap_err();
    assert!(matches!(refused, Error::BackupUnderWay), "{refused}");
    for object in &named {
        assert!(server.app.store.blobs.exists(object).await.unwrap());
    }
    holds::release(db, "test", clock::now_ms()).await.unwrap();
    assert!(collect(&server.app, Deed::Collect).await.unwrap().n_xorbs > 0);
}

#[tokio::test]
async fn what_is_damaged_is_put_back_and_what_no_copy_has_is_named() {
    let server = filled().await;
    let root = tempfile::tempdir().unwrap();
    let settings = server.app.settings.clone();
    assert!(matches!(storage::second_copy(root.path()), Err(Error::NoCopy { .. })));
    admin::back_up(&settings, root.path(), &|_| ()).await.unwrap();
    server.push("iris", &[("later.txt", b"after the backup")]).await;
    let blobs = server.folder.path().join("blobs");
    let in_backup = |path: &Path| root.path().join("blobs").join(path.strip_prefix(&blobs).unwrap()).exists();
    let (old, new): (Vec<_>, Vec<_>) = walk(&blobs).into_iter().partition(|path| in_backup(path));
    assert_eq!(new.len(), 1);
    flip(&old[0]);
    std::fs::remove_file(&old[1]).unwrap();
    flip(&new[0]);
    let findings = async |copy: Option<&Path>| {
        let mut findings = Vec::new();
        let checked = admin::check_storage(&settings, copy, |finding| findings.push(finding)).await.unwrap();
        (checked.n_repaired, checked.n_findings, findings)
    };
    let (n_repaired, n_findings, _) = findings(None).await;
    assert!(n_repaired == 0 && n_findings > 3);
    let (n_repaired, _, found) = findings(Some(root.path())).await;
    assert_eq!(n_repaired, 2);
    let lost = |finding: &storage::Finding| match finding {
        storage::Finding::Lost { path, .. } => Some(path.clone()),
        _ => None,
    };
    assert_eq!(found.iter().filter_map(lost).collect::<Vec<_>>(), ["later.txt"], "{found:?}");
}

/// Another byte in the middle of a stored file.
fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, bytes).unwrap();
}
