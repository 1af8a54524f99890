//! Finds a place for each chunk: where it is stored already, or in a new xorb.
//!
//! Refuses to know who sends. Invariant: memory stays bounded: chunks are remembered up to a number, and bytes are in the
//! files of new xorbs.

use std::collections::{BTreeMap, BTreeSet};

use spec::digest::Sha256;
use spec::xet::XetHash;

use super::cutting::{Chunk, Cut, Ended, Event, Reader};
use super::new_xorb::{NewXorb, Sealed};
use crate::Error;
use crate::blobs::blocking;
use crate::contents::{Contents, Stamp};
use crate::db::chunked_files::packed::{NewFile, Piece, XorbAt};
use crate::db::chunked_files::{self, ChunkedFile};
use crate::db::ids::XorbId;
use crate::db::xorbs::{self, Xorb};

/// Chunks that are remembered, of some 60 bytes each: those of 16 GiB.
const KNOWN: usize = 256 * 1024;
/// Xorbs of one file that are looked into when a chunk of one is found.
const BESIDE: u32 = 64;

/// Files on their way into xorbs.
pub(super) struct Packer {
    contents: Contents,
    stamp: Stamp,
    reader: Reader,
    known: BTreeMap<XetHash, (XorbAt, u32)>,
    /// Stored xorbs whose chunks are known.
    seen: BTreeSet<XorbId>,
    open: Option<NewXorb>,
    pub(super) sealed: Vec<Sealed>,
    under: Under,
    pub(super) files: Vec<NewFile>,
}

/// The chunks of the file under way.
#[derive(Default)]
struct Under {
    nodes: Vec<(XetHash, u64)>,
    pieces: Vec<Piece>,
    first: Option<(XetHash, XorbAt)>,
}

impl Packer {
    pub(super) fn new(contents: Contents, stamp: Stamp) -> Self {
        Self {
            contents,
            stamp,
            reader: Reader::default(),
            known: BTreeMap::new(),
            seen: BTreeSet::new(),
            open: None,
            sealed: Vec::new(),
            under: Under::default(),
            files: Vec::new(),
        }
    }

    pub(super) async fn take(mut self: Box<Self>, events: Vec<Event>) -> Result<Box<Self>, Error> {
        let (mut packer, cuts) = blocking(move || {
            let cuts = self.reader.read(events)?;
            Ok((self, cuts))
        })
        .await?;
        let stored = packer.stored_files(&cuts).await?;
        packer.look_up(&cuts).await?;
        blocking(move || {
            packer.pack(cuts, &stored)?;
            Ok(packer)
        })
        .await
    }

    /// Ends the last xorb.
    pub(super) async fn end(mut self: Box<Self>) -> Result<Box<Self>, Error> {
        blocking(move || {
            self.seal()?;
            Ok(self)
        })
        .await
    }

    /// Those of the files that are stored already, by their digests.
    async fn stored_files(&self, cuts: &[Cut]) -> Result<BTreeMap<Sha256, ChunkedFile>, Error> {
        let whole = cuts.iter().filter_map(|cut| match cut {
            Cut::End(Ended { digests, began: Some(_), .. }) => Some(digests.sha256),
            _ => None,
        });
        let whole: BTreeSet<Sha256> = whole.collect();
        let whole: Vec<Sha256> = whole.into_iter().collect();
        let found = chunked_files::by_digests(&self.contents.db, &whole).await?;
        Ok(found.into_iter().map(|file| (file.sha256, file)).collect())
    }

    /// Learns where chunks are stored by which that can be asked.
    async fn look_up(&mut self, cuts: &[Cut]) -> Result<(), Error> {
        let asked = cuts.iter().filter_map(|cut| match cut {
            Cut::Chunk(Chunk { hash, is_asked: true, .. }) if !self.known.contains_key(hash) => Some(*hash),
            _ => None,
        });
        let asked: Vec<XetHash> = asked.collect();
        for xorb in xorbs::with_chunks(&self.contents.db, &asked).await? {
            if !self.seen.contains(&xorb.id) {
                let beside = xorbs::beside_anywhere(&self.contents.db, xorb.id, BESIDE).await?;
                self.learn(xorb).await?;
                for xorb in beside {
                    self.learn(xorb).await?;
                }
            }
        }
        Ok(())
    }

