//! Xorbs: chunks that are kept together, who sent them, and which of their chunks clients ask for.
//!
//! Refuses to know bytes. Invariant: a row is written after its bytes are durable; a sender is noted only after all
//! bytes came from them.

use std::collections::BTreeSet;
use std::ops::Range;

use spec::digest::Sha256;
use spec::xet::XetHash;

use super::ids::{AccountId, RepositoryId, XorbId};
use super::{Db, Tx, VALUES, places, query};
use crate::Error;

/// Most xorbs that are told for some chunks.
const FOUND: usize = 500;
/// How long one telling of a xorb stands for those after it.
const TOUCH_MS: i64 = 60 * 60 * 1000;
/// Puts the time of a row to `$1`, and never to what it was.
pub(super) const TOUCHED: &str = "touched_ms = CASE WHEN touched_ms < $1 THEN $1 ELSE touched_ms + 1 END";

/// A xorb that is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Xorb {
    pub id: XorbId,
    pub hash: XetHash,
    /// Names the stored bytes: the chunks, and behind them their index.
    pub sha256: Sha256,
    /// Of the chunks, as they travel.
    pub n_bytes: u64,
    pub n_unpacked: u64,
    pub n_chunks: u64,
}

/// A xorb that was just stored.
#[derive(Debug, Clone, Copy)]
pub struct NewXorb {
    pub hash: XetHash,
    pub sha256: Sha256,
    pub n_bytes: u64,
    pub n_unpacked: u64,
    pub n_chunks: u64,
    pub now_ms: i64,
}

/// Notes a xorb, if it is new, and who sent it. Answers its row and whether it is new.
pub async fn put(db: &Db, new: &NewXorb, sender: AccountId) -> Result<(Xorb, bool), Error> {
    let mut tx = db.begin().await?;
    let (xorb, is_new) = put_in(&mut tx, new).await?;
    note_sender(&mut tx, xorb.id, sender).await?;
    tx.commit().await?;
    Ok((xorb, is_new))
}

/// Notes a xorb, if it is new. Answers its row and whether it is new.
pub(super) async fn put_in(tx: &mut Tx, new: &NewXorb) -> Result<(Xorb, bool), Error> {
    let sql = "INSERT INTO xorbs (hash, sha256, n_bytes, n_unpacked, n_chunks, created_ms, touched_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $6) ON CONFLICT (hash) DO NOTHING";
    let put = query("note a xorb", sql).bind(new.hash.to_string()).bind(new.sha256).bind(new.n_bytes);
    let put = put.bind(new.n_unpacked).bind(new.n_chunks).bind(new.now_ms);
    let is_new = put.run(&mut *tx).await? > 0;
    let sql = format!("{SELECT} WHERE x.hash = $1 {{lock}}");
    let row = query("find a xorb", sql).bind(new.hash.to_string()).one::<Row>(&mut *tx).await?;
    let xorb = Xorb::from(row);
    if !is_new {
        touch_in(tx, &[xorb.id], new.now_ms).await?;
    }
    Ok((xorb, is_new))
}

/// Notes that somebody sent all bytes of a xorb that was there. True if they had not before. [`Error::NotFound`] if it
/// was collected meanwhile.
pub async fn put_sender(db: &Db, xorb: XorbId, sender: AccountId, now_ms: i64) -> Result<bool, Error> {
    let mut tx = db.begin().await?;
    touch_in(&mut tx, &[xorb], now_ms).await?;
    let is_first = note_sender(&mut tx, xorb, sender).await?;
    tx.commit().await?;
    Ok(is_first)
}

/// Notes that a client was told of these xorbs, and so will not send them for a while. One of which that was noted a
/// moment ago is left alone.
pub async fn touch(db: &Db, xorbs: &[XorbId], now_ms: i64) -> Result<(), Error> {
    for xorbs in xorbs.chunks(VALUES) {
        let sql = format!(
            "UPDATE xorbs SET touched_ms = $1 WHERE touched_ms < $2 AND id IN ({})",
            places(3, xorbs.len())
        );
        let touch = query("touch xorbs", sql).bind(now_ms).bind(now_ms.saturating_sub(TOUCH_MS));
        touch.bind_all(xorbs.iter().copied()).once().run(db.writer()).await?;
    }
    Ok(())
}

