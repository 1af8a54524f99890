//! Xorbs: taking them, handing them out, and telling who may name them.
//!
//! Invariants: who names a xorb in a file has sent it, or may read all of its chunks in files; nobody learns from an answer
//! that a file is here which they may not read. A xorb may hold chunks of files that not all may read: to read one of them
//! gives no right to the others.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use spec::xet::XetHash;
use spec::xet::shard;
use spec::xet::xorb::Index;
use store::blobs::Reading;
use store::clock;
use store::contents::{Incoming, Keep, Stamp};
use store::db::ids::{AccountId, RepositoryId, XorbId};
use store::db::xorbs::{self, NewXorb, Xorb};

use super::access::Actor;
use super::transfers::{self, Pass, Ticket};
use crate::app::App;
use crate::error::{During, Error};
use crate::secrets;

/// Uses of a xorb that are looked at to find out whether all of it may be read.
const USES: u32 = 20_000;
/// Repositories that are looked at for that.
const PLACES: usize = 50;
/// Xorbs with one chunk that are looked at.
const WITH_CHUNK: u32 = 8;
/// Xorbs that one answer tells of: some 3 MB.
const TOLD_XORBS: u32 = 64;
/// How long what is told of chunks may be believed, in seconds.
const BELIEVED_S: i64 = 24 * 60 * 60;

/// Whether the sender's xorb is here, so that it need not be sent again.
pub async fn is_sent(app: &App, pass: &Pass, hash: XetHash) -> Result<bool, Error> {
    let sender = sender(pass)?;
    let Some(xorb) = xorbs::by_hash(&app.store.db, hash).await.during("find a xorb")? else {
        return Ok(false);
    };
    let sent = xorbs::sent_by(&app.store.db, sender, &[xorb.id]).await.during("find who sent a xorb")?;
    if sent.contains(&xorb.id) {
        xorbs::touch(&app.store.db, &[xorb.id], clock::now_ms()).await.during("touch a xorb")?;
    }
    Ok(sent.contains(&xorb.id))
}

/// Takes a xorb as it arrives. True if the sender had not sent it before; whether others have is not told.
///
/// A sender who goes away once all has arrived leaves nothing half-done: what is stored is then noted as theirs too.
pub async fn receive<S, E>(app: &Arc<App>, pass: &Pass, hash: XetHash, body: &mut S) -> Result<bool, Error>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let sender = sender(pass)?;
    let _turn = app.xorb_turns.acquire().await.map_err(|_| Error::Internal("wait for a turn"))?;
    let known = xorbs::by_hash(&app.store.db, hash).await.during("find a xorb")?;
    let keep = if known.is_some() { Keep::Verify } else { Keep::Store(Stamp(secrets::stamp()?)) };
    let mut incoming = app.store.contents.incoming(hash, keep);
    while let Some(block) = body.next().await {
        let block = block.map_err(|_| Error::BadRequest("the body broke off".to_owned()))?;
        incoming.write(&block).await.map_err(refusal)?;
    }
    let settling = settle(Arc::clone(app), sender, known, incoming);
    tokio::spawn(settling).await.map_err(|_| Error::Internal("store a xorb"))?
}

/// Makes a xorb that has arrived durable, and notes who sent it.
async fn settle(
    app: Arc<App>,
    sender: AccountId,
    known: Option<Xorb>,
    incoming: Incoming,
) -> Result<bool, Error> {
    let hash = incoming.hash();
    let received = incoming.finish().await.map_err(refusal)?;
    match (known, received.sha256) {
        (Some(xorb), _) => {
            let put = xorbs::put_sender(&app.store.db, xorb.id, sender, clock::now_ms()).await;
            put.during("note who sent a xorb")
        }
        (None, Some(sha256)) => {
            let chunks = received.index.chunks();
            let new = NewXorb {
                hash,
                sha256,
                n_bytes: received.n_bytes,
                n_unpacked: chunks.last().map_or(0, |chunk| u64::from(chunk.unpacked_end)),
                n_chunks: chunks.len() as u64,
                now_ms: clock::now_ms(),
            };
            let (xorb, _) = xorbs::put(&app.store.db, &new, sender).await.during("note a xorb")?;
            if xorb.sha256 != sha256 {
                // Somebody sent the same in this very moment and was first: nothing names these bytes.
                app.store.blobs.delete(&sha256).await.during("delete bytes")?;
            }
            Ok(true)
        }
        (None, None) => Err(Error::Internal("store a xorb")),
    }
}

/// What a ticket is for. A range within its own may be asked for.
pub async fn read(
    app: &App,
    ticket: &Ticket,
    range: Option<Range<u64>>,
) -> Result<(Range<u64>, Reading), Error> {
    transfers::check(app, ticket).await?;
    let range = range.unwrap_or_else(|| ticket.bytes.clone());
    if range.start < ticket.bytes.start || range.end > ticket.bytes.end {
        return Err(Error::BadFetchAddress);
    }
    let found = xorbs::by_hash(&app.store.db, ticket.xorb).await.during("find a xorb")?;
    let xorb = found.ok_or_else(|| unknown(ticket.xorb))?;
    let reading = app.store.contents.read_xorb(&xorb, range.clone()).await.during("read a xorb")?;
    Ok((range, reading))
}

