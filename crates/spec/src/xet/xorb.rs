//! Xorbs: chunks one behind the other, each with a short header, possibly compressed.
//!
//! Refuses a chunk that unpacks to more than it says, and reads no further than it may. Invariant: an [`Index`] comes
//! from bytes whose hashes were computed, or from one that was written so.

use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;

use super::XetHash;

mod writer;

pub use writer::Writer;

/// Longest chunk, unpacked, in bytes.
pub const CHUNK_BYTES: usize = 128 * 1024;
/// Most chunks of a xorb.
pub const CHUNKS: usize = 8192;
/// Longest xorb as it travels, in bytes: 64 MiB of chunks, and their headers.
pub const BYTES: u64 = 64 * 1024 * 1024 + (CHUNKS * HEADER_BYTES) as u64;
/// Bytes before each chunk.
pub const HEADER_BYTES: usize = 8;
/// Longest chunk as it travels: compressing may make it longer, and writers need not notice.
const PACKED_BYTES: usize = 2 * CHUNK_BYTES;
/// Where some writers put an index of their own behind the chunks, it begins so.
const FOOTER: &[u8] = b"XETBLOB";
/// Bytes of one chunk in a written index.
const ENTRY_BYTES: usize = 40;

/// What is wrong with a xorb.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XorbError {
    #[error("chunk {index} of the xorb: {rule}")]
    Chunk { index: usize, rule: &'static str },
    #[error("the xorb ends inside a chunk")]
    Cut,
    #[error("a xorb has 1 to {CHUNKS} chunks")]
    Count,
    #[error("a xorb has at most {BYTES} bytes")]
    Length,
    #[error("the xorb is `{found}`, not `{expected}`")]
    WrongHash { expected: XetHash, found: XetHash },
    #[error("the index of the xorb cannot be read")]
    Index,
}

/// Where a chunk ends, in the xorb and in all its chunks unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    pub hash: XetHash,
    pub end: u32,
    pub unpacked_end: u32,
}

/// The chunks of a xorb in their order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Index(Vec<Chunk>);

impl Index {
    pub fn chunks(&self) -> &[Chunk] {
        &self.0
    }

    /// The bytes of these chunks in the xorb. `None` where it has not so many.
    pub fn bytes(&self, chunks: Range<u32>) -> Option<Range<u64>> {
        self.span(chunks, |chunk| chunk.end)
    }

    /// The bytes of these chunks, unpacked, among all of the xorb's.
    pub fn unpacked(&self, chunks: Range<u32>) -> Option<Range<u64>> {
        self.span(chunks, |chunk| chunk.unpacked_end)
    }

    /// The first of these chunks, as many as have so many bytes unpacked, and one at least if there is one.
    pub fn few(&self, chunks: Range<u32>, n_bytes: u64) -> Range<u32> {
        let start = self.unpacked(chunks.start..chunks.start).map_or(0, |place| place.start);
        let n_fit =
            self.0.partition_point(|chunk| u64::from(chunk.unpacked_end) <= start.saturating_add(n_bytes));
        let end = u32::try_from(n_fit).unwrap_or(u32::MAX).max(chunks.start.saturating_add(1));
        chunks.start..end.min(chunks.end)
    }

    /// These chunks, each with its hash and its length unpacked.
    pub fn nodes(&self, chunks: Range<u32>) -> Option<Vec<(XetHash, u64)>> {
        let start = chunks.start;
        let all = self.0.get(usize::try_from(chunks.start).ok()?..usize::try_from(chunks.end).ok()?)?;
        let mut before = if start == 0 { 0 } else { self.0.get(start as usize - 1)?.unpacked_end };
        let nodes = all.iter().map(|chunk| {
            let length = u64::from(chunk.unpacked_end.saturating_sub(before));
            before = chunk.unpacked_end;
            (chunk.hash, length)
        });
        Some(nodes.collect())
    }

