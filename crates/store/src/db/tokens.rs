//! Tokens: revocable secrets that act for an account.
//!
//! Refuses to know the secret: only its SHA-256 in hex comes here. Invariant: a token that was revoked or has
//! expired is never found by its hash again.

use super::accounts::{self, Account};
use super::ids::{AccountId, RepositoryId, TokenId};
use super::words::words;
use super::{Db, Page, id_cursor, page, page_limit, query};
use crate::Error;

words!(
    /// What a token may do.
    Scope, "scope", { Predict = "predict", Read = "read", Write = "write" }
);

/// A token, without its hash.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Token {
    pub id: TokenId,
    pub account_id: AccountId,
    pub name: String,
    #[sqlx(try_from = "String")]
    pub scope: Scope,
    pub is_revoked: bool,
    pub created_ms: i64,
    pub last_used_ms: Option<i64>,
    /// When it ends by itself.
    pub expires_ms: Option<i64>,
    /// The one repository it is for.
    pub repository_id: Option<RepositoryId>,
}

#[derive(Clone)]
pub struct NewToken<'a> {
    pub account_id: AccountId,
    /// What its owner calls it; need not be unique.
    pub name: &'a str,
    /// SHA-256 of the secret in hex.
    pub hash: &'a str,
    pub scope: Scope,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
    pub repository_id: Option<RepositoryId>,
    /// The token that makes it, with which it is taken back.
    pub parent_id: Option<TokenId>,
}

const COLUMNS: &str =
    "id, account_id, name, scope, is_revoked, created_ms, last_used_ms, expires_ms, repository_id";

/// Creates a token. [`Error::NotFound`] without the account.
pub async fn create(db: &Db, new: &NewToken<'_>) -> Result<Token, Error> {
    let sql = format!(
        "INSERT INTO tokens (account_id, name, hash, scope, is_revoked, created_ms, expires_ms, repository_id,
            parent_id)
         VALUES ($1, $2, $3, $4, FALSE, $5, $6, $7, $8) RETURNING {COLUMNS}"
    );
    let created = query("create a token", sql)
        .bind(new.account_id)
        .bind(new.name)
        .bind(new.hash)
        .bind(new.scope)
        .bind(new.created_ms)
        .bind(new.expires_ms)
        .bind(new.repository_id.map(|id| id.0))
        .bind(new.parent_id.map(|id| id.0))
        .one(db.writer())
        .await;
    created.map_err(|error| error.if_taken("token", new.name).if_missing("account", new.account_id))
}

/// The token with that hash and whom it acts for, unless it is revoked or has expired.
pub async fn by_hash(db: &Db, hash: &str, now_ms: i64) -> Result<Option<(Token, Account)>, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM tokens
         WHERE hash = $1 AND NOT is_revoked AND (expires_ms IS NULL OR expires_ms > $2)"
    );
    let Some(token) = query("find a token", sql).bind(hash).bind(now_ms).optional::<Token>(db).await? else {
        return Ok(None);
    };
    let account = accounts::by_id(db, token.account_id).await?;
    Ok(account.map(|account| (token, account)))
}

/// An account's tokens, newest first, revoked ones too.
pub async fn list(
    db: &Db,
    account: AccountId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Token>, Error> {
    let limit = page_limit(limit);
    let sql =
        format!("SELECT {COLUMNS} FROM tokens WHERE account_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3");
    let list = query("list tokens", sql).bind(account).bind(id_cursor(after, i64::MAX)?).bind(limit + 1);
    Ok(page(list.all::<Token>(db).await?, limit, |token| token.id.to_string()))
}

/// Revokes a token for good, with those it made. [`Error::NotFound`] if the account has no such token.
pub async fn revoke(db: &Db, account: AccountId, token: TokenId) -> Result<(), Error> {
    let sql = "UPDATE tokens SET is_revoked = TRUE WHERE account_id = $1 AND (id = $2 OR parent_id = $2)";
    let n_rows = query("revoke a token", sql).bind(account).bind(token).run(db.writer()).await?;
    if n_rows == 0 { Err(Error::not_found("token", token)) } else { Ok(()) }
}

/// Notes that a token was used. Never puts the time back.
pub async fn touch(db: &Db, token: TokenId, now_ms: i64) -> Result<(), Error> {
    let sql =
        "UPDATE tokens SET last_used_ms = $2 WHERE id = $1 AND (last_used_ms IS NULL OR last_used_ms < $2)";
    query("note the use of a token", sql).bind(token).bind(now_ms).run(db.writer()).await.map(|_| ())
}