    async fn learn(&mut self, xorb: Xorb) -> Result<(), Error> {
        if self.known.len() >= KNOWN || !self.seen.insert(xorb.id) {
            return Ok(());
        }
        let index = match self.contents.index(&xorb.sha256, xorb.n_bytes).await {
            // What is lost or damaged there is stored anew.
            Err(Error::NoBlob(_) | Error::Damaged { .. }) => return Ok(()),
            index => index?,
        };
        for (chunk, place) in index.chunks().iter().zip(0..) {
            self.known.entry(chunk.hash).or_insert((XorbAt::Stored(xorb.id), place));
        }
        Ok(())
    }

    fn pack(&mut self, cuts: Vec<Cut>, stored: &BTreeMap<Sha256, ChunkedFile>) -> Result<(), Error> {
        let ends = cuts.iter().enumerate().filter_map(|(index, cut)| match cut {
            Cut::End(Ended { digests, began: Some(began), .. }) if stored.contains_key(&digests.sha256) => {
                Some(*began..index)
            }
            _ => None,
        });
        let passed_over: Vec<std::ops::Range<usize>> = ends.collect();
        let mut passed_over = passed_over.iter().peekable();
        for (index, cut) in cuts.into_iter().enumerate() {
            while passed_over.next_if(|range| range.end < index).is_some() {}
            match cut {
                Cut::Chunk(_) if passed_over.peek().is_some_and(|range| range.contains(&index)) => {}
                Cut::Chunk(chunk) => self.push(&chunk)?,
                Cut::End(ended) => self.end_file(&ended, stored.get(&ended.digests.sha256)),
            }
        }
        Ok(())
    }

    fn push(&mut self, chunk: &Chunk) -> Result<(), Error> {
        let (xorb, place) = match self.known.get(&chunk.hash) {
            Some(known) => *known,
            None => self.store(chunk)?,
        };
        let n_bytes = chunk.bytes.len() as u64;
        if chunk.is_first {
            self.under.first = Some((chunk.hash, xorb));
        }
        self.under.nodes.push((chunk.hash, n_bytes));
        match self.under.pieces.last_mut() {
            Some(last) if last.xorb == xorb && last.chunks.end == place => {
                last.chunks.end += 1;
                last.n_bytes += n_bytes;
            }
            _ => self.under.pieces.push(Piece { xorb, chunks: place..place + 1, n_bytes }),
        }
        Ok(())
    }

    fn store(&mut self, chunk: &Chunk) -> Result<(XorbAt, u32), Error> {
        if self.open.as_ref().is_some_and(|open| open.is_full_for(&chunk.bytes)) {
            self.seal()?;
        }
        let open = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(NewXorb::new(&self.contents.blobs)?),
        };
        let place = (XorbAt::New(self.sealed.len()), open.push(chunk.hash, &chunk.bytes)?);
        if self.known.len() < KNOWN {
            self.known.insert(chunk.hash, place);
        }
        Ok(place)
    }

    fn seal(&mut self) -> Result<(), Error> {
        if let Some(open) = self.open.take() {
            self.sealed.extend(open.seal(self.stamp)?);
        }
        Ok(())
    }

    fn end_file(&mut self, ended: &Ended, stored: Option<&ChunkedFile>) {
        let Under { nodes, pieces, first } = std::mem::take(&mut self.under);
        let is_stored = stored.filter(|_| ended.began.is_some());
        let hash = is_stored.map_or_else(|| XetHash::of_file(&nodes), |file| file.hash);
        let (sha256, git_oid) = (ended.digests.sha256, ended.digests.git_oid);
        self.files.push(NewFile { hash, sha256, git_oid, n_bytes: ended.n_bytes, pieces, first });
    }
}