    /// As bytes, 40 for each chunk.
    pub fn write(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.0.len() * ENTRY_BYTES);
        for Chunk { hash, end, unpacked_end } in &self.0 {
            bytes.extend_from_slice(hash.as_bytes());
            bytes.extend_from_slice(&end.to_le_bytes());
            bytes.extend_from_slice(&unpacked_end.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`Index::write`] wrote.
    pub fn read(bytes: &[u8]) -> Result<Self, XorbError> {
        let (entries, rest) = bytes.as_chunks::<ENTRY_BYTES>();
        let mut index = Self(Vec::with_capacity(entries.len()));
        for entry in entries {
            let (hash, ends) = entry.split_first_chunk::<32>().ok_or(XorbError::Index)?;
            let (end, unpacked_end) = ends.split_first_chunk::<4>().ok_or(XorbError::Index)?;
            let unpacked_end = unpacked_end.first_chunk::<4>().ok_or(XorbError::Index)?;
            index.0.push(Chunk {
                hash: XetHash::from_bytes(*hash),
                end: u32::from_le_bytes(*end),
                unpacked_end: u32::from_le_bytes(*unpacked_end),
            });
        }
        let is_rising = index.0.is_sorted_by(|a, b| a.end < b.end && a.unpacked_end < b.unpacked_end);
        if rest.is_empty() && is_rising && !index.0.is_empty() { Ok(index) } else { Err(XorbError::Index) }
    }

    /// Adds a chunk that has so many bytes in the xorb, its header among them, and so many unpacked.
    fn push(&mut self, hash: XetHash, n_packed: usize, n_unpacked: usize) {
        let (end, unpacked_end) = self.0.last().map_or((0, 0), |chunk| (chunk.end, chunk.unpacked_end));
        let longer = |end: u32, n: usize| end.saturating_add(u32::try_from(n).unwrap_or(u32::MAX));
        let (end, unpacked_end) = (longer(end, n_packed), longer(unpacked_end, n_unpacked));
        self.0.push(Chunk { hash, end, unpacked_end });
    }

    /// The hash of a xorb with these chunks. `None` where there are none.
    fn hash(&self) -> Option<XetHash> {
        let nodes = self.nodes(0..u32::try_from(self.0.len()).ok()?)?;
        (!nodes.is_empty()).then(|| XetHash::of_xorb(&nodes))
    }

    fn span(&self, chunks: Range<u32>, end: impl Fn(&Chunk) -> u32) -> Option<Range<u64>> {
        let last = usize::try_from(chunks.end.checked_sub(1)?).ok()?;
        if chunks.is_empty() {
            return None;
        }
        let start = match usize::try_from(chunks.start).ok()? {
            0 => 0,
            first => u64::from(end(self.0.get(first - 1)?)),
        };
        Some(start..u64::from(end(self.0.get(last)?)))
    }
}

/// Reads a xorb as it arrives and computes the hash of each chunk.
#[derive(Debug, Default)]
pub struct Verifier {
    index: Index,
    /// The chunks have ended and a footer has begun.
    is_behind: bool,
}

impl Verifier {
    /// Takes the chunks that are wholly in the bytes, and says how many bytes they have. What is behind the last chunk
    /// is not taken.
    pub fn take(&mut self, bytes: &[u8]) -> Result<usize, XorbError> {
        let mut n_taken = 0;
        loop {
            let rest = &bytes[n_taken..];
            self.is_behind = self.is_behind || rest.starts_with(FOOTER);
            let Some(header) = rest.first_chunk::<HEADER_BYTES>().filter(|_| !self.is_behind) else {
                return Ok(n_taken);
            };
            let header = Header::read(header).map_err(|rule| self.fault(rule))?;
            let end = HEADER_BYTES + header.n_packed;
            let Some(packed) = rest.get(HEADER_BYTES..end) else { return Ok(n_taken) };
            if self.index.0.len() == CHUNKS {
                return Err(XorbError::Count);
            }
            let unpacked = header.unpack(packed).map_err(|rule| self.fault(rule))?;
            self.index.push(XetHash::of_chunk(&unpacked), end, unpacked.len());
            n_taken += end;
        }
    }

    /// Whether the chunks have ended, whatever comes.
    pub fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// The index, once all is taken: if it is the xorb that it was said to be.
    pub fn finish(self, expected: XetHash) -> Result<Index, XorbError> {
        let found = self.index.hash().ok_or(XorbError::Count)?;
        if found == expected { Ok(self.index) } else { Err(XorbError::WrongHash { expected, found }) }
    }

