//! Uploads: large files that are sent ahead of the commit that names them, each to an address of its own.
//!
//! Refuses to know how an address is written. Invariants: an address is good for one thing, which its signature
//! covers whole: these bytes, this many, for this repository, until then; bytes are the repository's only after their
//! digest was seen to be the one announced.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use spec::digest::Sha256;
use spec::name::{RepositoryKind, RepositoryName};
use store::blobs::Stored;
use store::clock;
use store::contents::{Packing, Receipt, Stamp};
use store::db::ids::RepositoryId;
use store::db::uploads;

use super::access::{Action, Actor};
use super::{quotas, repositories};
use crate::app::App;
use crate::error::{During, Error};
use crate::secrets::{self, Secret};

/// The name under which the database keeps the key of the signatures.
const KEY_NAME: &str = "upload-addresses";
/// Most parts of one upload, so that a list of their addresses stays small.
const MAX_PARTS: u64 = 10_000;

/// A file that a client wants to send.
#[derive(Debug, Clone, Copy)]
pub struct Announced {
    pub sha256: Sha256,
    pub n_bytes: u64,
}

/// How a client can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sending {
    Whole,
    WholeOrParts,
    /// In chunks, by a way of its own.
    Chunks,
}

/// How a file is to be sent.
#[derive(Debug)]
pub enum Plan {
    /// The repository has it already.
    Stored,
    /// By the way that the client has for it.
    Chunks,
    Whole(Ticket),
    Parts {
        part_bytes: u64,
        parts: Vec<Ticket>,
        join: Ticket,
    },
    TooLarge,
}

/// The right to send some bytes, which whoever shows it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub repository: RepositoryId,
    /// Of the whole file.
    pub sha256: Sha256,
    /// Of the part, or of the whole file.
    pub n_bytes: u64,
    /// Tells one attempt to send a file from another.
    pub upload: String,
    pub deed: Deed,
    pub expires_ms: i64,
    pub signature: String,
}

/// What a ticket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    SendWhole,
    /// Counted from 1.
    SendPart(u32),
    /// Of so many parts.
    Join(u32),
}

/// How each of the files is to be sent to the repository, in their order.
pub async fn plan(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    files: &[Announced],
    sending: Sending,
) -> Result<Vec<Plan>, Error> {
    let row = repositories::get(app, actor, kind, name, Action::Write).await?;
    let announced: BTreeMap<Sha256, u64> = files.iter().map(|file| (file.sha256, file.n_bytes)).collect();
    quotas::check_files(app, (row.owner_id, row.id), &announced).await?;
    let repository = row.id;
    let signer = Signer::new(app, repository).await?;
    let mut plans = Vec::with_capacity(files.len());
    for file in files {
        let found = uploads::find(&app.store.db, repository, file.sha256).await.during("find an upload")?;
        plans.push(match found {
            Some(stored) if stored.n_bytes == file.n_bytes => Plan::Stored,
            _ if file.n_bytes > app.settings.commit_limit.0 => Plan::TooLarge,
            _ if sending == Sending::Chunks => Plan::Chunks,
            _ => signer.plan(file, sending, app.settings.upload_part.0)?,
        });
    }
    Ok(plans)
}

/// Whether the repository was sent these bytes; [`Error::NotFound`] if not.
pub async fn verify(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    file: &Announced,
) -> Result<(), Error> {
    let repository = repositories::get(app, actor, kind, name, Action::Write).await?;
    let found = uploads::find(&app.store.db, repository.id, file.sha256).await.during("find an upload")?;
    match found {
        Some(stored) if stored.n_bytes == file.n_bytes => Ok(()),
        _ => Err(Error::NotFound { what: "upload of", name: file.sha256.to_string() }),
    }
}

/// Takes the bytes that a ticket is for, as they arrive.
pub async fn receive<S, E>(app: &App, ticket: &Ticket, body: &mut S) -> Result<(), Error>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    check(app, ticket).await?;
    match ticket.deed {
        Deed::SendWhole => {
            let mut packing = begin(app, ticket)?;
            while let Some(block) = body.next().await {
                packing.write(&block.map_err(broken_off)?).await.map_err(refusal)?;
            }
            keep(ticket, packing).await
        }
        Deed::SendPart(number) => {
            let mut spool = app.store.blobs.spool(Some(ticket.n_bytes));
            while let Some(block) = body.next().await {
                spool.write(&block.map_err(broken_off)?).await.map_err(refusal)?;
            }
            let put = app.store.blobs.put_part(&ticket.upload, number, spool).await;
            put.map_err(refusal)
        }
        Deed::Join(_) => Err(Error::BadUploadAddress),
    }
}

/// Makes one file of the parts that have arrived. Done again, it does nothing.
pub async fn join(app: &App, ticket: &Ticket) -> Result<(), Error> {
    check(app, ticket).await?;
    let Deed::Join(n_parts) = ticket.deed else { return Err(Error::BadUploadAddress) };
    let mut packing = begin(app, ticket)?;
    match join_parts(app, (&ticket.upload, n_parts), &mut packing).await {
        Ok(()) => keep(ticket, packing).await?,
        // Joined before, by a request whose answer was lost.
        Err(store::Error::NoPart { .. }) if find(app, ticket).await?.is_some() => return Ok(()),
        Err(error) => return Err(refusal(error)),
    }
    app.store.blobs.delete_parts(&ticket.upload, n_parts).await.during("delete the parts of an upload")
}

/// Reads the parts one after the other.
async fn join_parts(
    app: &App,
    (upload, n_parts): (&str, u32),
    packing: &mut Packing,
) -> Result<(), store::Error> {
    for number in 1..=n_parts {
        let mut part = app.store.blobs.read_part(upload, number).await?;
        while let Some(block) = part.try_next().await? {
            packing.write(&block).await?;
        }
    }
    Ok(())
}

