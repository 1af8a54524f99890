//! The addresses under which the pages of an app are had.
//!
//! An app's page runs in an origin of its own, from which the browser sends nobody's cookie: the address itself says who
//! visits. Invariants: it opens one app to one person, or to whoever holds one link, for some hours, and
//! only while they may use the app; it opens nothing else, and by a link no other revision than the link's.

use std::sync::Arc;
use std::time::Duration;

use store::clock;
use store::db::ids::{AccountId, LinkId, RepositoryId, RevisionId};
use store::db::links::{self as link_rows, Link};
use store::db::{accounts as account_rows, repositories as repository_rows, secrets as secret_rows};

use super::start::{row_of, visit};
use super::{Action, Actor, App, Described, During, Error, RepositoryKind, RepositoryName};
use crate::gateway::apps::Visit;
use crate::ops::links::guard;
use crate::ops::{access, accounts, repositories};
use crate::secrets::{self, Secret};

/// The name under which the database keeps the key of the signatures.
const KEY_NAME: &str = "app-addresses";
/// How long an address can be used.
const LIFETIME_MS: i64 = 4 * 3600 * 1000;
/// How long somebody who may use an app is not asked again.
const ASKED_AGAIN: Duration = Duration::from_secs(2);

/// In the place of the repository in an address for a link, which may not tell whose the app is.
const OF_LINK: RepositoryId = RepositoryId(0);

/// What an app is called for those who may not know whose it is.
const UNNAMED: &str = "the model";

/// What an address says, whose signature was seen to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticket {
    repository: RepositoryId,
    who: Who,
    expires_ms: i64,
}

/// For whom an address was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Somebody who is not signed in.
    Anybody,
    Account(AccountId),
    /// Whoever holds this link.
    Link(LinkId),
}

/// A ticket of somebody who was seen to have the right a moment ago.
#[derive(Debug, Clone, Copy)]
struct Seen {
    ticket: Ticket,
    link: Option<ByLink>,
}

/// What a link opens.
#[derive(Debug, Clone, Copy)]
struct ByLink {
    revision: RevisionId,
    is_anonymous: bool,
}

/// Those who were seen to have the right a moment ago, by what they showed.
#[derive(Debug)]
pub struct Admitted(moka::sync::Cache<String, Seen>);

impl Default for Admitted {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(10_000).time_to_live(ASKED_AGAIN).build())
    }
}

/// The app of a repository, and the secret part of an address for whoever asks.
pub async fn issue(app: &App, actor: &Actor, name: &RepositoryName) -> Result<(Described, String), Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Predict).await?;
    let described = super::get(app, actor, name).await?;
    let who = match actor {
        Actor::Account(known) => Who::Account(known.id),
        Actor::Nobody => Who::Anybody,
    };
    Ok((described, fresh(app, repository.id, who).await?))
}

/// The app that a link opens, and the secret part of an address for whoever holds it; none while no app runs at the
/// revision that the link shows.
pub async fn issue_by_link(app: &App, link: &Link) -> Result<Option<(Described, String)>, Error> {
    let row = row_of(app, link.repository_id).await?;
    let Some(row) = row.filter(|row| link.has_app && row.revision_id == link.revision_id) else {
        return Ok(None);
    };
    let key = fresh(app, OF_LINK, Who::Link(link.id)).await?;
    Ok(Some((super::describe(app, row, Action::Predict).await?, key)))
}

async fn fresh(app: &App, repository: RepositoryId, who: Who) -> Result<String, Error> {
    let expires_ms = clock::now_ms().saturating_add(LIFETIME_MS);
    Ok(write(key(app).await?, &Ticket { repository, who, expires_ms }))
}

/// Somebody who was let in.
#[derive(Debug)]
pub struct Guest {
    /// `owner/name` of the repository whose app it is, where they may know it.
    pub repository: String,
    pub expires_ms: i64,
    pub visit: Visit,
}

/// Lets whoever shows this in, and wakes the app where it sleeps.
pub async fn admit(app: &Arc<App>, shown: &str) -> Result<Guest, Error> {
    let Seen { ticket, link } = see(app, shown).await?;
    let row = row_of(app, ticket.repository).await?.ok_or_else(unknown)?;
    if link.is_some_and(|link| link.revision != row.revision_id) {
        return Err(unknown());
    }
    let is_anonymous = link.is_some_and(|link| link.is_anonymous);
    let visit = visit(app, &row).await.map_err(|error| if is_anonymous { discreet(error) } else { error })?;
    let repository = if is_anonymous { UNNAMED.to_owned() } else { super::full_name(&row) };
    Ok(Guest { repository, expires_ms: ticket.expires_ms, visit })
}

/// Whether whoever shows this may go on visiting.
pub async fn is_welcome(app: &App, shown: &str) -> bool {
    // What cannot be looked up now is looked up again soon; nobody is sent away for it.
    !matches!(see(app, shown).await, Err(Error::PageNotFound(_)))
}

async fn see(app: &App, shown: &str) -> Result<Seen, Error> {
    match app.admitted.0.get(shown) {
        Some(seen) if seen.ticket.expires_ms > clock::now_ms() => Ok(seen),
        _ => {
            let seen = check(app, shown).await?;
            app.admitted.0.insert(shown.to_owned(), seen);
            Ok(seen)
        }
    }
}

