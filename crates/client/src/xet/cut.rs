//! Cuts files into chunks, names those that are there already, and hands on the others in xorbs.
//!
//! Reads the disk and waits, so it has a thread of its own; another computes the SHA-256 of the same bytes. Refuses to
//! send anything itself. Invariant: holds one xorb's chunks at a time, however large the files are.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::mem;
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use bytes::Bytes;
use sha2::Digest;
use spec::digest::Sha256;
use spec::xet::XetHash;
use spec::xet::chunker::Chunker;
use spec::xet::shard::{self, Shard, Term};
use spec::xet::xorb::CHUNKS;

use crate::error::Error;

/// Bytes read at once.
const BLOCK_BYTES: u64 = 1024 * 1024;
/// Blocks that wait to be hashed.
const BLOCKS: usize = 4;
/// Bytes of chunks in a xorb: few enough that little is sent again after a break, enough that it is no small object.
const XORB_BYTES: usize = 32 * 1024 * 1024;

/// Longest term: its length has to fit into four bytes, and xorbs are shorter anyway.
const TERM_BYTES: u32 = 1 << 30;

/// Chunks that are to be sent together.
pub(crate) struct Parcel {
    pub(crate) hash: XetHash,
    pub(crate) chunks: Vec<(XetHash, Bytes)>,
    pub(crate) n_bytes: u64,
}

/// Whom the cutter asks and tells.
pub(crate) trait Outside {
    /// What the store tells of a chunk that it may have.
    fn ask(&mut self, chunk: XetHash) -> Result<Option<Shard>, Error>;
    /// A parcel is full. False: nobody sends it any more.
    fn hand_on(&mut self, parcel: Parcel) -> bool;
    /// So many bytes have been looked at that need not be sent.
    fn is_there(&mut self, n_bytes: u64);
}

/// A file to be cut.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) place: PathBuf,
    /// The length it had when it was looked at.
    pub(crate) n_bytes: u64,
}

/// Cuts files one after the other.
pub(crate) struct Cutter<'a, O> {
    outside: &'a mut O,
    /// Where chunks are that need not be sent: the number of a xorb, and the place in it.
    known: HashMap<XetHash, (u32, u32)>,
    /// By number; the hash of the one under way is not known yet.
    xorbs: Vec<Option<XetHash>>,
    /// The number of the xorb whose chunks are being gathered.
    under_way: u32,
    pending: Vec<(XetHash, Bytes)>,
    n_pending: usize,
    made: Vec<shard::Xorb>,
    files: Vec<Cut>,
}

/// A file that was cut.
struct Cut {
    hash: XetHash,
    sha256: Sha256,
    terms: Vec<(u32, Term)>,
}

