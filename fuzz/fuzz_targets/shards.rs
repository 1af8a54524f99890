//! Shards: no count makes a list longer than the bytes that are there.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spec::xet::shard::Shard;

fuzz_target!(|bytes: &[u8]| {
    let Ok(shard) = Shard::read(bytes) else { return };
    let n_terms: usize = shard.files.iter().map(|file| file.terms.len() + 1).sum();
    let n_chunks: usize = shard.xorbs.iter().map(|xorb| xorb.chunks.len() + 1).sum();
    assert!((n_terms + n_chunks) * 48 <= bytes.len());
});
