//! Files kept as chunks: rows on both databases, bytes on both storages.

use std::io::{Read, Seek, SeekFrom};

use futures_util::TryStreamExt;
use spec::digest::Sha256;
use spec::git;
use spec::xet::XetHash;
use spec::xet::xorb::XorbError;
use store::contents::{Keep, Received, Stamp};
use store::db::chunked_files::{self, NewChunkedFile, NewTerm};
use store::db::repositories;
use store::db::xorbs::{self, NewXorb, Used, Xorb};
use store::{Db, Error, Store};

use crate::world::{Bytes, NOW_MS, account, commit, put, repository};

const STAMP: Stamp = Stamp([7; 16]);

mod rows {
    use super::*;

    on_both_databases!(
        a_xorb_is_one_row_however_often_it_is_sent,
        a_file_has_its_terms_from_any_byte_on,
        a_repository_has_a_file_once_it_is_committed,
    );
}

mod contents {
    use super::*;

    on_both_storages!(
        a_file_of_chunks_is_read_like_any_other,
        what_is_no_xorb_is_not_stored,
        chunks_that_rotted_are_not_handed_out,
    );
}

pub(crate) fn new_xorb(name: &[u8]) -> NewXorb {
    NewXorb {
        hash: XetHash::of_chunk(name),
        sha256: Sha256::of(name),
        n_bytes: 300,
        n_unpacked: 400,
        n_chunks: 4,
        now_ms: NOW_MS,
    }
}

async fn a_xorb_is_one_row_however_often_it_is_sent(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let new = new_xorb(b"a");
    let (xorb, is_new) = xorbs::put(&db, &new, alice.id).await.unwrap();
    assert!(is_new);
    let other = NewXorb { sha256: Sha256::of(b"packed otherwise"), ..new };
    let (again, is_new) = xorbs::put(&db, &other, bob.id).await.unwrap();
    assert!(!is_new && again == xorb && xorb.sha256 == new.sha256);
    let (second, _) = xorbs::put(&db, &new_xorb(b"b"), bob.id).await.unwrap();
    let ids = [xorb.id, second.id];
    assert_eq!(xorbs::sent_by(&db, alice.id, &ids).await.unwrap(), [xorb.id].into());
    assert_eq!(xorbs::sent_by(&db, bob.id, &ids).await.unwrap(), ids.into());
    assert!(xorbs::put_sender(&db, second.id, alice.id, NOW_MS).await.unwrap());
    assert!(!xorbs::put_sender(&db, second.id, alice.id, NOW_MS).await.unwrap());
    assert_eq!(xorbs::sent_by(&db, alice.id, &ids).await.unwrap(), ids.into());
    let unknown = XetHash::of_chunk(b"c");
    let found = xorbs::by_hashes(&db, &[unknown, second.hash, xorb.hash]).await.unwrap();
    assert_eq!(found, [xorb.clone(), second.clone()]);
    let chunks = [(unknown, xorb.id), (unknown, second.id), (xorb.hash, xorb.id)];
    for _ in 0..2 {
        xorbs::put_asked_chunks(&db, &chunks).await.unwrap();
    }
    assert_eq!(xorbs::with_chunk(&db, unknown, 9).await.unwrap(), [xorb, second]);
}

/// A file of two terms of one xorb and one of another.
pub(crate) async fn file(db: &Db, text: &str) -> (Vec<Xorb>, NewChunkedFile<'static>, Vec<NewTerm>) {
    let alice = match store::db::accounts::by_name(db, "alice").await.unwrap() {
        Some(alice) => alice,
        None => account(db, "alice").await,
    };
    let mut sent = Vec::new();
    for name in [&b"a"[..], b"b"] {
        sent.push(xorbs::put(db, &new_xorb(name), alice.id).await.unwrap().0);
    }
    let term = |xorb: &Xorb, chunks, n_bytes| NewTerm { xorb: xorb.id, chunks, n_bytes };
    let terms = vec![term(&sent[0], 2..4, 100), term(&sent[1], 0..1, 50), term(&sent[0], 0..4, 400)];
    let new = NewChunkedFile {
        hash: XetHash::of_chunk(text.as_bytes()),
        sha256: Sha256::of(text.as_bytes()),
        git_oid: git::blob(text.as_bytes()),
        n_bytes: 550,
        terms: &[],
        now_ms: NOW_MS,
    };
    (sent, new, terms)
}

