//! Stored bytes: durable when acknowledged, whole or not there, read back by range, the same on disk and S3.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use spec::digest::Sha256;
use spec::git;
use store::{Blobs, Error, S3, Settings, Storage, Store};

use crate::bucket;
use crate::world::{Bytes, SmallDisk};

on_both_storages!(
    bytes_of_any_size_come_back,
    an_unknown_length_gives_the_same_ids,
    a_part_is_read,
    the_wrong_length_is_refused,
    the_same_bytes_are_kept_once,
    what_was_not_finished_leaves_nothing,
    what_is_not_there_is_said_so,
    a_list_has_all_in_order,
    a_local_file_has_the_bytes,
    files_are_checked_out_under_their_own_names,
    bytes_of_another_digest_are_not_stored,
    parts_are_joined_in_their_order,
    parts_that_nobody_joined_go_by_their_age,
);

/// Bytes that do not repeat within a block.
fn bytes(n: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(n)
    .collect()
}

/// Around the sizes of a block, of a part, and of what is sent in one request.
const SIZES: &[usize] = &[0, 1, 262_143, 262_144, 262_145, 1_000_003, 8_388_608, 20_000_001];

async fn read(blobs: &Blobs, sha256: &Sha256, range: Option<std::ops::Range<u64>>) -> Result<Vec<u8>, Error> {
    let reading = blobs.read(sha256, range).await?;
    let n_promised = reading.range.end - reading.range.start;
    let blocks: Vec<bytes::Bytes> = reading.stream.try_collect().await?;
    let all = blocks.concat();
    assert_eq!(all.len() as u64, n_promised);
    Ok(all)
}

async fn bytes_of_any_size_come_back(world: Bytes) {
    for n in SIZES.iter().copied() {
        let content = bytes(n);
        let mut spool = world.blobs.spool(Some(n as u64));
        for piece in content.chunks(70_001) {
            spool.write(piece).await.unwrap();
        }
        let stored = spool.finish().await.unwrap();
        assert_eq!((stored.n_bytes, stored.sha256), (n as u64, Sha256::of(&content)));
        assert_eq!(stored.git_oid, git::blob(&content));
        assert_eq!(world.blobs.size(&stored.sha256).await.unwrap(), Some(n as u64));
        assert!(read(&world.blobs, &stored.sha256, None).await.unwrap() == content, "{n}");
        assert!(world.blobs.read_all(&stored.sha256, n as u64).await.unwrap() == content, "{n}");
    }
}

async fn an_unknown_length_gives_the_same_ids(world: Bytes) {
    for n in SIZES.iter().copied() {
        let content = bytes(n);
        let mut spool = world.blobs.spool(None);
        spool.write(&content).await.unwrap();
        let stored = spool.finish().await.unwrap();
        assert_eq!((stored.sha256, stored.git_oid), (Sha256::of(&content), git::blob(&content)));
    }
}

async fn a_part_is_read(world: Bytes) {
    let content = bytes(1_000_003);
    let sha256 = world.blobs.put(&content).await.unwrap().sha256;
    for (start, end, expected) in [
        (0, 1, &content[..1]),
        (300_000, 900_000, &content[300_000..900_000]),
        (1_000_002, 1_000_003, &content[1_000_002..]),
        (999_999, u64::MAX, &content[999_999..]),
        (5, 5, &[]),
    ] {
        assert!(read(&world.blobs, &sha256, Some(start..end)).await.unwrap() == expected, "{start}..{end}");
    }
    let behind = read(&world.blobs, &sha256, Some(1_000_003..1_000_004)).await.unwrap_err();
    assert!(matches!(behind, Error::Range { start: 1_000_003, size_bytes: 1_000_003 }));
    let too_much = world.blobs.read_all(&sha256, 1000).await.unwrap_err();
    assert!(matches!(too_much, Error::WrongLength { expected_bytes: 1000, .. }));
}

async fn the_wrong_length_is_refused(world: Bytes) {
    let mut long = world.blobs.spool(Some(3));
    long.write(b"abc").await.unwrap();
    assert!(matches!(long.write(b"d").await, Err(Error::WrongLength { expected_bytes: 3, found_bytes: 4 })));
    let mut short = world.blobs.spool(Some(3));
    short.write(b"ab").await.unwrap();
    assert!(matches!(short.finish().await, Err(Error::WrongLength { expected_bytes: 3, found_bytes: 2 })));
    assert_eq!(files(&world.files), BTreeSet::new());
}

async fn the_same_bytes_are_kept_once(world: Bytes) {
    for n in [10, 300_000, 9_000_000] {
        let content = bytes(n);
        let writers = (0..4).map(|_| {
            let (blobs, content) = (world.blobs.clone(), content.clone());
            tokio::spawn(async move { blobs.put(&content).await.unwrap() })
        });
        for writer in writers.collect::<Vec<_>>() {
            assert_eq!(writer.await.unwrap().sha256, Sha256::of(&content));
        }
    }
    assert_eq!(files(&world.files).len(), 3);
    assert_eq!(unfinished(&world), BTreeSet::new());
}

