//! Folders of backups, and stored bytes that go from one storage to another.

use std::collections::BTreeSet;
use std::fs;

use futures_util::TryStreamExt;
use spec::digest::Sha256;
use store::backups::{Folder, Object};
use store::db::dump;
use store::{Blobs, Db, Error, Settings, Store};

use crate::bucket::{self, Faults};
use crate::world::{Bytes, account};

on_both_storages!(bytes_are_copied_and_what_is_wrong_is_replaced);

async fn bytes_are_copied_and_what_is_wrong_is_replaced(to: Bytes) {
    let folder = tempfile::tempdir().unwrap();
    let from = Blobs::open(&Settings::embedded(folder.path())).await.unwrap();
    let copy = Blobs::read_only(folder.path());
    for bytes in [b"small".to_vec(), vec![7; 9_000_000], Vec::new()] {
        let sha256 = from.put(&bytes).await.unwrap().sha256;
        assert_eq!(to.blobs.copy_from(&copy, &sha256).await.unwrap(), bytes.len() as u64);
        assert!(to.blobs.read_all(&sha256, 10_000_000).await.unwrap() == bytes);
    }
    let sha256 = Sha256::of(b"small");
    let hex = sha256.to_string();
    let file = to.files.join(&hex[..2]).join(&hex[2..4]).join(&hex);
    fs::remove_file(&file).unwrap();
    fs::write(&file, "smalm").unwrap();
    to.blobs.copy_from(&copy, &sha256).await.unwrap();
    assert_eq!(to.blobs.read_all(&sha256, 9).await.unwrap(), b"small");
    // What the source has not, or not as it was, is not taken.
    let none = Sha256::of(b"none");
    assert!(matches!(to.blobs.copy_from(&copy, &none).await, Err(Error::NoBlob(_))));
    let source = folder.path().join("blobs").join(&hex[..2]).join(&hex[2..4]).join(&hex);
    fs::remove_file(&source).unwrap();
    fs::write(&source, "smell").unwrap();
    assert!(matches!(to.blobs.copy_from(&copy, &sha256).await, Err(Error::Damaged { .. })));
    assert_eq!(to.blobs.read_all(&sha256, 9).await.unwrap(), b"small");
    assert!(copy.put(b"written").await.is_err(), "it is to be read only");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_now_and_then_is_copied_whole() {
    let server = bucket::serve_with(Faults::Some).await;
    let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let storage = store::Storage::S3(server.settings.clone());
    let bucket = Blobs::open(&Settings { storage, ..Settings::embedded(far.path()) }).await.unwrap();
    let disk = Blobs::open(&Settings::embedded(near.path())).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let back = Blobs::open(&Settings::embedded(other.path())).await.unwrap();
    for n in 0..20_u8 {
        let sha256 = disk.put(&vec![n; 400_000]).await.unwrap().sha256;
        bucket.copy_from(&disk, &sha256).await.unwrap();
        back.copy_from(&bucket, &sha256).await.unwrap();
        assert!(back.read_all(&sha256, 400_000).await.unwrap() == vec![n; 400_000]);
    }
}

#[tokio::test]
async fn a_snapshot_has_its_name_when_it_is_whole() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = Store::open(&Settings::embedded(data.path())).await.unwrap();
    account(&store.db, "alice").await;
    let folder = Folder::create(root.path()).await.unwrap();
    drop(folder.begin(&store.db).await.unwrap());
    assert!(folder.snapshots().await.unwrap().is_empty());
    let (draft, named) = folder.begin(&store.db).await.unwrap();
    assert!(named.is_empty());
    let object = Object { sha256: folder.blobs.put(b"bytes").await.unwrap().sha256, n_bytes: 5 };
    let lost = BTreeSet::from([Sha256::of(b"lost")]);
    let made = draft.finish("1", 7, &[object], lost.clone()).await.unwrap();
    assert_eq!((made.n_objects, made.object_bytes, &made.lost), (1, 5, &lost));

    let reader = Folder::open(root.path()).await.unwrap();
    assert_eq!(reader.snapshots().await.unwrap(), ["1"]);
    assert_eq!(reader.snapshot("1").await.unwrap(), made);
    assert_eq!(reader.objects("1", &made).await.unwrap(), [object]);
    let rows = reader.rows("1", &made).await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let db = Db::connect(&Settings::embedded(other.path())).await.unwrap();
    dump::import(&db, made.rows.version, rows.blocks(), async || Ok(())).await.unwrap();
    assert!(store::db::accounts::by_name(&db, "alice").await.unwrap().is_some());
    let n_bytes: usize =
        rows.blocks().map_ok(|block| block.len()).try_collect::<Vec<_>>().await.unwrap().iter().sum();
    assert!(n_bytes > 1000);

    let flip = |name: &str| {
        let path = root.path().join("snapshots/1").join(name);
        let mut bytes = fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(path, bytes).unwrap();
    };
    flip("rows.jsonl.gz");
    flip("objects.txt");
    assert!(matches!(reader.rows("1", &made).await, Err(Error::DamagedBackup { .. })));
    assert!(matches!(reader.objects("1", &made).await, Err(Error::DamagedBackup { .. })));
    let missing = reader.snapshot("2").await;
    assert!(matches!(missing, Err(Error::NotFound { what: "snapshot", .. })), "{missing:?}");
    assert!(matches!(reader.snapshot("../1").await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_folder_of_something_else_is_left_alone() {
    let root = tempfile::tempdir().unwrap();
    let opened = Folder::open(root.path()).await;
    assert!(matches!(opened, Err(Error::NotABackup { .. })), "{opened:?}");
    let file = root.path().join("thesis.tex");
    fs::write(&file, "").unwrap();
    let refused = Folder::create(root.path()).await;
    assert!(matches!(refused, Err(Error::NotABackup { .. })), "{refused:?}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    let newer = root.path().join("newer");
    fs::create_dir(&newer).unwrap();
    fs::write(newer.join("reenact-backup.json"), "{\"format\": 9, \"more\": 1}").unwrap();
    for refused in [Folder::open(&newer).await, Folder::create(&newer).await] {
        assert!(matches!(refused, Err(Error::NewerBackup { found: 9, .. })), "{refused:?}");
    }
}

#[tokio::test]
async fn another_process_in_a_data_folder_is_seen() {
    let data = tempfile::tempdir().unwrap();
    assert!(!Blobs::is_in_use(data.path()).await.unwrap());
    let blobs = Blobs::open(&Settings::embedded(data.path())).await.unwrap();
    assert!(Blobs::is_in_use(data.path()).await.unwrap());
    drop(blobs);
    assert!(!Blobs::is_in_use(data.path()).await.unwrap());
}
