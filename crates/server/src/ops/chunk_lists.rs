//! Lists of chunks: of which chunks a file is made, so that a client can tell what it has of it and what came damaged.
//!
//! Knows no wire. Invariants: told to who may read the file and to nobody else; one answer tells of a bounded number of xorbs.

use std::collections::BTreeSet;

use spec::xet::XetHash;
use spec::xet::shard::{File, Shard, Term, Xorb};
use store::db::chunked_files as rows;

use super::chunked_files;
use super::transfers::Pass;
use crate::app::App;
use crate::error::{During, Error};

/// Terms that one answer tells of.
const TERMS: u32 = 4000;
/// Xorbs that one answer tells of: at most some 25 MB, and most often one.
const XORBS: usize = 64;

/// The terms of a file from the one on that holds this byte, perhaps not all to its end, and the chunks of their xorbs.
pub async fn list(app: &App, pass: &Pass, hash: XetHash, from: u64) -> Result<Shard, Error> {
    let file = chunked_files::readable(app, pass, hash).await?;
    let found = match from < file.n_bytes {
        true => rows::terms(&app.store.db, file.id, from, TERMS).await.during("read the terms of a file")?,
        false => Vec::new(),
    };
    let mut named = BTreeSet::new();
    let (mut terms, mut xorbs) = (Vec::new(), Vec::new());
    for term in found {
        if named.insert(term.xorb_hash) {
            if named.len() > XORBS {
                break;
            }
            let index = app.store.contents.index(&term.xorb_sha256, term.xorb_bytes).await;
            let index = index.during("read the index of a xorb")?;
            let n_chunks = u32::try_from(index.chunks().len()).unwrap_or(u32::MAX);
            let nodes = index.nodes(0..n_chunks).unwrap_or_default();
            let length = |(hash, n): (XetHash, u64)| (hash, u32::try_from(n).unwrap_or(u32::MAX));
            xorbs.push(Xorb { hash: term.xorb_hash, chunks: nodes.into_iter().map(length).collect() });
        }
        let n_bytes = u32::try_from(term.n_bytes).unwrap_or(u32::MAX);
        terms.push(Term { xorb: term.xorb_hash, n_bytes, chunks: term.chunks, proof: None });
    }
    Ok(Shard { files: vec![File { hash, terms, sha256: Some(file.sha256) }], xorbs })
}
