//! Files that were packed together, noted in one transaction.
//!
//! Refuses to know bytes. Invariant: all of the files and xorbs are there afterwards, or none; a file or xorb that was
//! there already stays as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use spec::digest::{Oid, Sha256};
use spec::xet::XetHash;

use super::{NewTerm, placed, put_terms, touch_by_sha256};
use crate::Error;
use crate::blobs::Stored;
use crate::contents::Receipt;
use crate::db::ids::{ChunkedFileId, XorbId};
use crate::db::xorbs::{self, NewXorb};
use crate::db::{Db, Tx, VALUES, query, uploads};

/// What was packed.
pub struct NewFiles {
    /// New xorbs, each with the chunks by which clients ask for it.
    pub xorbs: Vec<(NewXorb, Vec<XetHash>)>,
    pub files: Vec<NewFile>,
}

pub struct NewFile {
    pub hash: XetHash,
    pub sha256: Sha256,
    pub git_oid: Oid,
    pub n_bytes: u64,
    /// Empty where the file is known to be stored.
    pub pieces: Vec<Piece>,
    /// The chunk by which clients ask for all of it.
    pub first: Option<(XetHash, XorbAt)>,
}

/// Some chunks of a xorb, which are the next bytes of a file.
pub struct Piece {
    pub xorb: XorbAt,
    pub chunks: Range<u32>,
    pub n_bytes: u64,
}

/// A xorb that is stored, or one of the new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum XorbAt {
    Stored(XorbId),
    New(usize),
}

/// Notes files and xorbs. Answers the names of stored bytes that nothing names, as others stored the same xorb first.
/// [`Error::NotFound`] if a stored xorb, or the repository, is gone.
pub async fn put(db: &Db, new: &NewFiles, receipt: Receipt) -> Result<Vec<Sha256>, Error> {
    let mut tx = db.begin().await?;
    let (mut ids, mut second) = (Vec::with_capacity(new.xorbs.len()), Vec::new());
    let mut asked = Vec::new();
    for (xorb, chunks) in &new.xorbs {
        let (row, _) = xorbs::put_in(&mut tx, xorb).await?;
        second.extend((row.sha256 != xorb.sha256).then_some(xorb.sha256));
        asked.extend(chunks.iter().map(|chunk| (*chunk, row.id)));
        ids.push(row.id);
    }
    let id_of = |at: XorbAt| match at {
        XorbAt::Stored(id) => Some(id),
        XorbAt::New(index) => ids.get(index).copied(),
    };
    let missing = || Error::not_found("xorb", "of a file");
    let files: BTreeMap<Sha256, &NewFile> = new.files.iter().map(|file| (file.sha256, file)).collect();
    let files: Vec<&NewFile> = files.into_values().collect();
    let pieces = files.iter().flat_map(|file| &file.pieces);
    let used: Option<BTreeSet<XorbId>> = pieces.map(|piece| id_of(piece.xorb)).collect();
    let used: Vec<XorbId> = used.ok_or_else(missing)?.into_iter().collect();
    xorbs::touch_in(&mut tx, &used, receipt.now_ms).await?;
    let added = insert(&mut tx, &files, receipt.now_ms).await?;
    let mut all_terms = Vec::new();
    for file in files.iter().filter(|file| added.contains_key(&file.sha256)) {
        let term = |piece: &Piece| {
            let (chunks, n_bytes) = (piece.chunks.clone(), piece.n_bytes);
            id_of(piece.xorb).map(|xorb| NewTerm { xorb, chunks, n_bytes })
        };
        let terms: Option<Vec<NewTerm>> = file.pieces.iter().map(term).collect();
        let first = file.first.and_then(|(chunk, at)| Some((chunk, id_of(at)?)));
        asked.extend(first);
        all_terms.extend(placed(added[&file.sha256], &terms.ok_or_else(missing)?));
    }
    put_terms(&mut tx, &all_terms).await?;
    xorbs::put_asked_chunks_in(&mut tx, &asked).await?;
    if let Some(repository) = receipt.repository {
        for file in files {
            let stored = Stored { sha256: file.sha256, git_oid: file.git_oid, n_bytes: file.n_bytes };
            uploads::put_in(&mut tx, repository, &stored, receipt.now_ms).await?;
        }
    }
    tx.commit().await?;
    Ok(second)
}

/// Adds the files that are new and touches the others. Answers the ids of the new ones. [`Error::NotFound`] if one was
/// there when it was packed and is gone.
async fn insert(
    tx: &mut Tx,
    files: &[&NewFile],
    now_ms: i64,
) -> Result<BTreeMap<Sha256, ChunkedFileId>, Error> {
    #[derive(sqlx::FromRow)]
    struct Added {
        id: ChunkedFileId,
        #[sqlx(try_from = "String")]
        sha256: Sha256,
    }
    let mut added = BTreeMap::new();
    for files in files.chunks(VALUES / 4) {
        let digests: Vec<Sha256> = files.iter().map(|file| file.sha256).collect();
        let there = touch_by_sha256(&mut *tx, &digests, now_ms).await?;
        let new: Vec<&&NewFile> = files.iter().filter(|file| !there.contains(&file.sha256)).collect();
        if let Some(gone) = new.iter().find(|file| file.pieces.is_empty() && file.n_bytes > 0) {
            return Err(Error::not_found("file", gone.sha256));
        }
        if new.is_empty() {
            continue;
        }
        let rows: Vec<String> = (0..new.len())
            .map(|row| {
                format!("(${}, ${}, ${}, ${}, $1, $1)", 2 + 4 * row, 3 + 4 * row, 4 + 4 * row, 5 + 4 * row)
            })
            .collect();
        let sql = format!(
            "INSERT INTO chunked_files (hash, sha256, git_oid, n_bytes, created_ms, touched_ms) VALUES {}
             ON CONFLICT DO NOTHING RETURNING id, sha256",
            rows.join(", ")
        );
        let insert = new.iter().fold(query("note files", sql).bind(now_ms).once(), |insert, file| {
            insert.bind(file.hash.to_string()).bind(file.sha256).bind(file.git_oid).bind(file.n_bytes)
        });
        added.extend(insert.all::<Added>(&mut *tx).await?.into_iter().map(|row| (row.sha256, row.id)));
    }
    Ok(added)
}
