//! Sessions: signing in on the web, by password or by a link that works once.
//!
//! Invariants: a failed sign-in takes as long as a good one and says nothing of which part was wrong; a link
//! signs in once.

use std::net::IpAddr;

use spec::api::{Page, Session, TokenScope};
use store::clock;
use store::db::accounts::{self, Account};
use store::db::sessions;

use super::access::{self, Actor, By, Known};
use super::events::{self, Done};
use crate::app::App;
use crate::error::{During, Error};
use crate::secrets::{self, Secret};
use crate::text;

/// The hash of a password that nobody has, compared with when there is no such user.
const NOBODY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$YXJnb24yaWRhcmdvbjJpZGFyZ29uMmlkYXJnb24yaWQ";
/// Shortest password, in characters (NIST SP 800-63B, 5.1.1.1).
const PASSWORD_CHARACTERS: usize = 8;
/// Longest password, in bytes: argon2 takes any length, and so could an attacker.
const PASSWORD_BYTES: usize = 1024;

/// Sessions of one account that are listed.
const SESSIONS: u32 = 200;
/// Digits of a session's hash by which its owner names it.
const ID_DIGITS: usize = 16;
/// A use is noted when the last one that was noted is older than this.
const USE_MS: i64 = 60_000;

/// What a session begins in: where it comes from, and what it is known for, such as `Firefox on Linux`.
#[derive(Debug, Clone)]
pub struct Browser {
    pub address: IpAddr,
    pub label: String,
}

impl Browser {
    /// Under which its attempts are counted. Who has one address of the new kind has 2^64 of them.
    pub fn key(&self) -> String {
        match self.address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::")
            }
        }
    }
}

/// Signs in with a password; returns the session's secret.
pub async fn sign_in(app: &App, name: &str, password: String, browser: &Browser) -> Result<Secret, Error> {
    app.rates.sign_ins.take(&browser.key())?;
    app.rates.sign_ins.take(&format!("account {}", name.to_ascii_lowercase()))?;
    let account = accounts::by_name(&app.store.db, name).await.during("look up an account")?;
    let hash = match &account {
        Some(account) => {
            accounts::password_hash(&app.store.db, account.id).await.during("look up a password")?
        }
        None => None,
    };
    let stored = hash.unwrap_or_else(|| NOBODY_HASH.to_owned());
    let is_right = slowly(app, move || secrets::verify_password(&password, &stored)).await?;
    match account {
        Some(account) if is_right => start(app, &account, browser).await,
        _ => Err(Error::BadPassword),
    }
}

/// Signs in by a link; returns the session's secret.
pub async fn sign_in_by_link(app: &App, link: &Secret, browser: &Browser) -> Result<Secret, Error> {
    let taken = sessions::take_link(&app.store.db, &link.hash(), clock::now_ms()).await;
    let id = taken.during("use a sign-in link")?.ok_or(Error::BadSignInLink)?;
    let account = accounts::by_id(&app.store.db, id).await.during("look up an account")?;
    start(app, &account.ok_or(Error::BadSignInLink)?, browser).await
}

/// Makes a link that signs this account in, once.
pub async fn create_link(app: &App, account: &Account) -> Result<Secret, Error> {
    let secret = secrets::generate("")?;
    let lifetime_ms = i64::try_from(app.settings.sign_in_link_lifetime.0.as_millis()).unwrap_or(i64::MAX);
    let expires_ms = clock::now_ms().saturating_add(lifetime_ms);
    let stored = sessions::create_link(&app.store.db, &secret.hash(), account.id, expires_ms).await;
    stored.during("store a sign-in link").map(|()| secret)
}

/// Ends a session.
pub async fn sign_out(app: &App, session: &Secret) -> Result<(), Error> {
    app.actors.forget_all();
    sessions::delete(&app.store.db, &session.hash()).await.during("end a session")
}

/// The sessions of whoever asks, newest first.
pub async fn list(app: &App, actor: &Actor) -> Result<Page<Session>, Error> {
    let known = access::signed_in(actor)?;
    if !access::can_read(known) {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let found = sessions::list(&app.store.db, known.id, clock::now_ms(), SESSIONS).await;
    let own = match &known.by {
        By::Session { hash, .. } => hash.as_str(),
        By::Token(_) => "",
    };
    let items = found.during("list sessions")?.into_iter().map(|session| Session {
        id: session.hash.get(..ID_DIGITS).unwrap_or_default().to_owned(),
        is_current: session.hash == own,
        label: session.label,
        created: text::rfc3339(session.created_ms),
        last_used: session.last_used_ms.map(text::rfc3339),
        expires: text::rfc3339(session.expires_ms),
    });
    Ok(Page { items: items.collect(), next: None })
}

/// Ends one session of the asker's own.
pub async fn revoke(app: &App, actor: &Actor, id: &str) -> Result<(), Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    let missing = || Error::NotFound { what: "session", name: id.to_owned() };
    if id.len() != ID_DIGITS {
        return Err(missing());
    }
    match sessions::delete_of(&app.store.db, known.id, id).await {
        Err(store::Error::NotFound { .. }) => return Err(missing()),
        result => result.during("end a session")?,
    }
    app.actors.forget_all();
    events::note(app, actor, Done { verb: "session.end", subject: &known.name, detail: id }).await;
    Ok(())
}