/// Notes that these different xorbs are about to be named: whoever wanted to collect one finds it changed.
/// [`Error::NotFound`] if one is gone.
pub(super) async fn touch_in(tx: &mut Tx, xorbs: &[XorbId], now_ms: i64) -> Result<(), Error> {
    for xorbs in xorbs.chunks(VALUES) {
        let sql = format!("UPDATE xorbs SET {TOUCHED} WHERE id IN ({})", places(2, xorbs.len()));
        let touch = query("touch xorbs", sql).bind(now_ms).bind_all(xorbs.iter().copied());
        if touch.once().run(&mut *tx).await? != xorbs.len() as u64 {
            return Err(Error::not_found("xorb", "that was named"));
        }
    }
    Ok(())
}

pub async fn by_hash(db: &Db, hash: XetHash) -> Result<Option<Xorb>, Error> {
    Ok(by_hashes(db, &[hash]).await?.into_iter().next())
}

/// Those of the xorbs that are there, in no order that means anything.
pub async fn by_hashes(db: &Db, hashes: &[XetHash]) -> Result<Vec<Xorb>, Error> {
    let mut found = Vec::new();
    for hashes in hashes.chunks(VALUES) {
        let sql = format!("{SELECT} WHERE x.hash IN ({}) ORDER BY x.id", places(1, hashes.len()));
        let rows = query("find xorbs", sql).bind_all(hashes.iter().map(ToString::to_string)).once();
        found.extend(rows.all::<Row>(db).await?.into_iter().map(Xorb::from));
    }
    Ok(found)
}

/// Those of the xorbs that this account sent.
pub async fn sent_by(db: &Db, account: AccountId, xorbs: &[XorbId]) -> Result<BTreeSet<XorbId>, Error> {
    let mut sent = BTreeSet::new();
    for xorbs in xorbs.chunks(VALUES) {
        let places = places(2, xorbs.len());
        let sql = format!("SELECT xorb_id FROM xorb_senders WHERE account_id = $1 AND xorb_id IN ({places})");
        let rows = query("find who sent xorbs", sql).bind(account).bind_all(xorbs.iter().copied()).once();
        sent.extend(rows.all::<(XorbId,)>(db).await?.into_iter().map(|(id,)| id));
    }
    Ok(sent)
}

/// Chunks of a xorb that a file of a repository has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    pub repository: RepositoryId,
    pub chunks: Range<u32>,
}

/// Which repositories have files with which chunks of this xorb, repository by repository.
pub async fn uses_of(db: &Db, xorb: XorbId, limit: u32) -> Result<Vec<Used>, Error> {
    let sql = "SELECT DISTINCT p.repository_id, t.chunk_start, t.chunk_end FROM chunked_terms t
        JOIN chunked_places p ON p.file_id = t.file_id WHERE t.xorb_id = $1
        ORDER BY p.repository_id, t.chunk_start, t.chunk_end LIMIT $2";
    let rows = query("find where a xorb is used", sql).bind(xorb).bind(i64::from(limit));
    let place = |n: i64| u32::try_from(n).unwrap_or(0);
    let used = |(repository, start, end): (RepositoryId, i64, i64)| Used {
        repository,
        chunks: place(start)..place(end),
    };
    Ok(rows.all(db).await?.into_iter().map(used).collect())
}

/// Notes chunks by which clients will ask for the xorb.
pub async fn put_asked_chunks(db: &Db, chunks: &[(XetHash, XorbId)]) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    put_asked_chunks_in(&mut tx, chunks).await?;
    tx.commit().await
}

pub(super) async fn put_asked_chunks_in(tx: &mut Tx, chunks: &[(XetHash, XorbId)]) -> Result<(), Error> {
    for chunks in chunks.chunks(VALUES / 2) {
        let rows: Vec<String> =
            (0..chunks.len()).map(|n| format!("(${}, ${})", 2 * n + 1, 2 * n + 2)).collect();
        let sql = format!(
            "INSERT INTO asked_chunks (hash, xorb_id) VALUES {} ON CONFLICT (hash, xorb_id) DO NOTHING",
            rows.join(", ")
        );
        let mut insert = query("note chunks", sql).once();
        for (hash, xorb) in chunks {
            insert = insert.bind(hash.to_string()).bind(*xorb);
        }
        insert.run(&mut *tx).await?;
    }
    Ok(())
}

