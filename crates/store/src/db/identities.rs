//! Identities: who an account is to a provider of sign-ins.
//!
//! Refuses to know what a provider says besides. Invariant: what a provider calls one person leads to one account.

use super::accounts::{self, Account};
use super::ids::AccountId;
use super::{Db, query};
use crate::Error;

/// A person, as their provider tells them from all others it knows.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
    pub account_id: AccountId,
    pub created_ms: i64,
}

/// Says that this person is that account. [`Error::AlreadyExists`] if they are one already.
pub async fn create(db: &Db, new: &Identity) -> Result<(), Error> {
    let sql = "INSERT INTO identities (issuer, subject, account_id, created_ms) VALUES ($1, $2, $3, $4)";
    let created = query("keep an identity", sql)
        .bind(new.issuer.as_str())
        .bind(new.subject.as_str())
        .bind(new.account_id)
        .bind(new.created_ms)
        .run(db.writer())
        .await;
    let created = created.map_err(|error| error.if_taken("identity", &new.subject));
    created.map(|_| ()).map_err(|error| error.if_missing("account", new.account_id))
}

/// The account of this person.
pub async fn account(db: &Db, issuer: &str, subject: &str) -> Result<Option<Account>, Error> {
    let sql = "SELECT account_id FROM identities WHERE issuer = $1 AND subject = $2";
    let row = query("find an identity", sql).bind(issuer).bind(subject).optional::<(AccountId,)>(db).await?;
    match row {
        Some((id,)) => accounts::by_id(db, id).await,
        None => Ok(None),
    }
}

/// Who an account is to its providers, oldest first; at most a hundred.
pub async fn list(db: &Db, account: AccountId) -> Result<Vec<Identity>, Error> {
    let sql = "SELECT issuer, subject, account_id, created_ms FROM identities WHERE account_id = $1
        ORDER BY created_ms, issuer, subject LIMIT 100";
    query("list identities", sql).bind(account).all(db).await
}
