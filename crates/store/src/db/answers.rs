//! Answers: what a model was asked and answered, kept under an address of its own.
//!
//! Refuses to know the addresses: only SHA-256 in hex comes here. Invariant: an answer is gone with its model, with the
//! link and with the account it was shared by.

use super::ids::{AccountId, AnswerId, LinkId, RepositoryId};
use super::{Db, query};
use crate::Error;

/// A shared answer, without its hashes.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Answer {
    pub id: AnswerId,
    pub repository_id: RepositoryId,
    /// The link through which alone it is seen.
    pub link_id: Option<LinkId>,
    /// Who shared it; none where somebody did who holds a link.
    pub account_id: Option<AccountId>,
    /// Of the secret with which who shared it takes it back; empty where their account does.
    pub key_hash: String,
    /// The revision that answered.
    pub revision: String,
    /// JSON.
    pub schema: String,
    /// JSON.
    pub input: String,
    /// JSON.
    pub output: String,
    pub created_ms: i64,
}

/// An answer to be.
#[derive(Debug, Clone)]
pub struct NewAnswer<'a> {
    pub hash: &'a str,
    pub repository: RepositoryId,
    pub by: By<'a>,
    pub revision: &'a str,
    pub schema: &'a str,
    pub input: &'a str,
    pub output: &'a str,
    pub created_ms: i64,
}

/// Who shares an answer.
#[derive(Debug, Clone, Copy)]
pub enum By<'a> {
    Account(AccountId),
    /// A holder of a link, with the hash of the secret by which they are known again.
    Link(LinkId, &'a str),
}

const COLUMNS: &str =
    "id, repository_id, link_id, account_id, key_hash, revision, schema, input, output, created_ms";

/// Keeps an answer. [`Error::NotFound`] if its model is gone.
pub async fn create(db: &Db, new: &NewAnswer<'_>) -> Result<(), Error> {
    let (account, link, key_hash) = match new.by {
        By::Account(account) => (Some(account.0), None, ""),
        By::Link(link, key_hash) => (None, Some(link.0), key_hash),
    };
    let sql = "INSERT INTO answers
        (hash, repository_id, link_id, account_id, key_hash, revision, schema, input, output, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let created = query("keep an answer", sql)
        .bind(new.hash)
        .bind(new.repository)
        .bind(link)
        .bind(account)
        .bind(key_hash)
        .bind(new.revision)
        .bind(new.schema)
        .bind(new.input)
        .bind(new.output)
        .bind(new.created_ms)
        .run(db.writer())
        .await;
    created.map(|_| ()).map_err(|error| error.if_missing("repository", new.repository))
}

pub async fn by_hash(db: &Db, hash: &str) -> Result<Option<Answer>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM answers WHERE hash = $1");
    query("find an answer", sql).bind(hash).optional(db).await
}

/// How many answers of this model somebody has shared.
pub async fn count(db: &Db, repository: RepositoryId, by: By<'_>) -> Result<i64, Error> {
    let (column, id) = match by {
        By::Account(account) => ("account_id", account.0),
        By::Link(link, _) => ("link_id", link.0),
    };
    let sql = format!("SELECT COUNT(*) FROM answers WHERE repository_id = $1 AND {column} = $2");
    let row = query("count answers", sql).bind(repository).bind(id).optional::<(i64,)>(db).await?;
    Ok(row.map_or(0, |(n,)| n))
}

/// Deletes an answer; whether there was one.
pub async fn delete(db: &Db, id: AnswerId) -> Result<bool, Error> {
    let n = query("delete an answer", "DELETE FROM answers WHERE id = $1").bind(id).run(db.writer()).await?;
    Ok(n == 1)
}