async fn a_file_has_its_terms_from_any_byte_on(db: Db) {
    let (sent, new, terms) = file(&db, "x").await;
    let alice = store::db::accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let iris = repository(&db, &alice, "iris").await.id;
    for _ in 0..2 {
        chunked_files::put(&db, &NewChunkedFile { terms: &terms, ..new.clone() }, iris).await.unwrap();
    }
    // The same bytes cut otherwise stay as they were cut first.
    let otherwise =
        NewChunkedFile { hash: XetHash::of_chunk(b"otherwise"), terms: &terms[..1], ..new.clone() };
    chunked_files::put(&db, &otherwise, iris).await.unwrap();
    let found = chunked_files::by_sha256(&db, new.sha256).await.unwrap().unwrap();
    assert_eq!((found.hash, found.git_oid, found.n_bytes), (new.hash, new.git_oid, 550));
    assert_eq!(chunked_files::by_hash(&db, otherwise.hash).await.unwrap(), None);
    let starts = async |from, limit| {
        let terms = chunked_files::terms(&db, found.id, from, limit).await.unwrap();
        terms.into_iter().map(|term| (term.start, term.chunks, term.xorb_hash)).collect::<Vec<_>>()
    };
    let all = [(0, 2..4, sent[0].hash), (100, 0..1, sent[1].hash), (150, 0..4, sent[0].hash)];
    assert_eq!(starts(0, 9).await, all);
    assert_eq!(starts(99, 2).await, all[..2]);
    assert_eq!(starts(100, 9).await, all[1..]);
    assert_eq!(starts(549, 9).await, all[2..]);
}

async fn a_repository_has_a_file_once_it_is_committed(db: Db) {
    let (sent, new, terms) = file(&db, "weights").await;
    let alice = store::db::accounts::by_name(&db, "alice").await.unwrap().unwrap();
    let (iris, lily) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "lily").await);
    let whole = NewChunkedFile { terms: &terms, ..new.clone() };
    chunked_files::put(&db, &whole, iris.id).await.unwrap();
    let is_in = async |id| !chunked_files::in_repository(&db, id, &[new.sha256]).await.unwrap().is_empty();
    commit(&db, &iris, "small", &[put("a.txt", "another")]).await.unwrap();
    assert!(!is_in(iris.id).await);
    commit(&db, &iris, "large", &[put("w.bin", "weights")]).await.unwrap();
    assert!(is_in(iris.id).await && !is_in(lily.id).await);
    let used = |chunks| Used { repository: iris.id, chunks };
    assert_eq!(xorbs::uses_of(&db, sent[0].id, 9).await.unwrap(), [used(0..4), used(2..4)]);
    assert_eq!(xorbs::beside(&db, sent[1].id, iris.id, 9).await.unwrap(), sent);
    assert!(xorbs::beside(&db, sent[1].id, lily.id, 9).await.unwrap().is_empty());
    repositories::delete(&db, iris.id).await.unwrap();
    assert!(xorbs::uses_of(&db, sent[0].id, 9).await.unwrap().is_empty());
    assert!(chunked_files::by_sha256(&db, new.sha256).await.unwrap().is_some());
}

/// Chunks that differ, none of them compressed.
fn chunks(n: usize) -> Vec<Vec<u8>> {
    (0..n).map(|n| (0..20_000 + n).map(|i| ((i * 31 + n * 7) % 253) as u8).collect()).collect()
}

fn nodes(chunks: &[Vec<u8>]) -> Vec<(XetHash, u64)> {
    chunks.iter().map(|chunk| (XetHash::of_chunk(chunk), chunk.len() as u64)).collect()
}

fn pack(chunks: &[Vec<u8>]) -> Vec<u8> {
    let packed = chunks.iter().map(|chunk| {
        let length = &u32::try_from(chunk.len()).unwrap().to_le_bytes()[..3];
        [&[0][..], length, &[0], length, chunk].concat()
    });
    packed.collect::<Vec<_>>().concat()
}

async fn send(store: &Store, hash: XetHash, bytes: &[u8], keep: Keep) -> Result<Received, Error> {
    let mut incoming = store.contents.incoming(hash, keep);
    for piece in bytes.chunks(100_001) {
        incoming.write(piece).await?;
    }
    incoming.finish().await
}

/// A store with a file of the chunks, twice the first half and once the rest.
async fn with_file(world: &Bytes) -> (Store, Vec<u8>, Sha256) {
    let store = Store::open(&world.settings).await.unwrap();
    let chunks = chunks(100);
    let (hash, packed) = (XetHash::of_xorb(&nodes(&chunks)), pack(&chunks));
    let received = send(&store, hash, &packed, Keep::Store(STAMP)).await.unwrap();
    assert_eq!(received.n_bytes, packed.len() as u64);
    assert_eq!(send(&store, hash, &packed, Keep::Verify).await.unwrap().sha256, None);
    let alice = account(&store.db, "alice").await;
    let n_unpacked = chunks.concat().len() as u64;
    let sha256 = received.sha256.unwrap();
    let new = NewXorb { hash, sha256, n_bytes: received.n_bytes, n_unpacked, n_chunks: 100, now_ms: NOW_MS };
    let (xorb, _) = xorbs::put(&store.db, &new, alice.id).await.unwrap();
    let content = [chunks[..50].concat(), chunks[..50].concat(), chunks[50..].concat()].concat();
    let half = chunks[..50].concat().len() as u64;
    let rest = content.len() as u64 - 2 * half;
    let terms = [(0..50, half), (0..50, half), (50..100, rest)];
    let terms = terms.map(|(chunks, n_bytes)| NewTerm { xorb: xorb.id, chunks, n_bytes });
    let sha256 = Sha256::of(&content);
    let file = NewChunkedFile {
        hash: XetHash::of_chunk(b"any"),
        sha256,
        git_oid: git::blob(&content),
        n_bytes: content.len() as u64,
        terms: &terms,
        now_ms: NOW_MS,
    };
    let iris = repository(&store.db, &alice, "iris").await;
    chunked_files::put(&store.db, &file, iris.id).await.unwrap();
    (store, content, sha256)
}