/// Deletes the parts of uploads whose addresses are good no longer.
pub async fn clean_up(app: &App) -> Result<(), Error> {
    let lifetime_ms = i64::try_from(app.settings.upload_lifetime.0.as_millis()).unwrap_or(i64::MAX);
    let before_ms = clock::now_ms().saturating_sub(lifetime_ms);
    app.store.blobs.delete_parts_before(before_ms).await.during("delete the parts of old uploads")
}

async fn find(app: &App, ticket: &Ticket) -> Result<Option<Stored>, Error> {
    uploads::find(&app.store.db, ticket.repository, ticket.sha256).await.during("find an upload")
}

/// Room for the one file of a ticket.
fn begin(app: &App, ticket: &Ticket) -> Result<Packing, Error> {
    let mut packing = app.store.contents.packing(Stamp(secrets::stamp()?)).expecting(ticket.sha256);
    packing.begin(ticket.n_bytes);
    Ok(packing)
}

/// First the bytes, then the rows that name them.
async fn keep(ticket: &Ticket, mut packing: Packing) -> Result<(), Error> {
    packing.end();
    let receipt = Receipt { repository: Some(ticket.repository), now_ms: clock::now_ms() };
    match packing.finish(receipt).await {
        // The repository was deleted while the bytes arrived.
        Err(store::Error::NotFound { what: "repository", .. }) => Err(Error::BadUploadAddress),
        result => result.map(|_| ()).map_err(refusal),
    }
}

fn broken_off<E>(_: E) -> Error {
    Error::BadRequest("the body broke off".to_owned())
}

/// What a client did wrong, told apart from what we could not do.
fn refusal(error: store::Error) -> Error {
    match error {
        store::Error::WrongLength { .. } | store::Error::WrongDigest { .. } | store::Error::NoPart { .. } => {
            Error::BadRequest(error.to_string())
        }
        store::Error::StorageFull { .. } => Error::StorageFull,
        source => Error::Store { operation: "store an upload", source },
    }
}

async fn check(app: &App, ticket: &Ticket) -> Result<(), Error> {
    let is_ours = secrets::equal(&sign(key(app).await?, ticket), &ticket.signature);
    match is_ours && ticket.expires_ms > clock::now_ms() {
        true => Ok(()),
        false => Err(Error::BadUploadAddress),
    }
}

async fn key(app: &App) -> Result<&Secret, Error> {
    let read = async || {
        let fresh = secrets::generate("")?;
        let kept = store::db::secrets::get_or_create(&app.store.db, KEY_NAME, fresh.expose()).await;
        kept.during("read the key of upload addresses").map(Secret::new)
    };
    app.upload_key.get_or_try_init(read).await
}

fn sign(key: &Secret, ticket: &Ticket) -> String {
    let Ticket { repository, sha256, n_bytes, upload, deed, expires_ms, .. } = ticket;
    secrets::sign(key, &format!("upload:{repository}:{sha256}:{n_bytes}:{upload}:{deed}:{expires_ms}"))
}

/// Makes tickets for one repository, all of which end at the same time.
struct Signer<'a> {
    key: &'a Secret,
    repository: RepositoryId,
    expires_ms: i64,
}

impl<'a> Signer<'a> {
    async fn new(app: &'a App, repository: RepositoryId) -> Result<Self, Error> {
        let lifetime_ms = i64::try_from(app.settings.upload_lifetime.0.as_millis()).unwrap_or(i64::MAX);
        let expires_ms = clock::now_ms().saturating_add(lifetime_ms);
        Ok(Self { key: key(app).await?, repository, expires_ms })
    }

    fn plan(&self, file: &Announced, sending: Sending, part_bytes: u64) -> Result<Plan, Error> {
        let upload = secrets::generate("")?.expose().to_owned();
        if sending == Sending::Whole || file.n_bytes <= part_bytes {
            return Ok(Plan::Whole(self.ticket(file, &upload, Deed::SendWhole, file.n_bytes)));
        }
        let part_bytes = part_bytes.max(file.n_bytes.div_ceil(MAX_PARTS));
        let n_parts = u32::try_from(file.n_bytes.div_ceil(part_bytes)).unwrap_or(u32::MAX);
        let parts = (1..=n_parts).map(|number| {
            let start = u64::from(number - 1) * part_bytes;
            self.ticket(file, &upload, Deed::SendPart(number), part_bytes.min(file.n_bytes - start))
        });
        let join = self.ticket(file, &upload, Deed::Join(n_parts), file.n_bytes);
        Ok(Plan::Parts { part_bytes, parts: parts.collect(), join })
    }

    fn ticket(&self, file: &Announced, upload: &str, deed: Deed, n_bytes: u64) -> Ticket {
        let Self { repository, expires_ms, .. } = *self;
        let (upload, signature) = (upload.to_owned(), String::new());
        let ticket = Ticket { repository, sha256: file.sha256, n_bytes, upload, deed, expires_ms, signature };
        Ticket { signature: sign(self.key, &ticket), ..ticket }
    }
}

impl std::fmt::Display for Deed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::SendWhole => f.write_str("whole"),
            Self::SendPart(number) => write!(f, "part-{number}"),
            Self::Join(n_parts) => write!(f, "join-{n_parts}"),
        }
    }
}

impl std::str::FromStr for Deed {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let number = |text: &str| text.parse().map_err(|_| Error::BadUploadAddress);
        match text.split_once('-') {
            None if text == "whole" => Ok(Self::SendWhole),
            Some(("part", text)) => number(text).map(Self::SendPart),
            Some(("join", text)) => number(text).map(Self::Join),
            _ => Err(Error::BadUploadAddress),
        }
    }
}