async fn what_was_not_finished_leaves_nothing(world: Bytes) {
    let mut spool = world.blobs.spool(None);
    spool.write(&bytes(3_000_000)).await.unwrap();
    assert_eq!(unfinished(&world).len(), 1);
    drop(spool);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    // The block being written holds the file for a moment longer.
    while !unfinished(&world).is_empty() {
        assert!(std::time::Instant::now() < deadline, "{:?}", unfinished(&world));
        tokio::task::yield_now().await;
    }
    assert_eq!(files(&world.files), BTreeSet::new());

    // A process that was killed leaves its folder behind, but not its lock.
    let abandoned = world.settings.data_dir.join("tmp/process-abandoned");
    std::fs::create_dir(&abandoned).unwrap();
    std::fs::write(abandoned.join("half"), b"x").unwrap();
    let mut living = world.blobs.spool(None);
    living.write(&bytes(300_000)).await.unwrap();
    let _other = Blobs::open(&world.settings).await.unwrap();
    assert!(!abandoned.exists());
    living.finish().await.unwrap();
}

async fn what_is_not_there_is_said_so(world: Bytes) {
    let nothing = Sha256::of(b"nothing");
    assert!(!world.blobs.exists(&nothing).await.unwrap());
    assert!(
        matches!(read(&world.blobs, &nothing, None).await, Err(Error::NoBlob(sha256)) if sha256 == nothing)
    );
    assert!(matches!(world.blobs.local_path(&nothing).await, Err(Error::NoBlob(_))));
    world.blobs.delete(&nothing).await.unwrap();
    let sha256 = world.blobs.put(b"something").await.unwrap().sha256;
    world.blobs.local_path(&sha256).await.unwrap();
    world.blobs.delete(&sha256).await.unwrap();
    assert!(!world.blobs.exists(&sha256).await.unwrap());
    assert!(matches!(world.blobs.local_path(&sha256).await, Err(Error::NoBlob(_))));
}

async fn a_list_has_all_in_order(world: Bytes) {
    assert!(world.blobs.list(None, 10).await.unwrap().items.is_empty());
    let mut expected = BTreeSet::new();
    for n in 0..40u8 {
        expected.insert(world.blobs.put(&[n]).await.unwrap().sha256);
    }
    for limit in [1, 7, 40, 100] {
        let (mut found, mut after) = (Vec::new(), None::<String>);
        loop {
            let page = world.blobs.list(after.as_deref(), limit).await.unwrap();
            assert!(page.items.iter().all(|line| line.n_bytes == 1 && line.modified_ms > 0));
            found.extend(page.items.into_iter().map(|line| line.sha256));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(found.iter().eq(&expected), "{limit}");
    }
    assert!(matches!(world.blobs.list(Some("../x"), 5).await, Err(Error::Cursor(_))));
}

async fn a_local_file_has_the_bytes(world: Bytes) {
    for n in [0, 300_000] {
        let content = bytes(n);
        let sha256 = world.blobs.put(&content).await.unwrap().sha256;
        for _ in 0..2 {
            let path = world.blobs.local_path(&sha256).await.unwrap();
            assert!(std::fs::read(&path).unwrap() == content);
            assert!(path.starts_with(&world.settings.data_dir));
        }
    }
}

async fn files_are_checked_out_under_their_own_names(world: Bytes) {
    let store = Store::open(&world.settings).await.unwrap();
    let (model, data) = (bytes(300_000), bytes(10));
    let mut files = Vec::new();
    for (path, content) in [("model.onnx", &model), ("weights/deep/model.data", &data)] {
        files.push((path.parse().unwrap(), store.blobs.put(content).await.unwrap().sha256));
    }
    let checkout = store.contents.check_out(&files).await.unwrap();
    let folder = checkout.path().to_owned();
    assert!(std::fs::read(folder.join("model.onnx")).unwrap() == model);
    assert!(std::fs::read(folder.join("weights/deep/model.data")).unwrap() == data);
    drop(checkout);
    assert!(!folder.exists());
    assert!(store.blobs.exists(&files[0].1).await.unwrap());
    files.push(("gone".parse().unwrap(), Sha256::of(b"nothing")));
    assert!(matches!(store.contents.check_out(&files).await, Err(Error::NoBlob(_))));
}

#[tokio::test]
async fn bytes_that_rotted_in_a_bucket_are_not_handed_out_as_a_file() {
    crate::world::on_s3(async |world: Bytes| {
        let sha256 = world.blobs.put(b"weights").await.unwrap().sha256;
        let file = files(&world.files).pop_first().unwrap();
        std::fs::write(world.files.join(file), b"weighty").unwrap();
        let error = world.blobs.local_path(&sha256).await.unwrap_err();
        assert!(matches!(error, Error::Damaged { expected, .. } if expected == sha256), "{error:?}");
        assert_eq!(unfinished(&world), BTreeSet::new());
    })
    .await;
}

#[tokio::test]
async fn a_full_disk_keeps_what_it_had_and_takes_more_after_room_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_disk) = SmallDisk::mount(folder.path()) else {
        eprintln!("skipped: this user may not mount a small disk");
        return;
    };
    let blobs = Blobs::open(&Settings::embedded(folder.path())).await.unwrap();
    let kept = blobs.put(&bytes(1_000_000)).await.unwrap();
    let error = blobs.put(&bytes(8_000_000)).await.unwrap_err();
    assert!(matches!(error, Error::StorageFull { .. }), "{error:?}");
    assert_eq!(read(&blobs, &kept.sha256, None).await.unwrap(), bytes(1_000_000));
    blobs.put(&bytes(2_000_000)).await.unwrap();
}

