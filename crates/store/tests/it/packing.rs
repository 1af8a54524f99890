//! Files that arrive whole and are kept as chunks: in how much room, and that nothing of them is lost.

use std::path::Path;

use futures_util::TryStreamExt;
use spec::digest::Sha256;
use spec::git;
use store::blobs::Stored;
use store::contents::{Receipt, Stamp};
use store::{Error, Store};

use crate::bucket;
use crate::world::{Bytes, NOW_MS, SmallDisk, account, repository};

on_both_storages!(
    files_of_any_size_come_back,
    many_small_files_are_stored_together,
    many_files_are_read_one_behind_the_other,
    a_later_version_costs_what_changed,
    what_is_stored_already_is_not_stored_again,
    the_same_from_two_at_once_is_kept_once,
    what_is_not_what_was_announced_leaves_nothing,
    a_file_whose_length_was_not_known_comes_back,
);

const RECEIPT: Receipt = Receipt { repository: None, now_ms: NOW_MS };

/// Bytes that do not repeat.
fn noise(seed: u64, n: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..n.div_ceil(8)).flat_map(|_| next()).collect();
    bytes.truncate(n);
    bytes
}

async fn put(store: &Store, stamp: u8, files: &[Vec<u8>]) -> Result<Vec<Stored>, Error> {
    let mut packing = store.contents.packing(Stamp([stamp; 16]));
    for file in files {
        packing.begin(file.len() as u64);
        for piece in file.chunks(300_007) {
            packing.write(piece).await?;
        }
        packing.end();
    }
    packing.finish(RECEIPT).await
}

/// How many objects are stored, and their bytes.
async fn stored(store: &Store) -> (usize, u64) {
    let found = store.blobs.list(None, 1000).await.unwrap().items;
    (found.len(), found.iter().map(|found| found.n_bytes).sum())
}

async fn read(store: &Store, sha256: &Sha256) -> Vec<u8> {
    store.contents.read_all(sha256, u64::MAX).await.unwrap()
}

async fn files_of_any_size_come_back(world: Bytes) {
    let store = Store::open(&world.settings).await.unwrap();
    let sizes = [0, 1, 8191, 8192, 131_072, 131_073, 1_048_576, 3_000_000, 0];
    let mut files: Vec<Vec<u8>> = sizes.iter().zip(1..).map(|(n, seed)| noise(seed, *n)).collect();
    files.push(vec![7; 2_000_000]);
    files.push(b"some text\n".repeat(30_000));
    let done = put(&store, 1, &files).await.unwrap();
    for (file, stored) in files.iter().zip(&done) {
        assert_eq!((stored.n_bytes, stored.git_oid), (file.len() as u64, git::blob(file)));
        assert_eq!(stored.sha256, Sha256::of(file));
        assert!(read(&store, &stored.sha256).await == *file, "{} bytes", file.len());
        let path = store.contents.local_path(&stored.sha256).await.unwrap();
        assert!(std::fs::read(path).unwrap() == *file);
    }
    for range in [0..1, 999_999..2_000_001, 2_999_990..3_000_000] {
        let wanted = range.start as u64..range.end as u64;
        let reading = store.contents.read(&done[7].sha256, Some(wanted)).await.unwrap();
        let blocks: Vec<bytes::Bytes> = reading.stream.try_collect().await.unwrap();
        assert!(blocks.concat() == files[7][range]);
    }
    let (n_objects, n_bytes) = stored(&store).await;
    assert_eq!(n_objects, 1);
    assert!(n_bytes < 4_600_000, "what repeats takes no room: {n_bytes}");
}