    fn fault(&self, rule: &'static str) -> XorbError {
        XorbError::Chunk { index: self.index.0.len(), rule }
    }
}

/// Unpacks chunks that stand one behind the other, each of which must have its hash.
pub fn unpack(bytes: &[u8], hashes: impl IntoIterator<Item = XetHash>) -> Result<Vec<u8>, XorbError> {
    let mut unpacked = Vec::with_capacity(bytes.len());
    unpack_each(bytes, hashes, |chunk| unpacked.extend_from_slice(chunk))?;
    Ok(unpacked)
}

/// The same, handing over one chunk after the other. Those before a damaged one were handed over.
pub fn unpack_each(
    mut bytes: &[u8],
    hashes: impl IntoIterator<Item = XetHash>,
    mut each: impl FnMut(&[u8]),
) -> Result<(), XorbError> {
    for (index, expected) in hashes.into_iter().enumerate() {
        let fault = |rule| XorbError::Chunk { index, rule };
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(XorbError::Cut)?;
        let header = Header::read(header).map_err(fault)?;
        let (packed, rest) = rest.split_at_checked(header.n_packed).ok_or(XorbError::Cut)?;
        let chunk = header.unpack(packed).map_err(fault)?;
        let found = XetHash::of_chunk(&chunk);
        if found != expected {
            return Err(XorbError::WrongHash { expected, found });
        }
        each(&chunk);
        bytes = rest;
    }
    if bytes.is_empty() { Ok(()) } else { Err(XorbError::Cut) }
}

/// What stands before a chunk.
struct Header {
    scheme: Scheme,
    n_packed: usize,
    n_unpacked: usize,
}

enum Scheme {
    Plain,
    Lz4,
    /// The bytes at places 0, 1, 2 and 3 of each four are put together, then compressed.
    GroupedLz4,
}

impl Header {
    fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Self, &'static str> {
        let [version, p0, p1, p2, scheme, u0, u1, u2] = bytes.map(usize::from);
        if version != 0 {
            return Err("its version is not 0");
        }
        let (n_packed, n_unpacked) = (p0 | p1 << 8 | p2 << 16, u0 | u1 << 8 | u2 << 16);
        if n_unpacked == 0 || n_unpacked > CHUNK_BYTES || n_packed > PACKED_BYTES {
            return Err("its length is not one of a chunk");
        }
        let scheme = match scheme {
            0 if n_packed != n_unpacked => return Err("it is not compressed but has two lengths"),
            0 => Scheme::Plain,
            1 => Scheme::Lz4,
            2 => Scheme::GroupedLz4,
            _ => return Err("its compression is not known"),
        };
        Ok(Self { scheme, n_packed, n_unpacked })
    }

    fn unpack<'a>(&self, packed: &'a [u8]) -> Result<Cow<'a, [u8]>, &'static str> {
        match self.scheme {
            Scheme::Plain => Ok(Cow::Borrowed(packed)),
            Scheme::Lz4 => self.decompress(packed).map(Cow::Owned),
            Scheme::GroupedLz4 => self.decompress(packed).map(|grouped| Cow::Owned(regroup(&grouped))),
        }
    }

    /// Stops one byte behind the length that was told.
    fn decompress(&self, packed: &[u8]) -> Result<Vec<u8>, &'static str> {
        let mut bytes = Vec::with_capacity(self.n_unpacked + 1);
        let decoder = lz4_flex::frame::FrameDecoder::new(packed);
        let read = decoder.take(self.n_unpacked as u64 + 1).read_to_end(&mut bytes);
        match read {
            Err(_) => Err("it cannot be decompressed"),
            Ok(n) if n != self.n_unpacked => Err("it does not unpack to the length it says"),
            Ok(_) => Ok(bytes),
        }
    }
}

/// The bytes at places 0, 1, 2 and 3 of each four put together.
fn group(bytes: &[u8]) -> Vec<u8> {
    let mut grouped = Vec::with_capacity(bytes.len());
    for place in 0..bytes.len().min(4) {
        grouped.extend(bytes[place..].iter().step_by(4));
    }
    grouped
}

/// Puts the four groups of bytes back into one row.
fn regroup(grouped: &[u8]) -> Vec<u8> {
    let n = grouped.len();
    let mut bytes = vec![0; n];
    let mut rest = grouped;
    for place in 0..4 {
        let n_group = n / 4 + usize::from(n % 4 > place);
        let (group, later) = rest.split_at(n_group);
        for (to, from) in bytes[place.min(n)..].iter_mut().step_by(4).zip(group) {
            *to = *from;
        }
        rest = later;
    }
    bytes
}

#[cfg(test)]
mod tests;
