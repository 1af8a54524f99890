//! What is sent to do harm: too much of it, or little that grows. It is refused early, and costs no memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::{Method, StatusCode};
use spec::xet::XetHash;

use crate::server::{Actor, Server};
use crate::xet::Client;

/// Entries of a shard that says of one file that it has so many terms.
const ENTRIES: u64 = 10_000_000;
const RECORD: u64 = 48;
/// Memory that a refusal may take.
const FLAT_BYTES: u64 = 160 * 1024 * 1024;

/// What this process had in memory at most so far. Each test is a process of its own.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// A shard of very many entries, made as it is sent. Counts the bytes that were taken.
fn endless(n_taken: Arc<AtomicU64>) -> reqwest::Body {
    let mut first =
        b"HFRepoMetaData\0\x55\x69\x67\x45\x6a\x7b\x81\x57\x83\xa5\xbd\xd9\x5c\xcd\xd1\x4a\xa9".to_vec();
    first.extend([2_u64, 0].into_iter().flat_map(u64::to_le_bytes));
    first.extend([7; 32]);
    first.extend([0, u32::try_from(ENTRIES).unwrap(), 0, 0].into_iter().flat_map(u32::to_le_bytes));
    let block = bytes::Bytes::from(vec![7; 1024 * RECORD as usize]);
    let blocks = std::iter::once(bytes::Bytes::from(first))
        .chain(std::iter::repeat_n(block, usize::try_from(ENTRIES.div_ceil(1024)).unwrap()));
    let counted = blocks.map(move |block| {
        n_taken.fetch_add(block.len() as u64, Ordering::Relaxed);
        Ok::<_, std::io::Error>(block)
    });
    reqwest::Body::wrap_stream(futures_util::stream::iter(counted))
}

#[tokio::test]
async fn a_shard_of_ten_million_entries_is_refused_before_it_is_read_and_takes_no_memory() {
    let server = Server::start().await;
    server.create("iris", "private").await;
    let alice = Client::new(&server, Actor::Owner, "alice/iris", "write").await;
    let n_before = peak_bytes();
    for (path, is_announced) in [("/v1/shards", true), ("/v2/shards", true), ("/v1/shards", false)] {
        let n_taken = Arc::new(AtomicU64::new(0));
        let request = alice.request(Method::POST, path).body(endless(Arc::clone(&n_taken)));
        let length = ENTRIES.div_ceil(1024) * 1024 * RECORD + 2 * RECORD;
        let request = if is_announced { request.header("content-length", length) } else { request };
        // Who is still sending may find the connection closed before the answer is read.
        if let Ok(refused) = request.send().await {
            assert_eq!(refused.status(), StatusCode::PAYLOAD_TOO_LARGE);
        }
        let most = if is_announced { 32 << 20 } else { ENTRIES * RECORD / 2 };
        assert!(n_taken.load(Ordering::Relaxed) < most, "{path}: {n_taken:?} bytes were taken");
    }
    assert!(peak_bytes() - n_before < FLAT_BYTES, "{} bytes more", peak_bytes() - n_before);
    assert_eq!(server.get(Actor::Owner, "/api/models/alice/iris").await.status(), StatusCode::OK);
}

/// Zeros in blocks of 64 KiB, packed by LZ4 to a two hundred and forty-fifth.
fn zeros(n_blocks: usize) -> Vec<u8> {
    // One zero, a match that repeats it 65,530 times, and the five bytes that end a block as they are.
    let block = [&[0x1f, 0, 1, 0][..], &[0xff; 256], &[231, 0x50, 0, 0, 0, 0, 0]].concat();
    let length = u32::try_from(block.len()).unwrap().to_le_bytes();
    let mut frame = vec![0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82];
    for _ in 0..n_blocks {
        frame.extend(length);
        frame.extend(&block);
    }
    frame.extend([0; 4]);
    frame
}

/// A xorb of one chunk that says of itself that it has so many bytes.
fn xorb(scheme: u8, packed: &[u8], n_told: usize) -> Vec<u8> {
    let length = |n: usize| u32::try_from(n).unwrap().to_le_bytes()[..3].to_vec();
    [vec![0], length(packed.len()), vec![scheme], length(n_told), packed.to_vec()].concat()
}

#[tokio::test]
async fn a_chunk_that_unpacks_to_more_than_it_says_is_refused_and_takes_no_memory() {
    let server = Server::start().await;
    server.create("iris", "private").await;
    let alice = Client::new(&server, Actor::Owner, "alice/iris", "write").await;
    let n_before = peak_bytes();
    let honest = XetHash::of_chunk(&[0; 65_536]);
    let honest = XetHash::of_xorb(&[(honest, 65_536)]);
    assert_eq!(alice.send_xorb(honest, xorb(1, &zeros(1), 65_536)).await.status(), StatusCode::OK);
    // Half a gigabyte.
    let bomb = zeros(8192);
    for (scheme, n_told) in [(1, 100), (1, 65_536), (1, 128 * 1024), (2, 128 * 1024)] {
        let refused = alice.send_xorb(honest, xorb(scheme, &bomb, n_told)).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    }
    assert!(peak_bytes() - n_before < FLAT_BYTES, "{} bytes more", peak_bytes() - n_before);
}