/// What is here of a chunk that a sender is about to send: the chunks of its xorb and of those beside it, as a shard.
/// `None` where the chunk is in no file that they may read.
pub async fn with_chunk(app: &App, pass: &Pass, chunk: XetHash) -> Result<Option<Vec<u8>>, Error> {
    let found = xorbs::with_chunk(&app.store.db, chunk, WITH_CHUNK).await.during("find a chunk")?;
    let mut readers = Readers::new(transfers::actor(app, pass).await?);
    for xorb in found {
        let Some(repository) = readers.place_of(app, &xorb).await? else { continue };
        let beside = xorbs::beside(&app.store.db, xorb.id, repository, TOLD_XORBS).await;
        let mut told = vec![xorb];
        let beside =
            beside.during("find xorbs beside one")?.into_iter().filter(|other| other.id != told[0].id);
        let beside: Vec<Xorb> = beside.take(TOLD_XORBS as usize - 1).collect();
        for other in beside {
            if readers.place_of(app, &other).await?.is_some() {
                told.push(other);
            }
        }
        let ids: Vec<XorbId> = told.iter().map(|xorb| xorb.id).collect();
        xorbs::touch(&app.store.db, &ids, clock::now_ms()).await.during("touch xorbs")?;
        return write_shard(app, &told).await.map(Some);
    }
    Ok(None)
}

/// The xorbs of these names. [`Error::BadRequest`] for one that is not here, or that the sender may not name: which of
/// the two is not told.
pub async fn named(
    app: &App,
    pass: &Pass,
    hashes: &BTreeSet<XetHash>,
) -> Result<BTreeMap<XetHash, Xorb>, Error> {
    let hashes: Vec<XetHash> = hashes.iter().copied().collect();
    let found = xorbs::by_hashes(&app.store.db, &hashes).await.during("find xorbs")?;
    let ids: Vec<XorbId> = found.iter().map(|xorb| xorb.id).collect();
    let sent = xorbs::sent_by(&app.store.db, sender(pass)?, &ids).await.during("find who sent xorbs")?;
    let mut readers = Readers::new(transfers::actor(app, pass).await?);
    let mut named = BTreeMap::new();
    for xorb in found {
        if sent.contains(&xorb.id) || readers.place_of(app, &xorb).await?.is_some() {
            named.insert(xorb.hash, xorb);
        }
    }
    match hashes.iter().find(|hash| !named.contains_key(hash)) {
        Some(missing) => Err(Error::BadRequest(format!("the xorb `{missing}` was not sent"))),
        None => Ok(named),
    }
}

/// The chunks of a stored xorb.
pub async fn index(app: &App, xorb: &Xorb) -> Result<Arc<Index>, Error> {
    app.store.contents.index(&xorb.sha256, xorb.n_bytes).await.during("read the index of a xorb")
}

/// Which repositories the asker may read, as far as it was looked up.
struct Readers {
    actor: Actor,
    known: BTreeMap<RepositoryId, bool>,
}

impl Readers {
    fn new(actor: Actor) -> Self {
        Self { actor, known: BTreeMap::new() }
    }

    /// The first of the repositories in whose files the asker may read all chunks of the xorb.
    async fn place_of(&mut self, app: &App, xorb: &Xorb) -> Result<Option<RepositoryId>, Error> {
        let uses = xorbs::uses_of(&app.store.db, xorb.id, USES).await.during("find where a xorb is used")?;
        let (mut places, mut n_places) = (uses.chunk_by(|a, b| a.repository == b.repository), 0);
        let (mut readable, mut first) = (Vec::new(), None);
        while let (Some(uses), true) = (places.next(), n_places < PLACES) {
            n_places += 1;
            let place = uses[0].repository;
            if !self.may_read(app, place).await? {
                continue;
            }
            first = first.or(Some(place));
            readable.extend(uses.iter().map(|used| used.chunks.clone()));
            readable.sort_unstable_by_key(|chunks: &Range<u32>| chunks.start);
            let end = readable
                .iter()
                .fold(0, |end, chunks| if chunks.start <= end { chunks.end.max(end) } else { end });
            if u64::from(end) >= xorb.n_chunks {
                return Ok(first);
            }
        }
        Ok(None)
    }

    async fn may_read(&mut self, app: &App, place: RepositoryId) -> Result<bool, Error> {
        if let Some(may) = self.known.get(&place) {
            return Ok(*may);
        }
        let may = transfers::may_read(app, &self.actor, place).await?;
        self.known.insert(place, may);
        Ok(may)
    }
}

async fn write_shard(app: &App, told: &[Xorb]) -> Result<Vec<u8>, Error> {
    let mut indexes = Vec::with_capacity(told.len());
    for xorb in told {
        indexes.push((xorb.hash, index(app, xorb).await?));
    }
    let expires_s = u64::try_from(clock::now_ms() / 1000 + BELIEVED_S).unwrap_or(0);
    let write = move || {
        let told: Vec<(XetHash, &Index)> = indexes.iter().map(|(hash, index)| (*hash, &**index)).collect();
        shard::write(&told, expires_s)
    };
    tokio::task::spawn_blocking(write).await.map_err(|_| Error::Internal("write a shard"))
}

/// Only accounts write.
fn sender(pass: &Pass) -> Result<AccountId, Error> {
    pass.account.ok_or(Error::NotSignedIn)
}

fn unknown(hash: XetHash) -> Error {
    Error::NotFound { what: "xorb", name: hash.to_string() }
}

/// What a client did wrong, told apart from what we could not do.
fn refusal(error: store::Error) -> Error {
    match error {
        store::Error::Xorb(error) => Error::BadRequest(error.to_string()),
        store::Error::StorageFull { .. } => Error::StorageFull,
        source => Error::Store { operation: "store a xorb", source },
    }
}