/// Ends all sessions of the asker's own but the one that asks.
pub async fn revoke_others(app: &App, actor: &Actor) -> Result<(), Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    end_others(app, known).await?;
    events::note(app, actor, Done { verb: "session.end", subject: &known.name, detail: "all others" }).await;
    Ok(())
}

async fn end_others(app: &App, known: &Known) -> Result<(), Error> {
    let own = match &known.by {
        By::Session { hash, .. } => hash.as_str(),
        By::Token(_) => "",
    };
    sessions::delete_others(&app.store.db, known.id, own).await.during("end sessions")?;
    app.actors.forget_all();
    Ok(())
}

/// Sets the password of whoever is signed in, and ends their other sessions. A token may not: one that leaked would
/// take the account over.
pub async fn set_password(app: &App, known: &Known, password: String) -> Result<(), Error> {
    refuse_token(known, "set with a token the", "password")?;
    let hash = hash_password(app, password).await?;
    accounts::set_password(&app.store.db, known.id, Some(&hash)).await.during("store a password")?;
    end_others(app, known).await?;
    events::note(
        app,
        &Actor::Account(known.clone()),
        Done { verb: "password.set", subject: &known.name, detail: "" },
    )
    .await;
    Ok(())
}

/// Refuses whoever came with a token, for what would take the account over or end it.
pub fn refuse_token(known: &Known, action: &'static str, what: &str) -> Result<(), Error> {
    match known.by {
        By::Session { .. } => Ok(()),
        By::Token(_) => {
            let (actor, what) = (known.name.clone(), what.to_owned());
            Err(Error::Forbidden { actor, action, what })
        }
    }
}

/// Refuses who does not know the account's password, where it has one.
pub async fn check_password(app: &App, known: &Known, password: String) -> Result<(), Error> {
    let hash = accounts::password_hash(&app.store.db, known.id).await.during("look up a password")?;
    let Some(hash) = hash else { return Ok(()) };
    app.rates.sign_ins.take(&format!("account {}", known.name.to_ascii_lowercase()))?;
    let is_right = slowly(app, move || secrets::verify_password(&password, &hash)).await?;
    if is_right { Ok(()) } else { Err(Error::BadPassword) }
}

/// What is stored of a password that will do.
pub async fn hash_password(app: &App, password: String) -> Result<String, Error> {
    if password.chars().count() < PASSWORD_CHARACTERS || password.len() > PASSWORD_BYTES {
        return Err(Error::BadRequest("a password has 8 to 1,024 characters".to_owned()));
    }
    slowly(app, move || secrets::hash_password(&password)).await?
}

/// Whether the account behind this session has a password to come back with.
pub async fn has_password(app: &App, session: &Secret) -> Result<bool, Error> {
    let Actor::Account(known) = actor(app, session).await? else { return Ok(false) };
    let hash = accounts::password_hash(&app.store.db, known.id).await.during("look up a password")?;
    Ok(hash.is_some())
}

/// Whose session it is.
pub async fn actor(app: &App, session: &Secret) -> Result<Actor, Error> {
    let hash = session.hash();
    if let Some(actor) = app.actors.get(&hash) {
        return Ok(actor);
    }
    let found = sessions::by_hash(&app.store.db, &hash, clock::now_ms()).await.during("look up a session")?;
    let Some((session, account)) = found else { return Ok(Actor::Nobody) };
    let now_ms = clock::now_ms();
    if now_ms.saturating_sub(session.last_used_ms.unwrap_or(session.created_ms)) > USE_MS {
        sessions::touch(&app.store.db, &hash, now_ms).await.during("note a session's use")?;
    }
    let actor = Actor::Account(Known {
        id: account.id,
        name: account.name,
        is_admin: account.is_admin,
        scope: TokenScope::Write,
        only: None,
        by: By::Session { csrf: session.csrf, hash: hash.clone() },
    });
    app.actors.keep(hash, &actor);
    Ok(actor)
}

/// Begins a session of an account; returns its secret.
pub async fn start(app: &App, account: &Account, browser: &Browser) -> Result<Secret, Error> {
    let (secret, csrf) = (secrets::generate("")?, secrets::generate("")?);
    let lifetime_ms = i64::try_from(app.settings.session_lifetime.0.as_millis()).unwrap_or(i64::MAX);
    let now_ms = clock::now_ms();
    let new = sessions::NewSession {
        account_id: account.id,
        hash: &secret.hash(),
        csrf: csrf.expose(),
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(lifetime_ms),
        label: &browser.label,
    };
    sessions::create(&app.store.db, &new).await.during("store a session").map(|()| secret)
}

/// Runs what is slow on purpose where it holds up no request, and not too many at a time.
async fn slowly<T: Send + 'static>(app: &App, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let _turn = app.slow_hashes.acquire().await.map_err(|_| Error::Internal("take a turn"))?;
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Internal("hash a password"))
}
