//! The chunker: where a file is cut, told by its bytes alone.
//!
//! Reads nothing itself: bytes are handed to it in any pieces. Source: the cuts of `hf_xet` 1.8. Invariant: the same bytes
//! are cut at the same places whatever the pieces they come in, and as every other client of the protocol cuts them.

use super::xorb::CHUNK_BYTES;

/// Shortest chunk, in bytes. One that ends a file may be shorter.
const LEAST_BYTES: usize = 8 * 1024;
/// A cut is where these bits of the rolling hash are zero: every 64 KiB or so.
const MASK: u64 = 0xffff << 48;
/// Bytes that the rolling hash remembers.
const WINDOW: usize = 64;
/// Bytes at the beginning of a chunk behind which no cut may be.
const UNCUT_BYTES: usize = LEAST_BYTES - 1;
/// Those of them that are not even hashed: they are forgotten before the first cut may be.
const UNHASHED_BYTES: usize = UNCUT_BYTES - WINDOW;

/// Finds the ends of a file's chunks, one after the other.
#[derive(Debug, Default)]
pub struct Chunker {
    gear: gearhash::Hasher<'static>,
    /// Bytes of the chunk under way that were seen.
    n_seen: usize,
}

impl Chunker {
    /// Takes the next bytes of the file. `Some(n)`: the chunk under way ends with the first `n` of them, and those behind
    /// are still to be handed over. `None`: all are taken, and the chunk goes on.
    pub fn cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let until = |place: usize| place.saturating_sub(self.n_seen).min(bytes.len());
        let (n_unhashed, n_uncut, n_most) = (until(UNHASHED_BYTES), until(UNCUT_BYTES), until(CHUNK_BYTES));
        self.gear.update(&bytes[n_unhashed..n_uncut]);
        let found = self.gear.next_match(&bytes[n_uncut..n_most], MASK).map(|n| n + n_uncut);
        let n_taken = found.unwrap_or(n_most);
        self.n_seen += n_taken;
        if found.is_none() && self.n_seen < CHUNK_BYTES {
            return None;
        }
        *self = Self::default();
        Some(n_taken)
    }
}

#[cfg(test)]
mod tests;