/// Whether the address is one of ours, and whose it is may still use the app.
async fn check(app: &App, shown: &str) -> Result<Seen, Error> {
    let ticket = read(key(app).await?, shown).filter(|ticket| ticket.expires_ms > clock::now_ms());
    let ticket = ticket.ok_or_else(unknown)?;
    let db = &app.store.db;
    let actor = match ticket.who {
        Who::Anybody => Actor::Nobody,
        Who::Account(id) => {
            let account = account_rows::by_id(db, id).await.during("look up an account")?;
            Actor::Account(accounts::known(&account.ok_or_else(unknown)?))
        }
        Who::Link(id) => return by_link(app, ticket, id).await,
    };
    let repository = repository_rows::by_id(db, ticket.repository).await.during("look up a repository")?;
    let repository = repository.ok_or_else(unknown)?;
    let subject = access::subject(app, &actor, &repository, &repository.name).await?;
    access::check(&actor, Action::Predict, &subject).map_err(|_| unknown())?;
    Ok(Seen { ticket, link: None })
}

async fn by_link(app: &App, ticket: Ticket, id: LinkId) -> Result<Seen, Error> {
    let link = link_rows::by_id(&app.store.db, id).await.during("look up a link")?;
    let works = |link: &Link| link.has_app && guard::state(link, clock::now_ms()) == guard::OPEN;
    let link = link.filter(works).ok_or_else(unknown)?;
    let ticket = Ticket { repository: link.repository_id, ..ticket };
    Ok(Seen { ticket, link: Some(ByLink { revision: link.revision_id, is_anonymous: link.is_anonymous }) })
}

/// What everybody is told who may not know more. The address is a secret, and is not repeated.
fn unknown() -> Error {
    Error::PageNotFound("/app-of/…".to_owned())
}

/// An error of an app whose owner is not told.
fn discreet(error: Error) -> Error {
    match error {
        Error::AppDown { state, reason, .. } => {
            let reason = if state == "crashed" { super::UNTOLD.to_owned() } else { reason };
            Error::AppDown { repository: UNNAMED.to_owned(), state, reason }
        }
        other => other,
    }
}

async fn key(app: &App) -> Result<&Secret, Error> {
    let read = async || {
        let fresh = secrets::generate("")?;
        let kept = secret_rows::get_or_create(&app.store.db, KEY_NAME, fresh.expose()).await;
        kept.during("read the key of app addresses").map(Secret::new)
    };
    app.app_key.get_or_try_init(read).await
}

fn write(key: &Secret, ticket: &Ticket) -> String {
    let said = said(ticket);
    let signature = secrets::sign(key, &format!("app:{said}"));
    format!("{said}-{signature}")
}

fn read(key: &Secret, shown: &str) -> Option<Ticket> {
    let mut parts = shown.split('-');
    let mut next = || parts.next();
    let (repository, who, expires, signature) = (next()?, next()?, next()?, next()?);
    let (repository, expires_ms) = (repository.parse().ok()?, expires.parse().ok()?);
    let ticket = Ticket { repository, who: Who::read(who)?, expires_ms };
    // Of the same ticket there is one way to write it.
    secrets::equal(&write(key, &ticket), shown).then_some(ticket).filter(|_| !signature.is_empty())
}

fn said(ticket: &Ticket) -> String {
    let who = match ticket.who {
        Who::Anybody => "0".to_owned(),
        Who::Account(id) => id.to_string(),
        Who::Link(id) => format!("l{id}"),
    };
    format!("{}-{who}-{}", ticket.repository, ticket.expires_ms)
}

impl Who {
    fn read(text: &str) -> Option<Self> {
        match text.strip_prefix('l') {
            Some(link) => Some(Self::Link(LinkId(link.parse().ok()?))),
            None if text == "0" => Some(Self::Anybody),
            None => Some(Self::Account(AccountId(text.parse().ok()?))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written_and_no_other_is() {
        let key = Secret::new("key".to_owned());
        let ticket = Ticket { repository: RepositoryId(7), who: Who::Account(AccountId(3)), expires_ms: 99 };
        let shown = write(&key, &ticket);
        assert_eq!(read(&key, &shown), Some(ticket));
        assert_eq!(read(&Secret::new("other".to_owned()), &shown), None);
        for who in [Who::Anybody, Who::Link(LinkId(3))] {
            let other = Ticket { who, ..ticket };
            assert_eq!(read(&key, &write(&key, &other)), Some(other));
        }
        for (from, to) in [
            ("7-3-99", "8-3-99"),
            ("7-3-99", "7-1-99"),
            ("7-3-99", "7-l3-99"),
            ("7-3-99", "7-3-999"),
            ("7-3-99", "07-3-99"),
        ] {
            assert_eq!(read(&key, &shown.replacen(from, to, 1)), None, "{to}");
        }
        for text in ["", "7-3-99", "7-3-99-", "x", &format!("{shown}-"), &format!("{shown}0")] {
            assert_eq!(read(&key, text), None, "{text}");
        }
    }
}