/// Xorbs that have the chunk, if clients ask for it, the oldest first.
pub async fn with_chunk(db: &Db, chunk: XetHash, limit: u32) -> Result<Vec<Xorb>, Error> {
    let sql =
        format!("{SELECT} JOIN asked_chunks c ON c.xorb_id = x.id WHERE c.hash = $1 ORDER BY x.id LIMIT $2");
    let rows = query("find a chunk", sql).bind(chunk.to_string()).bind(i64::from(limit));
    Ok(rows.all::<Row>(db).await?.into_iter().map(Xorb::from).collect())
}

/// Xorbs that have one of the chunks, of those by which clients ask.
pub async fn with_chunks(db: &Db, chunks: &[XetHash]) -> Result<Vec<Xorb>, Error> {
    let mut found = Vec::new();
    for chunks in chunks.chunks(VALUES) {
        let sql = format!(
            "{SELECT} WHERE x.id IN (SELECT xorb_id FROM asked_chunks WHERE hash IN ({})) ORDER BY x.id LIMIT {FOUND}",
            places(1, chunks.len())
        );
        let rows = query("find chunks", sql).bind_all(chunks.iter().map(ToString::to_string)).once();
        found.extend(rows.all::<Row>(db).await?.into_iter().map(Xorb::from));
    }
    Ok(found)
}

/// The xorbs that have chunks of the newest file which has chunks of this one.
pub async fn beside_anywhere(db: &Db, xorb: XorbId, limit: u32) -> Result<Vec<Xorb>, Error> {
    let sql = format!(
        "{SELECT} WHERE x.id IN (
            SELECT o.xorb_id FROM chunked_terms o WHERE o.file_id = (
                SELECT max(t.file_id) FROM chunked_terms t WHERE t.xorb_id = $1
            )
        ) ORDER BY x.id LIMIT $2"
    );
    let rows = query("find xorbs beside one", sql).bind(xorb).bind(i64::from(limit));
    Ok(rows.all::<Row>(db).await?.into_iter().map(Xorb::from).collect())
}

/// The xorbs that have chunks of a file which has chunks of this one, in one of these repositories.
pub async fn beside(db: &Db, xorb: XorbId, repository: RepositoryId, limit: u32) -> Result<Vec<Xorb>, Error> {
    let sql = format!(
        "{SELECT} WHERE x.id IN (
            SELECT o.xorb_id FROM chunked_terms o WHERE o.file_id = (
                SELECT min(t.file_id) FROM chunked_terms t JOIN chunked_places p ON p.file_id = t.file_id
                WHERE t.xorb_id = $1 AND p.repository_id = $2
            )
        ) ORDER BY x.id LIMIT $3"
    );
    let rows = query("find xorbs beside one", sql).bind(xorb).bind(repository).bind(i64::from(limit));
    Ok(rows.all::<Row>(db).await?.into_iter().map(Xorb::from).collect())
}

const SELECT: &str = "SELECT x.id, x.hash, x.sha256, x.n_bytes, x.n_unpacked, x.n_chunks FROM xorbs x";

async fn note_sender(tx: &mut Tx, xorb: XorbId, sender: AccountId) -> Result<bool, Error> {
    let sql = "INSERT INTO xorb_senders (account_id, xorb_id) VALUES ($1, $2)
        ON CONFLICT (account_id, xorb_id) DO NOTHING";
    let note = query("note who sent a xorb", sql).bind(sender).bind(xorb);
    let n_rows = note.run(tx).await.map_err(|error| error.if_missing("account", sender))?;
    Ok(n_rows > 0)
}

#[derive(sqlx::FromRow)]
struct Row {
    id: XorbId,
    #[sqlx(try_from = "String")]
    hash: XetHash,
    #[sqlx(try_from = "String")]
    sha256: Sha256,
    n_bytes: i64,
    n_unpacked: i64,
    n_chunks: i64,
}

impl From<Row> for Xorb {
    fn from(row: Row) -> Self {
        let Row { id, hash, sha256, n_bytes, n_unpacked, n_chunks } = row;
        let count = |n: i64| u64::try_from(n).unwrap_or(0);
        let (n_bytes, n_unpacked, n_chunks) = (count(n_bytes), count(n_unpacked), count(n_chunks));
        Self { id, hash, sha256, n_bytes, n_unpacked, n_chunks }
    }
}