/// Nobody wants what would be cut.
#[derive(Debug)]
pub(crate) enum Stop {
    Unwanted,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<'a, O: Outside> Cutter<'a, O> {
    pub(crate) fn new(outside: &'a mut O) -> Self {
        let (known, xorbs) = (HashMap::new(), vec![None]);
        Self {
            outside,
            known,
            xorbs,
            under_way: 0,
            pending: Vec::new(),
            n_pending: 0,
            made: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Takes in what the store told of chunks that it has.
    pub(crate) fn learn(&mut self, shard: &Shard) {
        for xorb in &shard.xorbs {
            let number = self.xorbs.len() as u32;
            self.xorbs.push(Some(xorb.hash));
            for ((chunk, _), place) in xorb.chunks.iter().zip(0..) {
                self.known.entry(*chunk).or_insert((number, place));
            }
        }
    }

    /// Cuts a file.
    pub(crate) fn cut(&mut self, source: &Source) -> Result<(), Stop> {
        let failed = |error| Error::File { operation: "read", path: source.place.clone(), source: error };
        let mut file = File::open(&source.place).map_err(failed)?;
        thread::scope(|scope| {
            let (blocks, hashed) = sync_channel::<Bytes>(BLOCKS);
            let hashing = scope.spawn(move || {
                let mut hasher = sha2::Sha256::new();
                hashed.iter().for_each(|block| hasher.update(&block));
                hasher.finalize()
            });
            let mut rope = Rope::default();
            let n_read = self.read(&mut file, &mut rope, &blocks).map_err(|stop| match stop {
                Broken::Read(error) => Stop::Failed(failed(error)),
                Broken::Stop(stop) => stop,
            })?;
            if n_read != source.n_bytes {
                return Err(Stop::Failed(Error::FileChanged { path: source.place.clone() }));
            }
            drop(blocks);
            let digest = hashing.join().map_err(|_| failed(io::Error::other("a thread ended")))?;
            let digest: [u8; 32] = digest.into();
            let (hash, terms) = rope.finish();
            self.files.push(Cut { hash, sha256: Sha256::from_bytes(digest), terms });
            Ok(())
        })
    }

    /// What is to be told of all files, when the last parcel was handed on.
    pub(crate) fn finish(mut self) -> Result<Shard, Stop> {
        self.hand_on()?;
        let Self { files, xorbs, made, .. } = self;
        let named = |(number, mut term): (u32, Term)| {
            term.xorb = xorbs.get(number as usize).copied().flatten()?;
            Some(term)
        };
        let of_file = |Cut { hash, sha256, terms }| {
            let terms: Option<Vec<Term>> = terms.into_iter().map(named).collect();
            terms.map(|terms| shard::File { hash, terms, sha256: Some(sha256) })
        };
        let files: Option<Vec<shard::File>> = files.into_iter().map(of_file).collect();
        files.map(|files| Shard { files, xorbs: made }).ok_or(Stop::Unwanted)
    }

    fn read(&mut self, file: &mut File, rope: &mut Rope, blocks: &SyncSender<Bytes>) -> Result<u64, Broken> {
        let (mut chunker, mut begun, mut n_read) = (Chunker::default(), Vec::new(), 0);
        loop {
            let mut block = Vec::with_capacity(BLOCK_BYTES as usize);
            file.by_ref().take(BLOCK_BYTES).read_to_end(&mut block).map_err(Broken::Read)?;
            let mut rest = Bytes::from(block);
            if rest.is_empty() {
                break;
            }
            n_read += rest.len() as u64;
            let _ = blocks.send(rest.clone());
            while let Some(n) = chunker.cut(&rest) {
                let end = rest.split_to(n);
                let chunk = match begun.is_empty() {
                    true => end,
                    false => {
                        begun.extend_from_slice(&end);
                        Bytes::from(mem::take(&mut begun))
                    }
                };
                self.take(chunk, rope)?;
            }
            begun.extend_from_slice(&rest);
        }
        if !begun.is_empty() {
            self.take(Bytes::from(begun), rope)?;
        }
        Ok(n_read)
    }

    fn take(&mut self, chunk: Bytes, rope: &mut Rope) -> Result<(), Stop> {
        let hash = XetHash::of_chunk(&chunk);
        let n_bytes = chunk.len();
        let may_be_known = rope.nodes.is_empty() || hash.is_asked_for();
        if may_be_known
            && !self.known.contains_key(&hash)
            && let Some(shard) = self.outside.ask(hash)?
        {
            self.learn(&shard);
        }
        let place = match self.known.get(&hash) {
            Some(place) => {
                self.outside.is_there(n_bytes as u64);
                *place
            }
            None => self.add(hash, chunk)?,
        };
        rope.push(place, (hash, n_bytes as u64));
        Ok(())
    }

    /// Puts a chunk into the parcel under way.
    fn add(&mut self, hash: XetHash, chunk: Bytes) -> Result<(u32, u32), Stop> {
        if self.n_pending + chunk.len() > XORB_BYTES || self.pending.len() == CHUNKS {
            self.hand_on()?;
        }
        let place = (self.under_way, self.pending.len() as u32);
        self.n_pending += chunk.len();
        self.pending.push((hash, chunk));
        self.known.insert(hash, place);
        Ok(place)
    }

    fn hand_on(&mut self) -> Result<(), Stop> {
        let (chunks, n_bytes) = (mem::take(&mut self.pending), mem::take(&mut self.n_pending) as u64);
        if chunks.is_empty() {
            return Ok(());
        }
        let nodes: Vec<(XetHash, u64)> =
            chunks.iter().map(|(hash, chunk)| (*hash, chunk.len() as u64)).collect();
        let hash = XetHash::of_xorb(&nodes);
        self.xorbs[self.under_way as usize] = Some(hash);
        self.under_way = self.xorbs.len() as u32;
        self.xorbs.push(None);
        let length = |(hash, length): (XetHash, u64)| (hash, u32::try_from(length).unwrap_or(u32::MAX));
        self.made.push(shard::Xorb { hash, chunks: nodes.into_iter().map(length).collect() });
        match self.outside.hand_on(Parcel { hash, chunks, n_bytes }) {
            true => Ok(()),
            false => Err(Stop::Unwanted),
        }
    }
}

enum Broken {
    Read(io::Error),
    Stop(Stop),
}

impl From<Stop> for Broken {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// A file as far as it is cut.
#[derive(Default)]
struct Rope {
    nodes: Vec<(XetHash, u64)>,
    /// With the numbers of their xorbs, whose hashes may not be known yet.
    terms: Vec<(u32, Term)>,
    /// The first chunk of the last term.
    begun: usize,
}

impl Rope {
    fn push(&mut self, (xorb, place): (u32, u32), (hash, n_bytes): (XetHash, u64)) {
        let n = u32::try_from(n_bytes).unwrap_or(u32::MAX);
        match self.terms.last_mut() {
            Some((last, term)) if *last == xorb && term.chunks.end == place && term.n_bytes < TERM_BYTES => {
                term.chunks.end += 1;
                term.n_bytes += n;
            }
            _ => {
                self.prove();
                self.begun = self.nodes.len();
                let zero = XetHash::from_bytes([0; 32]);
                let term = Term { xorb: zero, n_bytes: n, chunks: place..place + 1, proof: None };
                self.terms.push((xorb, term));
            }
        }
        self.nodes.push((hash, n_bytes));
    }

    /// Ends the last term.
    fn prove(&mut self) {
        let chunks = self.nodes[self.begun..].iter().map(|(hash, _)| *hash);
        if let Some((_, term)) = self.terms.last_mut() {
            term.proof = Some(XetHash::of_range(chunks));
        }
    }

    fn finish(mut self) -> (XetHash, Vec<(u32, Term)>) {
        self.prove();
        (XetHash::of_file(&self.nodes), self.terms)
    }
}
