//! Sessions: signing in on the web, by password or by a link that works once.
//!
//! Invariants: a failed sign-in takes as long as a good one and says nothing of which part was wrong; a link
//! signs in once.

use spec::api::TokenScope;
use store::clock;
use store::db::accounts::{self, Account};
use store::db::sessions;

use super::access::{Actor, By, Known};
use super::events::{self, Done};
use crate::app::App;
use crate::error::{During, Error};
use crate::secrets::{self, Secret};

/// The hash of a password that nobody has, compared with when there is no such user.
const NOBODY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5$YXJnb24yaWRhcmdvbjJpZGFyZ29uMmlkYXJnb24yaWQ";
/// Shortest password, in characters (NIST SP 800-63B, 5.1.1.1).
const PASSWORD_CHARACTERS: usize = 8;
/// Longest password, in bytes: argon2 takes any length, and so could an attacker.
const PASSWORD_BYTES: usize = 1024;

/// Signs in with a password; returns the session's secret.
pub async fn sign_in(app: &App, name: &str, password: String) -> Result<Secret, Error> {
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
        Some(account) if is_right => start(app, &account).await,
        _ => Err(Error::BadPassword),
    }
}

/// Signs in by a link; returns the session's secret.
pub async fn sign_in_by_link(app: &App, link: &Secret) -> Result<Secret, Error> {
    let taken = sessions::take_link(&app.store.db, &link.hash(), clock::now_ms()).await;
    let id = taken.during("use a sign-in link")?.ok_or(Error::BadSignInLink)?;
    let account = accounts::by_id(&app.store.db, id).await.during("look up an account")?;
    start(app, &account.ok_or(Error::BadSignInLink)?).await
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

/// Sets the password of whoever is signed in. A token may not: one that leaked would take the account over.
pub async fn set_password(app: &App, known: &Known, password: String) -> Result<(), Error> {
    if let By::Token(_) = known.by {
        let (actor, what) = (known.name.clone(), "password".to_owned());
        return Err(Error::Forbidden { actor, action: "set with a token the", what });
    }
    let hash = hash_password(app, password).await?;
    accounts::set_password(&app.store.db, known.id, Some(&hash)).await.during("store a password")?;
    events::note(
        app,
        &Actor::Account(known.clone()),
        Done { verb: "password.set", subject: &known.name, detail: "" },
    )
    .await;
    Ok(())
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
    let actor = Actor::Account(Known {
        id: account.id,
        name: account.name,
        is_admin: account.is_admin,
        scope: TokenScope::Write,
        only: None,
        by: By::Session { csrf: session.csrf },
    });
    app.actors.keep(hash, &actor);
    Ok(actor)
}

/// Begins a session of an account; returns its secret.
pub async fn start(app: &App, account: &Account) -> Result<Secret, Error> {
    let (secret, csrf) = (secrets::generate("")?, secrets::generate("")?);
    let lifetime_ms = i64::try_from(app.settings.session_lifetime.0.as_millis()).unwrap_or(i64::MAX);
    let now_ms = clock::now_ms();
    let new = sessions::NewSession {
        account_id: account.id,
        hash: &secret.hash(),
        csrf: csrf.expose(),
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(lifetime_ms),
        label: "",
    };
    sessions::create(&app.store.db, &new).await.during("store a session").map(|()| secret)
}

/// Runs what is slow on purpose where it holds up no request, and not too many at a time.
async fn slowly<T: Send + 'static>(app: &App, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let _turn = app.slow_hashes.acquire().await.map_err(|_| Error::Internal("take a turn"))?;
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Internal("hash a password"))
}