async fn a_file_of_chunks_is_read_like_any_other(world: Bytes) {
    let (store, content, sha256) = with_file(&world).await;
    let n = content.len();
    assert!(store.contents.read_all(&sha256, n as u64).await.unwrap() == content);
    assert!(matches!(store.contents.read_all(&sha256, 9).await, Err(Error::WrongLength { .. })));
    for range in [0..1, 19_999..20_001, 999_990..1_001_300, 1_001_225..2_002_451, n - 3..n, n - 3..n + 9] {
        let wanted = range.start as u64..range.end as u64;
        let reading = store.contents.read(&sha256, Some(wanted)).await.unwrap();
        assert_eq!(reading.size_bytes, n as u64);
        let blocks: Vec<bytes::Bytes> = reading.stream.try_collect().await.unwrap();
        assert!(blocks.concat() == content[range.start..range.end.min(n)], "{range:?}");
    }
    let behind = store.contents.read(&sha256, Some(n as u64..n as u64 + 1)).await;
    assert!(matches!(behind, Err(Error::Range { .. })));
    let path = store.contents.local_path(&sha256).await.unwrap();
    assert!(std::fs::read(path).unwrap() == content);
    let checkout = store.contents.check_out(&[("a/w.bin".parse().unwrap(), sha256)]).await.unwrap();
    assert!(std::fs::read(checkout.path().join("a/w.bin")).unwrap() == content);
    let mut file = store.contents.open(&sha256).await.unwrap();
    let read = tokio::task::spawn_blocking(move || {
        let mut end = Vec::new();
        file.seek(SeekFrom::End(-5)).unwrap();
        file.read_to_end(&mut end).unwrap();
        let mut start = [0; 30_000];
        file.seek(SeekFrom::Start(10)).unwrap();
        file.read_exact(&mut start).unwrap();
        (start, end)
    });
    let (start, end) = read.await.unwrap();
    assert!(start == content[10..30_010] && end == content[n - 5..]);
    // What is kept whole is read by the same words.
    let whole = store.blobs.put(b"whole").await.unwrap().sha256;
    assert_eq!(store.contents.read_all(&whole, 9).await.unwrap(), b"whole");
    let nothing = Sha256::of(b"nothing");
    assert!(matches!(store.contents.read(&nothing, None).await, Err(Error::NoBlob(_))));
    assert!(matches!(store.contents.local_path(&nothing).await, Err(Error::NoBlob(_))));
}

async fn what_is_no_xorb_is_not_stored(world: Bytes) {
    let store = Store::open(&world.settings).await.unwrap();
    let chunks = chunks(70);
    let (hash, packed) = (XetHash::of_xorb(&nodes(&chunks)), pack(&chunks));
    let mut broken = packed.clone();
    broken[700_000] ^= 1;
    let wrong = send(&store, hash, &broken, Keep::Store(STAMP)).await.unwrap_err();
    assert!(matches!(wrong, Error::Xorb(XorbError::WrongHash { .. })), "{wrong:?}");
    let cut = send(&store, hash, &packed[..packed.len() - 1], Keep::Store(STAMP)).await.unwrap_err();
    assert!(matches!(cut, Error::Xorb(XorbError::Cut)), "{cut:?}");
    let garbage = send(&store, hash, &[9; 1000], Keep::Store(STAMP)).await.unwrap_err();
    assert!(matches!(garbage, Error::Xorb(XorbError::Chunk { .. })), "{garbage:?}");
    assert!(store.blobs.list(None, 9).await.unwrap().items.is_empty());
    let with_footer = [&packed[..], b"XETBLOB", &[7; 3_000_000]].concat();
    let received = send(&store, hash, &with_footer, Keep::Store(STAMP)).await.unwrap();
    assert_eq!(received.n_bytes, packed.len() as u64);
}

async fn chunks_that_rotted_are_not_handed_out(world: Bytes) {
    let (store, content, sha256) = with_file(&world).await;
    let xorb = store.blobs.list(None, 9).await.unwrap().items[0].sha256.to_string();
    let path = world.files.join(&xorb[..2]).join(&xorb[2..4]).join(&xorb);
    let mut bytes = std::fs::read(&path).unwrap();
    // In the last of the chunks.
    bytes[1_990_000] ^= 1;
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, bytes).unwrap();
    let n = content.len() as u64;
    let read = store.contents.read(&sha256, Some(n - 20_000..n)).await.unwrap();
    let error = read.stream.try_collect::<Vec<_>>().await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert!(matches!(store.contents.local_path(&sha256).await, Err(Error::Damaged { .. })));
    let sound = store.contents.read(&sha256, Some(0..20_000)).await.unwrap();
    let blocks: Vec<bytes::Bytes> = sound.stream.try_collect().await.unwrap();
    assert!(blocks.concat() == content[..20_000]);
}
