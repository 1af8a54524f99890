//! Writes xorbs: chunks one behind the other, each in the shortest of its forms.
//!
//! Compressing what does not become shorter costs more than all else, so a part of a chunk is tried before all of it.
//! Invariant: what is written is what [`super::Verifier`] takes, with the hash that was told.

use std::io::Write;

use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};

use super::{HEADER_BYTES, Index, group};
use crate::xet::XetHash;

/// Bytes of a chunk that are compressed to see whether it is worth it.
const SAMPLE_BYTES: usize = 8 * 1024;
/// After so many chunks in a row that were not worth it, less is compressed to see whether the next one is.
const PLAIN_CHUNKS: usize = 8;
const SHORT_SAMPLE_BYTES: usize = 1024;

/// A xorb that is being written.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
    index: Index,
    /// Chunks in a row that were not worth compressing.
    n_plain: usize,
}

#[derive(Debug, Clone, Copy)]
enum Form {
    Lz4,
    GroupedLz4,
}

impl Writer {
    /// A writer that has room for so many bytes, so that nothing is moved while it fills.
    pub fn with_capacity(n_bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(n_bytes), ..Self::default() }
    }

    /// Adds a chunk of 1 to [`super::CHUNK_BYTES`] bytes with that hash.
    pub fn push(&mut self, hash: XetHash, chunk: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; HEADER_BYTES]);
        let n_sample = if self.n_plain < PLAIN_CHUNKS { SAMPLE_BYTES } else { SHORT_SAMPLE_BYTES };
        let packed = form(chunk, n_sample).filter(|form| self.pack(chunk, *form));
        self.n_plain = if packed.is_some() { 0 } else { self.n_plain + 1 };
        if packed.is_none() {
            self.bytes.truncate(start + HEADER_BYTES);
            self.bytes.extend_from_slice(chunk);
        }
        let n_packed = self.bytes.len() - start - HEADER_BYTES;
        let scheme = match packed {
            None => 0,
            Some(Form::Lz4) => 1,
            Some(Form::GroupedLz4) => 2,
        };
        let [p0, p1, p2, ..] = n_packed.to_le_bytes();
        let [u0, u1, u2, ..] = chunk.len().to_le_bytes();
        self.bytes[start..start + HEADER_BYTES].copy_from_slice(&[0, p0, p1, p2, scheme, u0, u1, u2]);
        self.index.push(hash, n_packed + HEADER_BYTES, chunk.len());
    }

    /// The bytes so far, for who keeps them elsewhere: those that come later, and that [`Writer::finish`] gives, belong
    /// behind them.
    pub fn drain(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bytes)
    }

    pub fn n_chunks(&self) -> usize {
        self.index.0.len()
    }

    /// Bytes of the chunks, unpacked.
    pub fn n_unpacked(&self) -> u64 {
        self.index.0.last().map_or(0, |chunk| u64::from(chunk.unpacked_end))
    }

    /// The xorb, its bytes behind those drained, and its index. `None` where it has no chunk.
    pub fn finish(self) -> Option<(XetHash, Vec<u8>, Index)> {
        let hash = self.index.hash()?;
        Some((hash, self.bytes, self.index))
    }

    /// Whether the chunk was put behind the rest in that form and became shorter.
    fn pack(&mut self, chunk: &[u8], form: Form) -> bool {
        let start = self.bytes.len();
        let is_written = match form {
            Form::Lz4 => compress(chunk, &mut self.bytes),
            Form::GroupedLz4 => compress(&group(chunk), &mut self.bytes),
        };
        is_written && self.bytes.len() - start < chunk.len()
    }
}

/// The form in which the middle of a chunk, of so many bytes, is shortest. `None` where it is so as it is.
fn form(chunk: &[u8], n_sample: usize) -> Option<Form> {
    // Whole numbers of up to eight bytes, so that what stands at a place here stands there in the chunk.
    let start = (chunk.len().saturating_sub(n_sample) / 2) & !7;
    let sample = &chunk[start..chunk.len().min(start + n_sample)];
    let mut best = (sample.len(), None);
    for (bytes, form) in [(sample.to_vec(), Form::Lz4), (group(sample), Form::GroupedLz4)] {
        let n_packed = lz4_flex::block::compress(&bytes).len();
        if n_packed < best.0 {
            best = (n_packed, Some(form));
        }
    }
    best.1
}

fn compress(bytes: &[u8], to: &mut Vec<u8>) -> bool {
    // A chunk is one block.
    let info = FrameInfo::new().block_size(BlockSize::Max256KB);
    let mut encoder = FrameEncoder::with_frame_info(info, to);
    encoder.write_all(bytes).and_then(|()| encoder.finish().map(drop).map_err(Into::into)).is_ok()
}
