//! Transfers of chunks: passes with which a client moves those of one repository for a while, and addresses from which
//! it fetches some bytes.
//!
//! Knows nothing of what is moved. Invariants: a pass says who was let in, to which repository and for what, and its
//! signature covers all of it; an address is good for one range of one xorb, for a while.

use std::ops::Range;

use spec::api::TokenScope;
use spec::xet::XetHash;
use store::clock;
use store::db::accounts;
use store::db::ids::{AccountId, RepositoryId};

use super::access::{Action, Actor, By, Known};
use super::revisions::At;
use super::{access, access_requests, quotas, repositories};
use crate::app::App;
use crate::error::{During, Error};
use crate::secrets::{self, Secret};

/// The name under which the database keeps the key of the signatures.
const KEY_NAME: &str = "transfer-passes";
/// How long a pass or an address is good. Clients ask for another in time.
const LIFETIME_MS: i64 = 15 * 60 * 1000;

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    Read,
    /// And to read.
    Write,
}

/// Who was let in, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    pub right: Right,
    pub repository: RepositoryId,
    /// `None` for whoever came without an account.
    pub account: Option<AccountId>,
    /// The one repository that the account's token was for.
    only: Option<RepositoryId>,
    pub expires_ms: i64,
}

/// A pass as it is handed out.
#[derive(Debug)]
pub struct Granted {
    pub secret: Secret,
    pub expires_s: i64,
    /// What keeps apart what clients remember of what they sent: nobody may name what only another sent.
    pub realm: String,
}

/// The right to fetch some bytes, which whoever shows it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ticket {
    pub xorb: XetHash,
    pub bytes: Range<u64>,
    pub expires_ms: i64,
    pub signature: String,
}

/// Lets the actor move chunks of the repository at this place.
pub async fn grant(app: &App, actor: &Actor, at: &At<'_>, right: Right) -> Result<Granted, Error> {
    let action = match right {
        Right::Read => Action::Read,
        Right::Write => Action::Write,
    };
    let repository = repositories::get(app, actor, at.kind, at.name, action).await?;
    access_requests::check(app, actor, &repository).await?;
    if right == Right::Write {
        quotas::check(app, repository.owner_id, 1).await?;
    }
    let known = match actor {
        Actor::Nobody => None,
        Actor::Account(known) => Some(known),
    };
    let pass = Pass {
        right,
        repository: repository.id,
        account: known.map(|known| known.id),
        only: known.and_then(|known| known.only),
        expires_ms: clock::now_ms().saturating_add(LIFETIME_MS),
    };
    let text = write(&pass);
    let secret = Secret::new(format!("{text}.{}", secrets::sign(key(app).await?, &text)));
    let realm = pass.account.map_or_else(|| "public".to_owned(), |id| id.to_string());
    Ok(Granted { secret, expires_s: pass.expires_ms / 1000, realm })
}

/// Reads a pass. [`Error::BadToken`] if it is not one of ours or is good no longer.
pub async fn admit(app: &App, secret: &Secret, right: Right) -> Result<Pass, Error> {
    let (text, signature) = secret.expose().rsplit_once('.').ok_or(Error::BadToken)?;
    if !secrets::equal(&secrets::sign(key(app).await?, text), signature) {
        return Err(Error::BadToken);
    }
    let pass = read(text).filter(|pass| pass.expires_ms > clock::now_ms()).ok_or(Error::BadToken)?;
    if right == Right::Write && pass.right == Right::Read {
        return Err(Error::ReadOnlyToken);
    }
    Ok(pass)
}

/// Whom a pass acts for where other repositories than its own are read.
pub async fn actor(app: &App, pass: &Pass) -> Result<Actor, Error> {
    let Some(id) = pass.account else { return Ok(Actor::Nobody) };
    let found = accounts::by_id(&app.store.db, id).await.during("look up an account")?;
    let account = found.ok_or(Error::BadToken)?;
    Ok(Actor::Account(Known {
        id: account.id,
        name: account.name,
        is_admin: account.is_admin,
        scope: TokenScope::Read,
        only: pass.only,
        by: By::Session { csrf: String::new(), hash: String::new() },
    }))
}

