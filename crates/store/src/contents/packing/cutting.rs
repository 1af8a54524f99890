//! Cuts files into chunks as their bytes come, and digests them.
//!
//! Knows nothing of where chunks are kept. Invariant: a file ends only with as many bytes as were announced, and its
//! chunks are those that every client of the protocol would cut.

use sha2::Digest;
use spec::digest::Sha256;
use spec::git::BlobHasher;
use spec::xet::XetHash;
use spec::xet::chunker::Chunker;

use crate::Error;
use crate::contents::Digests;

/// Files of at least so many bytes are looked up by their first chunk; smaller ones only as a whole.
const LOOKED_UP_BYTES: u64 = 256 * 1024;

/// What comes of a row of files.
#[derive(Debug)]
pub(super) enum Event {
    Begin { n_bytes: u64 },
    Bytes(Vec<u8>),
    End,
}

/// What is made of it.
pub(super) enum Cut {
    Chunk(Chunk),
    End(Ended),
}

pub(super) struct Chunk {
    pub(super) hash: XetHash,
    pub(super) bytes: Vec<u8>,
    /// Whether it is worth to ask if it is stored.
    pub(super) is_asked: bool,
    /// The first of a file that is large enough to be looked for by it.
    pub(super) is_first: bool,
}

/// A file that is all there.
pub(super) struct Ended {
    pub(super) digests: Digests,
    pub(super) n_bytes: u64,
    /// Where among the cuts it began, if it is one of them whole.
    pub(super) began: Option<usize>,
}

/// A file that is being read.
struct Under {
    sha256: sha2::Sha256,
    git: BlobHasher,
    chunker: Chunker,
    chunk: Vec<u8>,
    n_bytes: u64,
    expected_bytes: u64,
    n_chunks: u64,
    began: Option<usize>,
}

/// Reads files, one after the other.
#[derive(Default)]
pub(super) struct Reader(Option<Under>);

impl Reader {
    /// [`Error::WrongLength`] where a file is not as long as it was said to be.
    pub(super) fn read(&mut self, events: Vec<Event>) -> Result<Vec<Cut>, Error> {
        let mut cuts = Vec::new();
        if let Some(under) = &mut self.0 {
            under.began = None;
        }
        for event in events {
            match event {
                Event::Begin { n_bytes } => self.0 = Some(Under::new(n_bytes, cuts.len())),
                Event::Bytes(bytes) => {
                    if let Some(under) = &mut self.0 {
                        under.take(&bytes, &mut cuts)?;
                    }
                }
                Event::End => {
                    if let Some(under) = self.0.take() {
                        under.end(&mut cuts)?;
                    }
                }
            }
        }
        Ok(cuts)
    }
}

impl Under {
    fn new(expected_bytes: u64, began: usize) -> Self {
        Self {
            sha256: sha2::Sha256::new(),
            git: BlobHasher::new(expected_bytes),
            chunker: Chunker::default(),
            chunk: Vec::new(),
            n_bytes: 0,
            expected_bytes,
            n_chunks: 0,
            began: Some(began),
        }
    }

    fn take(&mut self, mut bytes: &[u8], cuts: &mut Vec<Cut>) -> Result<(), Error> {
        self.n_bytes += bytes.len() as u64;
        if self.n_bytes > self.expected_bytes {
            return Err(self.wrong_length());
        }
        self.sha256.update(bytes);
        self.git.update(bytes);
        while let Some(n) = self.chunker.cut(bytes) {
            let (end, rest) = bytes.split_at(n);
            self.chunk.extend_from_slice(end);
            self.push(cuts);
            bytes = rest;
        }
        self.chunk.extend_from_slice(bytes);
        Ok(())
    }

    fn end(mut self, cuts: &mut Vec<Cut>) -> Result<(), Error> {
        if self.n_bytes != self.expected_bytes {
            return Err(self.wrong_length());
        }
        if !self.chunk.is_empty() {
            self.push(cuts);
        }
        let sha256 = Sha256::from_bytes(self.sha256.finalize().into());
        let digests = Digests { sha256, git_oid: self.git.finish() };
        cuts.push(Cut::End(Ended { digests, n_bytes: self.n_bytes, began: self.began }));
        Ok(())
    }

    fn push(&mut self, cuts: &mut Vec<Cut>) {
        let bytes = std::mem::take(&mut self.chunk);
        let hash = XetHash::of_chunk(&bytes);
        let is_first = self.n_chunks == 0 && self.expected_bytes >= LOOKED_UP_BYTES;
        self.n_chunks += 1;
        cuts.push(Cut::Chunk(Chunk { hash, bytes, is_asked: is_first || hash.is_asked_for(), is_first }));
    }

    fn wrong_length(&self) -> Error {
        Error::WrongLength { expected_bytes: self.expected_bytes, found_bytes: self.n_bytes }
    }
}