/// The files in the storage, without what an S3 server of files keeps beside them.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    walk(folder, folder)
        .into_iter()
        .filter(|path| path.to_str().is_some_and(|path| !path.contains(".s3s")))
        .collect()
}

/// What processes are still writing.
fn unfinished(world: &Bytes) -> BTreeSet<PathBuf> {
    let tmp = world.settings.data_dir.join("tmp");
    walk(&tmp, &tmp).into_iter().filter(|path| !path.ends_with("lock")).collect()
}

fn walk(folder: &Path, root: &Path) -> BTreeSet<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return BTreeSet::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| match path.is_dir() {
            true => walk(&path, root),
            false => BTreeSet::from([path.strip_prefix(root).unwrap().to_owned()]),
        })
        .collect()
}

async fn bytes_of_another_digest_are_not_stored(world: Bytes) {
    for n in [3, 1_000_003] {
        let mut spool = world.blobs.spool(Some(n as u64)).expecting(Sha256::of(b"others"));
        spool.write(&bytes(n)).await.unwrap();
        assert!(matches!(spool.finish().await, Err(Error::WrongDigest { .. })), "{n}");
        let mut right = world.blobs.spool(Some(n as u64)).expecting(Sha256::of(&bytes(n)));
        right.write(&bytes(n)).await.unwrap();
        assert!(world.blobs.list(None, 10).await.unwrap().items.len() < 2);
        right.finish().await.unwrap();
        world.blobs.delete(&Sha256::of(&bytes(n))).await.unwrap();
    }
}

async fn parts_are_joined_in_their_order(world: Bytes) {
    let content = bytes(10_000_003);
    let (first, rest) = content.split_at(9_000_000);
    let put = async |number, bytes: &[u8]| {
        let mut spool = world.blobs.spool(None);
        spool.write(bytes).await.unwrap();
        world.blobs.put_part("abc", number, spool).await.unwrap();
    };
    put(2, b"soon replaced").await;
    put(2, rest).await;
    let join = async || {
        let mut whole = Vec::new();
        for number in [1, 2] {
            let blocks: Vec<bytes::Bytes> = world.blobs.read_part("abc", number).await?.try_collect().await?;
            whole.extend(blocks.concat());
        }
        Ok::<_, Error>(whole)
    };
    assert!(matches!(join().await, Err(Error::NoPart { number: 1, .. })));
    put(1, first).await;
    assert!(join().await.unwrap() == content);
    world.blobs.delete_parts("abc", 2).await.unwrap();
    assert!(matches!(join().await, Err(Error::NoPart { number: 1, .. })));
}

async fn parts_that_nobody_joined_go_by_their_age(world: Bytes) {
    let mut spool = world.blobs.spool(None);
    spool.write(b"part").await.unwrap();
    world.blobs.put_part("abc", 1, spool).await.unwrap();
    let stored = world.blobs.put(b"stored").await.unwrap();
    let is_there = async || world.blobs.read_part("abc", 1).await.is_ok();
    world.blobs.delete_parts_before(1).await.unwrap();
    assert!(is_there().await, "it is younger than that");
    world.blobs.delete_parts_before(i64::MAX).await.unwrap();
    assert!(!is_there().await && world.blobs.exists(&stored.sha256).await.unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_the_bucket_gives_the_bytes_it_was_made_for_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let server = bucket::serve().await;
    let direct = server.settings.endpoint.clone();
    let storage = Storage::S3(S3 { direct, ..server.settings.clone() });
    let settings = Settings { storage, ..Settings::embedded(folder.path()) };
    let blobs = Blobs::open(&settings).await.unwrap();
    let content = bytes(100_000);
    let stored = blobs.put(&content).await.unwrap();
    let minute = std::time::Duration::from_secs(60);
    let address = blobs.address(&stored.sha256, &(10..60_000), minute).await.unwrap().unwrap();
    assert_eq!(bucket::get(&address, "bytes=10-59999").await, (206, content[10..60_000].to_vec()));
    for range in ["bytes=0-99999", "bytes=10-60000", "bytes=20-30", ""] {
        assert_eq!(bucket::get(&address, range).await.0, 403, "{range}");
    }
    let other = address.replacen(&stored.sha256.to_string(), &Sha256::of(b"other").to_string(), 1);
    assert_eq!(bucket::get(&other, "bytes=10-59999").await.0, 403);
    // Without being told where clients reach it, no address is made, as for a disk.
    let closed = Settings { storage: Storage::S3(server.settings), ..settings };
    let closed = Blobs::open(&closed).await.unwrap();
    assert_eq!(closed.address(&stored.sha256, &(0..10), minute).await.unwrap(), None);
}
