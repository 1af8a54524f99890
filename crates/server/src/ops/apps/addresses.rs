//! The addresses under which the pages of an app are had.
//!
//! An app's page runs in an origin of its own, from which the browser sends nobody's cookie: the address itself says who
//! visits. Invariants: it opens one app to one person for some hours, and only while that person may use the app; it opens
//! nothing else.

use std::sync::Arc;
use std::time::Duration;

use store::clock;
use store::db::ids::{AccountId, RepositoryId};
use store::db::{accounts as account_rows, repositories as repository_rows, secrets as secret_rows};

use super::start::{row_of, visit};
use super::{Action, Actor, App, Described, During, Error, RepositoryKind, RepositoryName};
use crate::gateway::apps::Visit;
use crate::ops::{access, accounts, repositories};
use crate::secrets::{self, Secret};

/// The name under which the database keeps the key of the signatures.
const KEY_NAME: &str = "app-addresses";
/// How long an address can be used.
const LIFETIME_MS: i64 = 4 * 3600 * 1000;
/// How long somebody who may use an app is not asked again.
const ASKED_AGAIN: Duration = Duration::from_secs(2);

/// What an address says, whose signature was seen to be ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticket {
    repository: RepositoryId,
    /// None for somebody who is not signed in.
    account: Option<AccountId>,
    expires_ms: i64,
}

/// Tickets of those who were seen to have the right a moment ago.
#[derive(Debug)]
pub struct Admitted(moka::sync::Cache<String, Ticket>);

impl Default for Admitted {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(10_000).time_to_live(ASKED_AGAIN).build())
    }
}

/// The app of a repository, and the secret part of an address for whoever asks.
pub async fn issue(app: &App, actor: &Actor, name: &RepositoryName) -> Result<(Described, String), Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Predict).await?;
    let described = super::get(app, actor, name).await?;
    let account = match actor {
        Actor::Account(known) => Some(known.id),
        Actor::Nobody => None,
    };
    let expires_ms = clock::now_ms().saturating_add(LIFETIME_MS);
    let ticket = Ticket { repository: repository.id, account, expires_ms };
    Ok((described, write(key(app).await?, &ticket)))
}

/// Somebody who was let in.
#[derive(Debug)]
pub struct Guest {
    /// `owner/name` of the repository whose app it is.
    pub repository: String,
    pub expires_ms: i64,
    pub visit: Visit,
}

/// Lets whoever shows this in, and wakes the app where it sleeps.
pub async fn admit(app: &Arc<App>, shown: &str) -> Result<Guest, Error> {
    let ticket = match app.admitted.0.get(shown) {
        Some(ticket) if ticket.expires_ms > clock::now_ms() => ticket,
        _ => {
            let ticket = check(app, shown).await?;
            app.admitted.0.insert(shown.to_owned(), ticket);
            ticket
        }
    };
    let row = row_of(app, ticket.repository).await?.ok_or_else(unknown)?;
    let visit = visit(app, &row).await?;
    Ok(Guest { repository: super::full_name(&row), expires_ms: ticket.expires_ms, visit })
}

/// Whether the address is one of ours, and whose it is may still use the app.
async fn check(app: &App, shown: &str) -> Result<Ticket, Error> {
    let ticket = read(key(app).await?, shown).filter(|ticket| ticket.expires_ms > clock::now_ms());
    let ticket = ticket.ok_or_else(unknown)?;
    let db = &app.store.db;
    let repository = repository_rows::by_id(db, ticket.repository).await.during("look up a repository")?;
    let repository = repository.ok_or_else(unknown)?;
    let actor = match ticket.account {
        None => Actor::Nobody,
        Some(id) => {
            let account = account_rows::by_id(db, id).await.during("look up an account")?;
            Actor::Account(accounts::known(&account.ok_or_else(unknown)?))
        }
    };
    let subject = access::subject(app, &actor, &repository, &repository.name).await?;
    access::check(&actor, Action::Predict, &subject).map_err(|_| unknown())?;
    Ok(ticket)
}

/// What everybody is told who may not know more. The address is a secret, and is not repeated.
fn unknown() -> Error {
    Error::PageNotFound("/app-of/…".to_owned())
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
    let (repository, account, expires, signature) = (next()?, next()?, next()?, next()?);
    let account = Some(AccountId(account.parse().ok()?)).filter(|account| account.0 != 0);
    let (repository, expires_ms) = (repository.parse().ok()?, expires.parse().ok()?);
    let ticket = Ticket { repository, account, expires_ms };
    // Of the same ticket there is one way to write it.
    secrets::equal(&write(key, &ticket), shown).then_some(ticket).filter(|_| !signature.is_empty())
}

fn said(ticket: &Ticket) -> String {
    let account = ticket.account.map_or(0, |account| account.0);
    format!("{}-{account}-{}", ticket.repository, ticket.expires_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_written_and_no_other_is() {
        let key = Secret::new("key".to_owned());
        let ticket = Ticket { repository: RepositoryId(7), account: Some(AccountId(3)), expires_ms: 99 };
        let shown = write(&key, &ticket);
        assert_eq!(read(&key, &shown), Some(ticket));
        assert_eq!(read(&Secret::new("other".to_owned()), &shown), None);
        let nobody = Ticket { account: None, ..ticket };
        assert_eq!(read(&key, &write(&key, &nobody)), Some(nobody));
        for (from, to) in
            [("7-3-99", "8-3-99"), ("7-3-99", "7-1-99"), ("7-3-99", "7-3-999"), ("7-3-99", "07-3-99")]
        {
            assert_eq!(read(&key, &shown.replacen(from, to, 1)), None, "{to}");
        }
        for text in ["", "7-3-99", "7-3-99-", "x", &format!("{shown}-"), &format!("{shown}0")] {
            assert_eq!(read(&key, text), None, "{text}");
        }
    }
}
