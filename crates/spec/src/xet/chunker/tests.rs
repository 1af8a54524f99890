//! Cuts, against the hashes that `hf_xet` 1.8.0 gives the same files.

use super::super::XetHash;
use super::*;

/// Bytes that look like chance and are always the same.
fn noise(seed: u64, n: usize) -> Vec<u8> {
    let mut state = seed;
    let mut bytes = Vec::with_capacity(n + 8);
    while bytes.len() < n {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bytes.extend_from_slice(&(z ^ (z >> 31)).to_le_bytes());
    }
    bytes.truncate(n);
    bytes
}

/// The chunks of some bytes that come in pieces of this length.
fn chunks(bytes: &[u8], n_piece: usize) -> Vec<(XetHash, u64)> {
    let (mut chunker, mut chunk, mut found) = (Chunker::default(), Vec::new(), Vec::new());
    for mut piece in bytes.chunks(n_piece) {
        while let Some(n) = chunker.cut(piece) {
            chunk.extend_from_slice(&piece[..n]);
            found.push((XetHash::of_chunk(&chunk), chunk.len() as u64));
            chunk.clear();
            piece = &piece[n..];
        }
        chunk.extend_from_slice(piece);
    }
    if !chunk.is_empty() {
        found.push((XetHash::of_chunk(&chunk), chunk.len() as u64));
    }
    found
}

fn file(bytes: &[u8]) -> String {
    XetHash::of_file(&chunks(bytes, 1 << 20)).to_string()
}

/// The hashes are those of `hf_xet.hash_files`. They hold for no other cuts than its own.
#[test]
fn files_are_cut_as_hf_xet_cuts_them() {
    let mixed = [noise(5, 300_000), vec![65; 300_000], noise(6, 300_000)].concat();
    for (bytes, expected) in [
        (vec![], "0000000000000000000000000000000000000000000000000000000000000000"),
        (noise(1, 100), "39464392d37c4c266a93d0e35d0c70bfd962c13009223eaa1b613793538d0f94"),
        (noise(2, 8_191), "17ffeba6a9aa346cc5d86293139b0dfc30efc1d877f22be986e6ed2cec8193db"),
        (noise(3, 5_000_000), "7488bf58b58ebaa2f5ff75d133186487007f4de278a2b6efd7c1ebcff1596406"),
        (vec![0; 1_000_000], "c0c85185f4307d40facfd366573176e54fc9c76041e44e32d52489780a6d1eaa"),
        (noise(4, 20_000_000), "f49c9fd1d6eabcacec489c8ba0fac85326c6fa60b9d39534a2da2c9f352a7a7e"),
        (mixed, "d2a48efbb3aa68b51d0f8a4ced23991dc1007bfddefab7d7df76d608afde988b"),
    ] {
        assert_eq!(file(&bytes), expected, "{} bytes", bytes.len());
    }
}

#[test]
fn the_pieces_do_not_matter() {
    let bytes = noise(7, 3_000_000);
    let whole = chunks(&bytes, usize::MAX);
    for n_piece in [1, 4095, 8127, 65_536, 131_073] {
        assert_eq!(chunks(&bytes, n_piece), whole, "{n_piece}");
    }
}

#[test]
fn what_is_put_in_changes_few_chunks() {
    let bytes = noise(8, 8_000_000);
    let longer = [&bytes[..1_000_000], &noise(9, 1024), &bytes[1_000_000..]].concat();
    let (before, after) = (chunks(&bytes, 1 << 20), chunks(&longer, 1 << 20));
    let n_new = after.iter().filter(|chunk| !before.contains(chunk)).count();
    assert!(n_new <= 3, "{n_new}");
}

#[test]
fn no_chunk_is_too_long_and_only_the_last_one_is_short() {
    let bytes = [noise(10, 2_000_000), vec![0; 1_000_000], noise(11, 500_000)].concat();
    let chunks = chunks(&bytes, 1 << 20);
    let lengths: Vec<u64> = chunks.iter().map(|(_, length)| *length).collect();
    assert_eq!(lengths.iter().sum::<u64>(), bytes.len() as u64);
    assert!(lengths.iter().all(|length| *length <= CHUNK_BYTES as u64));
    let (_, all_but_last) = lengths.split_last().unwrap();
    assert!(all_but_last.iter().all(|length| *length >= LEAST_BYTES as u64));
}
