//! Grants: what people and organisations may do with repositories that are not theirs.
//!
//! Refuses to decide: it tells the rights that were given, by whichever way. Invariant: an account has at most one
//! grant of its own on a repository.

use spec::rights::Action;

use super::ids::{AccountId, RepositoryId};
use super::{Db, Page, id_cursor, page, page_limit, query};
use crate::Error;

/// One grant.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Grant {
    pub repository_id: RepositoryId,
    pub account_id: AccountId,
    /// Of the person or organisation it is given to.
    pub account_name: String,
    #[sqlx(try_from = "String")]
    pub action: Action,
    /// Name of the account that gave it.
    pub granted_by: String,
    pub created_ms: i64,
}

/// A grant to be.
#[derive(Debug, Clone)]
pub struct NewGrant<'a> {
    pub repository_id: RepositoryId,
    pub account_id: AccountId,
    pub action: Action,
    pub granted_by: &'a str,
    pub now_ms: i64,
}

/// Gives a right in the place of the one that was given before. [`Error::NotFound`] without one of the two.
pub async fn put(db: &Db, new: &NewGrant<'_>) -> Result<(), Error> {
    let sql = "INSERT INTO grants (repository_id, account_id, action, granted_by, created_ms)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (repository_id, account_id) DO UPDATE SET action = excluded.action,
            granted_by = excluded.granted_by, created_ms = excluded.created_ms";
    let put = query("store a grant", sql)
        .bind(new.repository_id)
        .bind(new.account_id)
        .bind(new.action)
        .bind(new.granted_by)
        .bind(new.now_ms)
        .run(db.writer())
        .await;
    put.map(|_| ()).map_err(|error| error.if_missing("account", new.account_id))
}

/// Takes a grant back. [`Error::NotFound`] if there is none.
pub async fn delete(db: &Db, repository: RepositoryId, account: AccountId) -> Result<(), Error> {
    let sql = "DELETE FROM grants WHERE repository_id = $1 AND account_id = $2";
    let n_rows = query("delete a grant", sql).bind(repository).bind(account).run(db.writer()).await?;
    if n_rows == 0 { Err(Error::not_found("grant", account)) } else { Ok(()) }
}

/// The grants on a repository, by account.
pub async fn list(
    db: &Db,
    repository: RepositoryId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Grant>, Error> {
    let limit = page_limit(limit);
    let sql =
        "SELECT g.repository_id, g.account_id, a.name AS account_name, g.action, g.granted_by, g.created_ms
        FROM grants g JOIN accounts a ON a.id = g.account_id
        WHERE g.repository_id = $1 AND g.account_id > $2 ORDER BY g.account_id LIMIT $3";
    let list = query("list grants", sql).bind(repository).bind(id_cursor(after, 0)?).bind(limit + 1);
    Ok(page(list.all::<Grant>(db).await?, limit, |grant| grant.account_id.to_string()))
}

/// The most that an account may do with a repository which is not its own: by a grant to it, by one to an
/// organisation it is a member of, or as a member of the organisation that owns it.
pub async fn strongest(
    db: &Db,
    repository: RepositoryId,
    account: AccountId,
) -> Result<Option<Action>, Error> {
    #[derive(sqlx::FromRow)]
    struct Row {
        #[sqlx(try_from = "String")]
        action: Action,
        /// What the organisation lets this member of it do.
        #[sqlx(try_from = "String")]
        role: Action,
    }
    let sql =
        "SELECT m.role AS action, m.role FROM repositories r JOIN members m ON m.organization_id = r.owner_id
            WHERE r.id = $1 AND m.account_id = $2
        UNION ALL
        SELECT g.action, g.action AS role FROM grants g WHERE g.repository_id = $1 AND g.account_id = $2
        UNION ALL
        SELECT g.action, m.role FROM grants g JOIN members m ON m.organization_id = g.account_id
            WHERE g.repository_id = $1 AND m.account_id = $2";
    let rows = query("look up rights", sql).bind(repository).bind(account).all::<Row>(db).await?;
    Ok(rows.into_iter().map(|row| row.action.min(row.role)).max())
}
