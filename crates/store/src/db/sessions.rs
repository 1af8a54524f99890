//! Sessions of browsers, and the links that begin one without a password.
//!
//! Refuses to know the secrets: only SHA-256 in hex comes here. Invariants: what has expired is never found,
//! and a sign-in link is taken once, however many ask at the same moment.

use super::accounts::{self, Account};
use super::ids::AccountId;
use super::{Db, page_limit, query};
use crate::Error;

/// A signed-in browser.
#[derive(Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Session {
    /// SHA-256 of the cookie's secret in hex.
    pub hash: String,
    pub account_id: AccountId,
    /// What a form must send back.
    pub csrf: String,
    pub created_ms: i64,
    pub expires_ms: i64,
    /// What the browser calls itself.
    pub label: String,
    /// Known to about a minute; `None` for one that was not used since it began.
    pub last_used_ms: Option<i64>,
}

#[derive(Clone)]
pub struct NewSession<'a> {
    pub account_id: AccountId,
    /// SHA-256 of the cookie's secret in hex.
    pub hash: &'a str,
    pub csrf: &'a str,
    pub created_ms: i64,
    pub expires_ms: i64,
    pub label: &'a str,
}

const COLUMNS: &str = "hash, account_id, csrf, created_ms, expires_ms, label, last_used_ms";

/// Begins a session. [`Error::NotFound`] without the account.
pub async fn create(db: &Db, new: &NewSession<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO sessions (hash, account_id, csrf, created_ms, expires_ms, label) VALUES ($1, $2, $3, $4, $5, $6)";
    let created = query("begin a session", sql)
        .bind(new.hash)
        .bind(new.account_id)
        .bind(new.csrf)
        .bind(new.created_ms)
        .bind(new.expires_ms)
        .bind(new.label)
        .run(db.writer())
        .await;
    created.map(|_| ()).map_err(|error| error.if_missing("account", new.account_id))
}

/// The session with that hash and whose it is, unless it has expired.
pub async fn by_hash(db: &Db, hash: &str, now_ms: i64) -> Result<Option<(Session, Account)>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM sessions WHERE hash = $1 AND expires_ms > $2");
    let session = query("find a session", sql).bind(hash).bind(now_ms).optional::<Session>(db).await?;
    let Some(session) = session else {
        return Ok(None);
    };
    let account = accounts::by_id(db, session.account_id).await?;
    Ok(account.map(|account| (session, account)))
}

/// The sessions of an account that have not expired, newest first; at most `limit`.
pub async fn list(db: &Db, account: AccountId, now_ms: i64, limit: u32) -> Result<Vec<Session>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM sessions WHERE account_id = $1 AND expires_ms > $2
         ORDER BY created_ms DESC, hash LIMIT $3"
    );
    query("list sessions", sql).bind(account).bind(now_ms).bind(page_limit(limit)).all(db).await
}

/// Ends the session of an account whose hash begins with these digits. [`Error::NotFound`] if there is none.
pub async fn delete_of(db: &Db, account: AccountId, digits: &str) -> Result<(), Error> {
    let sql = "DELETE FROM sessions WHERE account_id = $1 AND substr(hash, 1, CAST($3 AS INTEGER)) = $2";
    let n_digits = i64::try_from(digits.len()).unwrap_or(i64::MAX);
    let deleted = query("end a session", sql).bind(account).bind(digits).bind(n_digits);
    if deleted.run(db.writer()).await? == 0 { Err(Error::not_found("session", digits)) } else { Ok(()) }
}

/// Ends a session; one that is not there has ended already.
pub async fn delete(db: &Db, hash: &str) -> Result<(), Error> {
    query("end a session", "DELETE FROM sessions WHERE hash = $1")
        .bind(hash)
        .run(db.writer())
        .await
        .map(|_| ())
}

/// Notes that a session is in use.
pub async fn touch(db: &Db, hash: &str, now_ms: i64) -> Result<(), Error> {
    let sql = "UPDATE sessions SET last_used_ms = $2 WHERE hash = $1";
    query("note a session's use", sql).bind(hash).bind(now_ms).run(db.writer()).await.map(|_| ())
}

/// Ends all sessions of an account but the one with that hash, and answers how many.
pub async fn delete_others(db: &Db, account: AccountId, hash: &str) -> Result<u64, Error> {
    let sql = "DELETE FROM sessions WHERE account_id = $1 AND hash <> $2";
    query("end sessions", sql).bind(account).bind(hash).run(db.writer()).await
}

/// Ends all sessions of an account, as after a new password.
pub async fn delete_all(db: &Db, account: AccountId) -> Result<u64, Error> {
    query("end sessions", "DELETE FROM sessions WHERE account_id = $1").bind(account).run(db.writer()).await
}

/// Forgets sessions and sign-in links that have expired, and answers how many.
pub async fn delete_expired(db: &Db, now_ms: i64) -> Result<u64, Error> {
    let sessions = query("forget sessions", "DELETE FROM sessions WHERE expires_ms <= $1").bind(now_ms);
    let links = query("forget links", "DELETE FROM sign_in_links WHERE expires_ms <= $1").bind(now_ms);
    Ok(sessions.run(db.writer()).await? + links.run(db.writer()).await?)
}

/// Remembers a link that signs an account in, by the SHA-256 of its secret in hex.
pub async fn create_link(db: &Db, hash: &str, account: AccountId, expires_ms: i64) -> Result<(), Error> {
    let sql = "INSERT INTO sign_in_links (hash, account_id, expires_ms) VALUES ($1, $2, $3)";
    let created =
        query("create a link", sql).bind(hash).bind(account).bind(expires_ms).run(db.writer()).await;
    created.map(|_| ()).map_err(|error| error.if_missing("account", account))
}

/// Takes a link: whose it was, exactly once. `None` if it is unknown, used or expired.
pub async fn take_link(db: &Db, hash: &str, now_ms: i64) -> Result<Option<AccountId>, Error> {
    let sql = "DELETE FROM sign_in_links WHERE hash = $1 AND expires_ms > $2 RETURNING account_id";
    let row = query("take a link", sql).bind(hash).bind(now_ms).optional::<(AccountId,)>(db.writer()).await?;
    Ok(row.map(|(account,)| account))
}
