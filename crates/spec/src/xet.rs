//! Xet: how large files are named and cut so that what two of them share is kept and sent once.
//!
//! A file is a row of *chunks* of some 64 KiB, cut where their bytes say so. Chunks travel and are kept together in
//! *xorbs*; a file is told by its *terms*: ranges of chunks in xorbs. Pure; knows no storage and no network.
//! Source: the Xet protocol as `hf_xet` 1.8 speaks it. Invariant: a length that came from outside is never trusted
//! with memory.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::digest::{DigestError, Sha256};

pub mod chunker;
pub mod shard;
pub mod xorb;

/// Hashes whose last number this divides name chunks that clients ask servers for.
const ASKED_MODULUS: u64 = 1024;
/// One in so many hashes ends a group of the tree.
const BRANCHES: u64 = 4;
const MAX_GROUP: usize = 9;

/// Source of the keys: `xet-core-structures` 1.8, `merklehash` and `metadata_shard`.
const CHUNK_KEY: [u8; 32] = [
    102, 151, 245, 119, 91, 149, 80, 222, 49, 53, 203, 172, 165, 151, 24, 28, 157, 228, 33, 16, 155, 235, 43,
    88, 180, 208, 176, 75, 147, 173, 242, 41,
];
const NODE_KEY: [u8; 32] = [
    1, 126, 197, 199, 165, 71, 41, 150, 253, 148, 102, 102, 180, 138, 2, 230, 93, 221, 83, 111, 55, 199, 109,
    210, 248, 99, 82, 230, 74, 83, 113, 63,
];
const RANGE_KEY: [u8; 32] = [
    127, 24, 87, 214, 206, 86, 237, 102, 18, 127, 249, 19, 231, 165, 195, 243, 164, 205, 38, 213, 181, 219,
    73, 230, 65, 36, 152, 127, 40, 251, 148, 195,
];
const FILE_KEY: [u8; 32] = [0; 32];

/// The name of a chunk, a xorb or a file. Its text is not plain hex: the bytes are four little-endian numbers, each
/// written as 16 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct XetHash([u8; 32]);

impl XetHash {
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash of a chunk's bytes.
    pub fn of_chunk(bytes: &[u8]) -> Self {
        Self(*blake3::keyed_hash(&CHUNK_KEY, bytes).as_bytes())
    }

    /// The hash of a xorb with these chunks, each with its length.
    pub fn of_xorb(chunks: &[(Self, u64)]) -> Self {
        root(chunks)
    }

    /// The hash of a file of these chunks, each with its length.
    pub fn of_file(chunks: &[(Self, u64)]) -> Self {
        match chunks {
            [] => Self([0; 32]),
            chunks => Self(*blake3::keyed_hash(&FILE_KEY, &root(chunks).0).as_bytes()),
        }
    }

    /// What only somebody can tell who knows the chunks of a range.
    pub fn of_range(chunks: impl IntoIterator<Item = Self>) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(&RANGE_KEY);
        for chunk in chunks {
            hasher.update(&chunk.0);
        }
        Self(*hasher.finalize().as_bytes())
    }

    /// Whether clients ask servers for chunks of this name.
    pub fn is_asked_for(&self) -> bool {
        self.number(3).is_multiple_of(ASKED_MODULUS)
    }

    /// A SHA-256 that is written in the place of such a hash: their texts are the same.
    pub fn to_sha256(self) -> Sha256 {
        let mut bytes = self.0;
        bytes.chunks_exact_mut(8).for_each(<[u8]>::reverse);
        Sha256::from_bytes(bytes)
    }

    /// One of the four numbers.
    fn number(&self, index: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[8 * index..8 * index + 8]);
        u64::from_le_bytes(bytes)
    }
}

impl From<Sha256> for XetHash {
    fn from(sha256: Sha256) -> Self {
        let mut bytes = *sha256.as_bytes();
        bytes.chunks_exact_mut(8).for_each(<[u8]>::reverse);
        Self(bytes)
    }
}

impl fmt::Display for XetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_sha256().fmt(f)
    }
}

impl fmt::Debug for XetHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for XetHash {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        text.parse::<Sha256>().map(Self::from)
    }
}

impl TryFrom<String> for XetHash {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<XetHash> for String {
    fn from(hash: XetHash) -> Self {
        hash.to_string()
    }
}

/// The root of the tree over some chunks: groups of two to nine, ended where a hash says so, become one node each,
/// until one is left.
fn root(chunks: &[(XetHash, u64)]) -> XetHash {
    let mut nodes = chunks.to_vec();
    while nodes.len() > 1 {
        let mut above = Vec::with_capacity(nodes.len() / 2);
        let mut rest = nodes.as_slice();
        while !rest.is_empty() {
            let (group, later) = rest.split_at(group_length(rest));
            above.push(node(group));
            rest = later;
        }
        nodes = above;
    }
    nodes.first().map_or(XetHash([0; 32]), |(hash, _)| *hash)
}

fn group_length(nodes: &[(XetHash, u64)]) -> usize {
    if nodes.len() <= 2 {
        return nodes.len();
    }
    let end = MAX_GROUP.min(nodes.len());
    let cut = (2..end).find(|index| nodes[*index].0.number(3).is_multiple_of(BRANCHES));
    cut.map_or(end, |index| index + 1)
}

fn node(group: &[(XetHash, u64)]) -> (XetHash, u64) {
    let text: String = group.iter().map(|(hash, length)| format!("{hash} : {length}\n")).collect();
    let hash = XetHash(*blake3::keyed_hash(&NODE_KEY, text.as_bytes()).as_bytes());
    (hash, group.iter().map(|(_, length)| length).fold(0, |sum, length| sum.saturating_add(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_four_numbers_and_reads_back() {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes[31] = 2;
        let hash = XetHash::from_bytes(bytes);
        let text = format!("{}1{}0200000000000000", "0".repeat(15), "0".repeat(32));
        assert_eq!(hash.to_string(), text);
        assert_eq!(text.parse::<XetHash>().unwrap(), hash);
        assert!("xyz".parse::<XetHash>().is_err());
    }

    #[test]
    fn a_sha256_keeps_its_text() {
        let sha256 = Sha256::of(b"weights");
        assert_eq!(XetHash::from(sha256).to_string(), sha256.to_string());
        assert_eq!(XetHash::from(sha256).to_sha256(), sha256);
    }

    #[test]
    fn one_chunk_is_its_own_tree_and_no_chunk_is_zero() {
        let chunk = XetHash::of_chunk(b"hello");
        assert_eq!(XetHash::of_xorb(&[(chunk, 5)]), chunk);
        assert_ne!(XetHash::of_file(&[(chunk, 5)]), chunk);
        assert_eq!(XetHash::of_file(&[]).as_bytes(), &[0; 32]);
    }

    #[test]
    fn the_tree_tells_order_and_lengths_apart() {
        let chunk = |n: u8| (XetHash::of_chunk(&[n]), u64::from(n) + 1);
        let chunks: Vec<_> = (0..40).map(chunk).collect();
        let mut swapped = chunks.clone();
        swapped.swap(3, 4);
        let mut longer = chunks.clone();
        longer[39].1 += 1;
        assert_ne!(XetHash::of_xorb(&chunks), XetHash::of_xorb(&swapped));
        assert_ne!(XetHash::of_xorb(&chunks), XetHash::of_xorb(&longer));
    }
}
