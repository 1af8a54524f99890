//! Shards: what a client tells of files and xorbs that it sent, and what a server tells of chunks that it has.
//!
//! Records of 48 bytes: a header, files with their terms, xorbs with their chunks. Refuses what ends too early or
//! counts further than it reaches. Invariant: a list is made no longer than the bytes that are there to fill it.

use std::ops::Range;

use super::XetHash;
use super::xorb::{self, Index};
use crate::digest::Sha256;

/// Longest shard that is read, in bytes: clients end one at 64 MiB.
pub const BYTES: usize = 64 * 1024 * 1024;

const RECORD_BYTES: usize = 48;
const VERSION: u64 = 2;
const FOOTER_VERSION: u64 = 1;
const FOOTER_BYTES: u64 = 200;
const TAG: [u8; 32] =
    *b"HFRepoMetaData\0\x55\x69\x67\x45\x6a\x7b\x81\x57\x83\xa5\xbd\xd9\x5c\xcd\xd1\x4a\xa9";
const END: [u8; 32] = [0xff; 32];
/// Flags of a file: its terms are proven, and its SHA-256 is told.
const IS_PROVEN: u32 = 1 << 31;
const IS_DESCRIBED: u32 = 1 << 30;

/// What is wrong with a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the shard cannot be read: {0}")]
pub struct ShardError(&'static str);

/// A shard as it arrives. What it says is a claim.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shard {
    pub files: Vec<File>,
    pub xorbs: Vec<Xorb>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub hash: XetHash,
    pub terms: Vec<Term>,
    pub sha256: Option<Sha256>,
}

/// Some chunks of a xorb.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    pub xorb: XetHash,
    pub n_bytes: u32,
    pub chunks: Range<u32>,
    /// The hash of the range, by which its sender shows that they know the chunks.
    pub proof: Option<XetHash>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Xorb {
    pub hash: XetHash,
    /// Each with its length, unpacked.
    pub chunks: Vec<(XetHash, u32)>,
}

impl Shard {
    /// Reads a shard. What follows the two lists, such as a footer, is not looked at.
    pub fn read(bytes: &[u8]) -> Result<Self, ShardError> {
        let mut records = Records(bytes);
        let header = records.next()?;
        if header.hash() != TAG || header.long(0) != VERSION {
            return Err(ShardError("it begins otherwise than a shard of version 2"));
        }
        let mut shard = Self::default();
        loop {
            let head = records.next()?;
            if head.hash() == END {
                break;
            }
            shard.files.push(read_file(&head, &mut records)?);
        }
        loop {
            let head = records.next()?;
            if head.hash() == END {
                return Ok(shard);
            }
            shard.xorbs.push(read_xorb(&head, &mut records)?);
        }
    }

    /// As bytes, the way a shard travels to a server: without tables and footer.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = TAG.to_vec();
        longs(&mut bytes, &[VERSION, 0]);
        self.files.iter().for_each(|file| write_file(&mut bytes, file));
        record(&mut bytes, &END, [0; 4]);
        for xorb in &self.xorbs {
            let n_unpacked = xorb.chunks.iter().fold(0, |sum: u32, (_, length)| sum.saturating_add(*length));
            record(&mut bytes, xorb.hash.as_bytes(), [0, count(&xorb.chunks), n_unpacked, 0]);
            let mut start: u32 = 0;
            for (hash, length) in &xorb.chunks {
                record(&mut bytes, hash.as_bytes(), [start, *length, 0, 0]);
                start = start.saturating_add(*length);
            }
        }
        record(&mut bytes, &END, [0; 4]);
        bytes
    }
}

fn read_file(head: &Record<'_>, records: &mut Records<'_>) -> Result<File, ShardError> {
    let (flags, n_terms) = (head.int(0), records.count(head.int(1))?);
    let mut terms = Vec::with_capacity(n_terms);
    for _ in 0..n_terms {
        let term = records.next()?;
        let (n_bytes, chunks) = (term.int(1), term.int(2)..term.int(3));
        terms.push(Term { xorb: XetHash::from_bytes(term.hash()), n_bytes, chunks, proof: None });
    }
    if flags & IS_PROVEN != 0 {
        for term in &mut terms {
            term.proof = Some(XetHash::from_bytes(records.next()?.hash()));
        }
    }
    let sha256 = match flags & IS_DESCRIBED {
        0 => None,
        _ => Some(XetHash::from_bytes(records.next()?.hash()).to_sha256()),
    };
    Ok(File { hash: XetHash::from_bytes(head.hash()), terms, sha256 })
}

fn write_file(bytes: &mut Vec<u8>, file: &File) {
    // One flag stands for all terms.
    let proofs: Option<Vec<XetHash>> = file.terms.iter().map(|term| term.proof).collect();
    let proven = if proofs.is_some() { IS_PROVEN } else { 0 };
    let described = if file.sha256.is_some() { IS_DESCRIBED } else { 0 };
    record(bytes, file.hash.as_bytes(), [proven | described, count(&file.terms), 0, 0]);
    for Term { xorb, n_bytes, chunks, .. } in &file.terms {
        record(bytes, xorb.as_bytes(), [0, *n_bytes, chunks.start, chunks.end]);
    }
    proofs.iter().flatten().for_each(|proof| record(bytes, proof.as_bytes(), [0; 4]));
    if let Some(sha256) = file.sha256 {
        record(bytes, XetHash::from(sha256).as_bytes(), [0; 4]);
    }
}