async fn many_small_files_are_stored_together(world: Bytes) {
    let store = Store::open(&world.settings).await.unwrap();
    let files: Vec<Vec<u8>> =
        (0..2000).map(|n| noise(n + 1, 1 + usize::try_from(n * 7 % 3000).unwrap())).collect();
    let done = put(&store, 1, &files).await.unwrap();
    assert_eq!(stored(&store).await.0, 1);
    for (file, stored) in files.iter().zip(&done).step_by(97) {
        assert!(read(&store, &stored.sha256).await == *file);
    }
    let again = put(&store, 2, &files).await.unwrap();
    assert_eq!((again, stored(&store).await.0), (done, 1));
}

async fn many_files_are_read_one_behind_the_other(world: Bytes) {
    let store = Store::open(&world.settings).await.unwrap();
    // More than there are connections of the database; some empty, one large, one kept whole, one wanted twice.
    let mut files: Vec<Vec<u8>> = (0..200).map(|seed| noise(seed + 1, seed as usize * 97 % 20_011)).collect();
    files.insert(100, noise(777, 5_000_000));
    let mut wanted: Vec<Sha256> =
        put(&store, 1, &files).await.unwrap().iter().map(|stored| stored.sha256).collect();
    let whole = noise(778, 3_000_000);
    wanted.insert(50, store.blobs.put(&whole).await.unwrap().sha256);
    files.insert(50, whole);
    wanted.push(wanted[7]);
    files.push(files[7].clone());
    let stream = store.contents.read_several(&wanted).await.unwrap();
    let blocks: Vec<bytes::Bytes> = stream.try_collect().await.unwrap();
    assert!(blocks.concat() == files.concat());

    wanted.insert(150, Sha256::of(b"nobody has this"));
    let stream = store.contents.read_several(&wanted).await.unwrap();
    let error = stream.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, Error::NoBlob(_)), "{error}");
}

async fn a_later_version_costs_what_changed(world: Bytes) {
    let store = Store::open(&world.settings).await.unwrap();
    let first = noise(1, 12_000_000);
    put(&store, 1, std::slice::from_ref(&first)).await.unwrap();
    let (_, before) = stored(&store).await;
    let mut second = first.clone();
    second.splice(1_000_000..1_000_000, noise(2, 1024));
    let done = put(&store, 2, std::slice::from_ref(&second)).await.unwrap();
    assert!(read(&store, &done[0].sha256).await == second);
    let (_, after) = stored(&store).await;
    assert!(after - before < 500_000, "{} bytes for 1 KiB", after - before);
}

async fn what_is_stored_already_is_not_stored_again(world: Bytes) {
    let store = Store::open(&world.settings).await.unwrap();
    let file = noise(1, 3_000_000);
    put(&store, 1, std::slice::from_ref(&file)).await.unwrap();
    let before = stored(&store).await;
    put(&store, 2, &[file.clone(), noise(5, 100_000)[..0].to_vec(), file]).await.unwrap();
    assert_eq!(stored(&store).await, before);
}

async fn the_same_from_two_at_once_is_kept_once(world: Bytes) {
    let store = Store::open(&world.settings).await.unwrap();
    let file = noise(1, 2_000_000);
    let mut both = Vec::new();
    for stamp in [1, 2] {
        let mut packing = store.contents.packing(Stamp([stamp; 16]));
        packing.begin(file.len() as u64);
        packing.write(&file).await.unwrap();
        packing.end();
        both.push(packing);
    }
    for packing in both {
        packing.finish(RECEIPT).await.unwrap();
    }
    assert_eq!(stored(&store).await.0, 1);
    assert!(read(&store, &Sha256::of(&file)).await == file);
}