/// Whether the actor may have the files of this repository.
pub async fn may_read(app: &App, actor: &Actor, id: RepositoryId) -> Result<bool, Error> {
    let found = store::db::repositories::by_id(&app.store.db, id).await.during("look up a repository")?;
    let Some(repository) = found else { return Ok(false) };
    let name = repositories::full_name(&repository);
    let subject = access::subject(app, actor, &repository, &name).await?;
    Ok(access::check(actor, Action::Read, &subject).is_ok()
        && access_requests::check(app, actor, &repository).await.is_ok())
}

/// How long a ticket, or an address of the store itself in its place, is good.
pub(super) const TICKET: std::time::Duration = std::time::Duration::from_millis(LIFETIME_MS.unsigned_abs());

/// Tickets for ranges of xorbs, all of which end at the same time.
pub async fn tickets(app: &App, ranges: &[(XetHash, Range<u64>)]) -> Result<Vec<Ticket>, Error> {
    let (key, expires_ms) = (key(app).await?, clock::now_ms().saturating_add(LIFETIME_MS));
    let sign = |(xorb, bytes): &(XetHash, Range<u64>)| {
        let ticket = Ticket { xorb: *xorb, bytes: bytes.clone(), expires_ms, signature: String::new() };
        Ticket { signature: secrets::sign(key, &write_ticket(&ticket)), ..ticket }
    };
    Ok(ranges.iter().map(sign).collect())
}

/// [`Error::BadFetchAddress`] for a ticket that is not one of ours or is good no longer.
pub async fn check(app: &App, ticket: &Ticket) -> Result<(), Error> {
    let is_ours = secrets::equal(&secrets::sign(key(app).await?, &write_ticket(ticket)), &ticket.signature);
    if is_ours && ticket.expires_ms > clock::now_ms() { Ok(()) } else { Err(Error::BadFetchAddress) }
}

fn write(pass: &Pass) -> String {
    let Pass { right, repository, account, only, expires_ms } = pass;
    let right = if *right == Right::Write { "write" } else { "read" };
    let (account, only) = (account.map_or(0, |id| id.0), only.map_or(0, |id| id.0));
    format!("xet.{right}.{repository}.{account}.{only}.{expires_ms}")
}

fn read(text: &str) -> Option<Pass> {
    let fields: Vec<&str> = text.split('.').collect();
    let ["xet", right, repository, account, only, expires] = fields.as_slice() else { return None };
    let number = |text: &str| text.parse::<i64>().ok();
    Some(Pass {
        right: if *right == "write" { Right::Write } else { Right::Read },
        repository: RepositoryId(number(repository)?),
        account: number(account).filter(|id| *id != 0).map(AccountId),
        only: number(only).filter(|id| *id != 0).map(RepositoryId),
        expires_ms: number(expires)?,
    })
}

fn write_ticket(ticket: &Ticket) -> String {
    let Ticket { xorb, bytes, expires_ms, .. } = ticket;
    format!("fetch:{xorb}:{}-{}:{expires_ms}", bytes.start, bytes.end)
}

async fn key(app: &App) -> Result<&Secret, Error> {
    let read = async || {
        let fresh = secrets::generate("")?;
        let kept = store::db::secrets::get_or_create(&app.store.db, KEY_NAME, fresh.expose()).await;
        kept.during("read the key of transfers").map(Secret::new)
    };
    app.transfer_key.get_or_try_init(read).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_reads_back_as_it_was_written() {
        let pass = Pass {
            right: Right::Write,
            repository: RepositoryId(7),
            account: Some(AccountId(3)),
            only: None,
            expires_ms: 99,
        };
        assert_eq!(read(&write(&pass)), Some(pass.clone()));
        let anybody = Pass { right: Right::Read, account: None, only: Some(RepositoryId(7)), ..pass };
        assert_eq!(read(&write(&anybody)), Some(anybody));
        assert_eq!(read("xet.write.7.3.0"), None);
    }
}
