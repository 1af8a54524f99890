//! Small files one behind the other, read in one go: what was packed together is fetched together.
//!
//! Invariants: the database is asked once for all of them, not once for each; nothing that waits to be read holds a
//! connection of the database, so that however many are wanted, they cannot lock each other out.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{StreamExt, TryStreamExt};
use spec::digest::Sha256;

use super::Contents;
use super::ahead::ahead;
use super::chunks::{Chunks, Terms};
use crate::Error;
use crate::db::chunked_files::{self, ChunkedFile, Term};

/// Files up to this size are looked up together.
const SMALL_BYTES: u64 = 1024 * 1024;

/// Some of the bytes.
enum Piece {
    /// Of small files that follow each other. Each term's place is counted from the first byte of the piece.
    Small(Vec<Term>),
    /// One file that is large, or is kept whole.
    File(Sha256),
}

impl Contents {
    /// The bytes of these files, each file behind the one before it. A file that is not stored ends them with
    /// [`Error::NoBlob`].
    pub async fn read_several(
        &self,
        files: &[Sha256],
    ) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        let chunked = chunked_files::by_digests(&self.db, files).await?;
        let small: BTreeMap<Sha256, ChunkedFile> = chunked
            .into_iter()
            .filter(|file| file.n_bytes <= SMALL_BYTES)
            .map(|file| (file.sha256, file))
            .collect();
        let ids: Vec<_> = small.values().map(|file| file.id).collect();
        let terms = chunked_files::all_terms(&self.db, &ids).await?;
        let mut pieces = Vec::new();
        for sha256 in files {
            match small.get(sha256) {
                Some(file) => append(&mut pieces, terms.get(&file.id).map_or(&[], Vec::as_slice)),
                None => pieces.push(Piece::File(*sha256)),
            }
        }
        let contents = self.clone();
        let open = move |piece| {
            let contents = contents.clone();
            async move { contents.open_piece(piece).await }
        };
        Ok(ahead(stream::iter(pieces).then(open).try_flatten().boxed()))
    }

    async fn open_piece(&self, piece: Piece) -> Result<BoxStream<'static, Result<Bytes, Error>>, Error> {
        match piece {
            Piece::Small(terms) => {
                let n_bytes = terms.last().map_or(0, Term::end);
                Ok(Chunks::new(self, Terms::these(terms), 0..n_bytes).into_stream())
            }
            Piece::File(sha256) => Ok(self.read(&sha256, None).await?.stream),
        }
    }
}

/// Adds the terms of a small file; chunks that stand behind those of the file before become one term with them.
fn append(pieces: &mut Vec<Piece>, terms: &[Term]) {
    if !matches!(pieces.last(), Some(Piece::Small(_))) {
        pieces.push(Piece::Small(Vec::new()));
    }
    let Some(Piece::Small(before)) = pieces.last_mut() else { return };
    for term in terms {
        match before.last_mut() {
            Some(last) if last.xorb == term.xorb && last.chunks.end == term.chunks.start => {
                last.chunks.end = term.chunks.end;
                last.n_bytes += term.n_bytes;
            }
            last => {
                let start = last.map_or(0, |last| last.end());
                before.push(Term { start, ..term.clone() });
            }
        }
    }
}