fn count<T>(all: &[T]) -> u32 {
    u32::try_from(all.len()).unwrap_or(u32::MAX)
}

fn read_xorb(head: &Record<'_>, records: &mut Records<'_>) -> Result<Xorb, ShardError> {
    let n_chunks = records.count(head.int(1))?;
    if n_chunks > xorb::CHUNKS {
        return Err(ShardError("a xorb has too many chunks"));
    }
    let mut chunks = Vec::with_capacity(n_chunks);
    for _ in 0..n_chunks {
        let chunk = records.next()?;
        chunks.push((XetHash::from_bytes(chunk.hash()), chunk.int(1)));
    }
    Ok(Xorb { hash: XetHash::from_bytes(head.hash()), chunks })
}

struct Records<'a>(&'a [u8]);

impl<'a> Records<'a> {
    fn next(&mut self) -> Result<Record<'a>, ShardError> {
        let (record, rest) =
            self.0.split_first_chunk::<RECORD_BYTES>().ok_or(ShardError("it ends too early"))?;
        self.0 = rest;
        Ok(Record(record))
    }

    /// A count of records that still can follow.
    fn count(&self, n: u32) -> Result<usize, ShardError> {
        let n = usize::try_from(n).unwrap_or(usize::MAX);
        if n <= self.0.len() / RECORD_BYTES { Ok(n) } else { Err(ShardError("it counts more than it holds")) }
    }
}

/// A hash, and four numbers of four bytes or two of eight.
struct Record<'a>(&'a [u8; RECORD_BYTES]);

impl Record<'_> {
    fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(&self.0[..32]);
        hash
    }

    fn int(&self, index: usize) -> u32 {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&self.0[32 + 4 * index..36 + 4 * index]);
        u32::from_le_bytes(bytes)
    }

    fn long(&self, index: usize) -> u64 {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&self.0[32 + 8 * index..40 + 8 * index]);
        u64::from_le_bytes(bytes)
    }
}

/// Writes a shard that tells the chunks of some xorbs and no file, good until that time: what a client that asked for a
/// chunk keeps, with tables and footer. A xorb is there once.
pub fn write(xorbs: &[(XetHash, &Index)], expires_s: u64) -> Vec<u8> {
    let mut xorbs = xorbs.to_vec();
    xorbs.sort_unstable_by_key(|(hash, _)| [0, 1, 2, 3].map(|index| hash.number(index)));
    let mut bytes = TAG.to_vec();
    longs(&mut bytes, &[VERSION, FOOTER_BYTES]);
    let files_at = bytes.len() as u64;
    record(&mut bytes, &END, [0; 4]);
    let xorbs_at = bytes.len() as u64;
    let (mut of_xorbs, mut of_chunks) = (Vec::new(), Vec::new());
    let (mut n_records, mut n_all) = (0_u32, 0_u64);
    for (hash, index) in &xorbs {
        let n_chunks = u32::try_from(index.chunks().len()).unwrap_or(u32::MAX);
        let n_bytes = index.chunks().last().map_or(0, |chunk| chunk.unpacked_end);
        of_xorbs.push((hash.number(0), n_records));
        record(&mut bytes, hash.as_bytes(), [0, n_chunks, n_bytes, 0]);
        let mut start = 0;
        for (chunk, place) in index.chunks().iter().zip(0_u32..) {
            of_chunks.push((chunk.hash.number(0), n_records, place));
            record(&mut bytes, chunk.hash.as_bytes(), [start, chunk.unpacked_end - start, 0, 0]);
            start = chunk.unpacked_end;
        }
        n_records += 1 + n_chunks;
        n_all += u64::from(n_bytes);
    }
    record(&mut bytes, &END, [0; 4]);
    let tables_at = bytes.len() as u64;
    for (hash, place) in &of_xorbs {
        bytes.extend_from_slice(&hash.to_le_bytes());
        bytes.extend_from_slice(&place.to_le_bytes());
    }
    let chunks_at = bytes.len() as u64;
    of_chunks.sort_unstable();
    for (hash, xorb, place) in &of_chunks {
        bytes.extend_from_slice(&hash.to_le_bytes());
        bytes.extend_from_slice(&xorb.to_le_bytes());
        bytes.extend_from_slice(&place.to_le_bytes());
    }
    let footer_at = bytes.len() as u64;
    longs(&mut bytes, &[FOOTER_VERSION, files_at, xorbs_at, tables_at, 0, tables_at]);
    longs(&mut bytes, &[of_xorbs.len() as u64, chunks_at, of_chunks.len() as u64]);
    // No key hides the chunks' names: who is answered may read them.
    longs(&mut bytes, &[0; 4]);
    longs(&mut bytes, &[0, expires_s]);
    longs(&mut bytes, &[0; 6]);
    longs(&mut bytes, &[0, 0, n_all, footer_at]);
    bytes
}

fn record(bytes: &mut Vec<u8>, hash: &[u8; 32], ints: [u32; 4]) {
    bytes.extend_from_slice(hash);
    ints.iter().for_each(|int| bytes.extend_from_slice(&int.to_le_bytes()));
}

fn longs(bytes: &mut Vec<u8>, longs: &[u64]) {
    longs.iter().for_each(|long| bytes.extend_from_slice(&long.to_le_bytes()));
}

#[cfg(test)]
mod tests;