async fn what_is_not_what_was_announced_leaves_nothing(world: Bytes) {
    let store = Store::open(&world.settings).await.unwrap();
    let file = noise(1, 2_000_000);
    for announced in [1_999_999, 2_000_001] {
        let mut packing = store.contents.packing(Stamp([1; 16]));
        packing.begin(announced);
        let written = packing.write(&file).await;
        packing.end();
        let done = match written {
            Ok(()) => packing.finish(RECEIPT).await.map(|_| ()),
            written => written,
        };
        assert!(matches!(done, Err(Error::WrongLength { .. })), "{done:?}");
    }
    let mut packing = store.contents.packing(Stamp([1; 16])).expecting(Sha256::of(b"another"));
    packing.begin(file.len() as u64);
    packing.write(&file).await.unwrap();
    packing.end();
    assert!(matches!(packing.finish(RECEIPT).await, Err(Error::WrongDigest { .. })));
    let alice = account(&store.db, "alice").await;
    let gone = repository(&store.db, &alice, "gone").await;
    store::db::repositories::delete(&store.db, gone.id).await.unwrap();
    let receipt = Receipt { repository: Some(gone.id), now_ms: NOW_MS };
    let refused = store.contents.put(Stamp([1; 16]), b"of nobody", receipt).await;
    assert!(matches!(refused, Err(Error::NotFound { what: "repository", .. })), "{refused:?}");
    assert!(matches!(store.contents.read(&Sha256::of(&file), None).await, Err(Error::NoBlob(_))));
    let tmp = world.settings.data_dir.join("tmp");
    assert_eq!(n_files(&tmp), n_locks(&tmp), "something half-made is left");
}

async fn a_file_whose_length_was_not_known_comes_back(world: Bytes) {
    let store = Store::open(&world.settings).await.unwrap();
    let files = [noise(1, 10), noise(2, 3_000_000), Vec::new()];
    let mut packing = store.contents.packing(Stamp([1; 16]));
    for file in &files {
        let mut spool = store.blobs.spool(None);
        spool.write(file).await.unwrap();
        packing.add(spool).await.unwrap();
    }
    let done = packing.finish(RECEIPT).await.unwrap();
    for (file, stored) in files.iter().zip(done) {
        assert_eq!(stored.git_oid, git::blob(file));
        assert!(read(&store, &stored.sha256).await == *file);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_so_and_leaves_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else {
        eprintln!("skipped: this user may not mount");
        return;
    };
    let store = Store::open(&store::Settings::embedded(folder.path())).await.unwrap();
    let small = noise(1, 200_000);
    put(&store, 1, std::slice::from_ref(&small)).await.unwrap();
    let full = put(&store, 2, &[noise(2, 6_000_000)]).await;
    assert!(matches!(full, Err(Error::StorageFull { .. })), "{full:?}");
    assert!(read(&store, &Sha256::of(&small)).await == small);
    put(&store, 3, &[noise(3, 100_000)]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_fails_now_and_then_loses_nothing() {
    keeps_all(bucket::Faults::Some, 6).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bucket_that_is_slow_and_fails_loses_nothing() {
    keeps_all(bucket::Faults::Slow, 2).await;
}

/// Writes and reads large and small files over a bucket with faults.
async fn keeps_all(faults: bucket::Faults, n_rounds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let server = bucket::serve_with(faults).await;
    let storage = store::Storage::S3(server.settings.clone());
    let settings = store::Settings { storage, ..store::Settings::embedded(folder.path()) };
    let store = Store::open(&settings).await.unwrap();
    let mut kept = Vec::new();
    for n in 0..n_rounds {
        let files = [noise(2 * n + 1, 9_000_000), noise(2 * n + 2, 30_000)];
        let done = put(&store, u8::try_from(n).unwrap(), &files).await.unwrap();
        kept.extend(files.into_iter().zip(done));
    }
    // Nothing is remembered of what was written.
    let store = Store::open(&settings).await.unwrap();
    for (file, stored) in &kept {
        assert!(read(&store, &stored.sha256).await == *file);
    }
}

fn n_files(folder: &Path) -> usize {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| if path.is_dir() { n_files(&path) } else { 1 }).sum()
}

/// One for the folder, and one for each process that uses it.
fn n_locks(folder: &Path) -> usize {
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths.map(|path| if path.is_dir() { n_locks(&path) } else { usize::from(path.ends_with("lock")) }).sum()
}
