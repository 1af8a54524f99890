//! Links: what whoever holds a secret may do with one revision of a repository.
//!
//! Refuses to know the secrets: only SHA-256 in hex comes here. Invariant: the calls that [`take_call`] granted are
//! never more than the link allows, however many ask at the same moment.

use spec::digest::Oid;
use spec::name::RepositoryKind;
use spec::rights::Action;

use super::ids::{AccountId, LinkId, RepositoryId, RevisionId};
use super::repositories::{Viewer, visible};
use super::{Db, Page, id_cursor, page, page_limit, query};
use crate::Error;

/// A link, with the names of what it leads to.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Link {
    pub id: LinkId,
    pub hash: String,
    pub repository_id: RepositoryId,
    pub owner_id: AccountId,
    pub owner_name: String,
    #[sqlx(try_from = "String")]
    pub repository_kind: RepositoryKind,
    pub repository_name: String,
    pub revision_id: RevisionId,
    #[sqlx(try_from = "String")]
    pub oid: Oid,
    /// The most that its holder may do.
    #[sqlx(try_from = "String")]
    pub action: Action,
    pub is_anonymous: bool,
    /// JSON list of the words that tell who made the model.
    pub hidden: String,
    pub expires_ms: Option<i64>,
    pub max_calls: Option<i64>,
    pub n_calls: i64,
    pub calls_per_minute: Option<i64>,
    /// Digits after the point that outputs are rounded to.
    pub n_decimals: Option<i64>,
    /// How many of the most probable classes are told.
    pub top_k: Option<i64>,
    pub is_revoked: bool,
    pub created_by: String,
    pub created_ms: i64,
    pub last_used_ms: Option<i64>,
}

/// A link to be.
#[derive(Clone)]
pub struct NewLink<'a> {
    pub hash: &'a str,
    pub repository_id: RepositoryId,
    pub revision_id: RevisionId,
    pub action: Action,
    pub is_anonymous: bool,
    pub hidden: &'a str,
    pub expires_ms: Option<i64>,
    pub max_calls: Option<i64>,
    pub calls_per_minute: Option<i64>,
    pub n_decimals: Option<i64>,
    pub top_k: Option<i64>,
    pub created_by: &'a str,
    pub created_ms: i64,
}

/// What of a link may be changed once it is out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Change {
    pub expires_ms: Option<i64>,
    pub max_calls: Option<i64>,
}

const SELECT: &str = "SELECT l.id, l.hash, l.repository_id, r.owner_id, a.name AS owner_name, r.kind AS repository_kind,
    r.name AS repository_name, l.revision_id, v.oid, l.action, l.is_anonymous, l.hidden, l.expires_ms,
    l.max_calls, l.n_calls, l.calls_per_minute, l.n_decimals, l.top_k, l.is_revoked, l.created_by, l.created_ms,
    l.last_used_ms
    FROM links l JOIN repositories r ON r.id = l.repository_id JOIN accounts a ON a.id = r.owner_id
    JOIN revisions v ON v.id = l.revision_id";

/// Creates a link. [`Error::NotFound`] if the revision is not the repository's.
pub async fn create(db: &Db, new: &NewLink<'_>) -> Result<Link, Error> {
    let sql = "INSERT INTO links (hash, repository_id, revision_id, action, is_anonymous, hidden, expires_ms,
            max_calls, n_calls, calls_per_minute, n_decimals, top_k, is_revoked, created_by, created_ms)
        SELECT CAST($1 AS TEXT), repository_id, id, CAST($4 AS TEXT), CAST($5 AS BOOLEAN), CAST($6 AS TEXT),
            CAST($7 AS BIGINT), CAST($8 AS BIGINT), 0, CAST($9 AS BIGINT), CAST($10 AS BIGINT),
            CAST($11 AS BIGINT), FALSE, CAST($12 AS TEXT), CAST($13 AS BIGINT)
        FROM revisions WHERE repository_id = $2 AND id = $3";
    let n_rows = query("store a link", sql)
        .bind(new.hash)
        .bind(new.repository_id)
        .bind(new.revision_id)
        .bind(new.action)
        .bind(new.is_anonymous)
        .bind(new.hidden)
        .bind(new.expires_ms)
        .bind(new.max_calls)
        .bind(new.calls_per_minute)
        .bind(new.n_decimals)
        .bind(new.top_k)
        .bind(new.created_by)
        .bind(new.created_ms)
        .run(db.writer())
        .await?;
    let created = if n_rows == 0 { None } else { by_hash(db, new.hash).await? };
    created.ok_or_else(|| Error::not_found("revision", new.revision_id))
}

/// The link of that hash, whether it still works or not.
pub async fn by_hash(db: &Db, hash: &str) -> Result<Option<Link>, Error> {
    query("find a link", format!("{SELECT} WHERE l.hash = $1")).bind(hash).optional(db).await
}

pub async fn by_id(db: &Db, id: LinkId) -> Result<Option<Link>, Error> {
    query("find a link", format!("{SELECT} WHERE l.id = $1")).bind(id).optional(db).await
}

/// The links of a repository, newest first, revoked ones too.
pub async fn list(
    db: &Db,
    repository: RepositoryId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Link>, Error> {
    let limit = page_limit(limit);
    let sql = format!("{SELECT} WHERE l.repository_id = $1 AND l.id < $2 ORDER BY l.id DESC LIMIT $3");
    let list = query("list links", sql).bind(repository).bind(id_cursor(after, i64::MAX)?).bind(limit + 1);
    Ok(page(list.all::<Link>(db).await?, limit, |link| link.id.to_string()))
}

/// The links that an account made to what it sees now, newest first, revoked ones too.
pub async fn made_by(
    db: &Db,
    maker: (AccountId, Viewer),
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Link>, Error> {
    let limit = page_limit(limit);
    let sql = format!("{SELECT} WHERE {} AND l.id < $3 ORDER BY l.id DESC LIMIT $4", made(1, 2));
    let (account, (sees_all, _)) = (maker.0, maker.1.values());
    let list = query("list links", sql).bind(account).bind(sees_all);
    let list = list.bind(id_cursor(after, i64::MAX)?).bind(limit + 1).all::<Link>(db).await?;
    Ok(page(list, limit, |link| link.id.to_string()))
}

/// The links that an account made to what it sees now, that work, and that end in this span of time, the next to end
/// first.
pub async fn ending(
    db: &Db,
    maker: (AccountId, Viewer),
    (from_ms, to_ms): (i64, i64),
    limit: u32,
) -> Result<Vec<Link>, Error> {
    let sql = format!(
        "{SELECT} WHERE {} AND l.expires_ms > $3 AND l.expires_ms <= $4 AND NOT l.is_revoked
        ORDER BY l.expires_ms, l.id LIMIT $5",
        made(1, 2)
    );
    let (account, (sees_all, _)) = (maker.0, maker.1.values());
    let list = query("list links that end", sql).bind(account).bind(sees_all);
    list.bind(from_ms).bind(to_ms).bind(page_limit(limit)).all(db).await
}

/// Whether the account at `$n` made the link and sees where it leads, or sees all where `$m` says so. Who signs up under
/// the name of somebody who left made none of that one's links.
fn made(n: usize, m: usize) -> String {
    format!(
        "EXISTS (SELECT 1 FROM accounts m WHERE m.id = ${n} AND m.name = l.created_by AND m.created_ms <= l.created_ms)
            AND (${m} OR {})",
        visible(n)
    )
}

/// Takes calls off the link's budget, all or none; `false` if it has not so many left or does not work any more.
pub async fn take_calls(db: &Db, id: LinkId, n_calls: i64, now_ms: i64) -> Result<bool, Error> {
    let sql = "UPDATE links SET n_calls = n_calls + $2, last_used_ms = $3
        WHERE id = $1 AND NOT is_revoked AND (expires_ms IS NULL OR expires_ms > $3)
            AND (max_calls IS NULL OR n_calls + $2 <= max_calls)";
    let n_rows = query("count a call", sql).bind(id).bind(n_calls).bind(now_ms).run(db.writer()).await?;
    Ok(n_rows > 0)
}

/// Gives calls back that were taken and not answered.
pub async fn give_back_calls(db: &Db, id: LinkId, n_calls: i64) -> Result<(), Error> {
    let sql = "UPDATE links SET n_calls = n_calls - $2 WHERE id = $1 AND n_calls >= $2";
    query("uncount a call", sql).bind(id).bind(n_calls).run(db.writer()).await.map(|_| ())
}

/// Lets a link live longer or be asked more often. [`Error::NotFound`] if it is not there or was revoked.
pub async fn change(db: &Db, id: LinkId, change: Change) -> Result<(), Error> {
    let sql = "UPDATE links SET expires_ms = coalesce(CAST($2 AS BIGINT), expires_ms),
        max_calls = coalesce(CAST($3 AS BIGINT), max_calls) WHERE id = $1 AND NOT is_revoked";
    let changed = query("change a link", sql).bind(id).bind(change.expires_ms).bind(change.max_calls);
    if changed.run(db.writer()).await? == 0 { Err(Error::not_found("link", id)) } else { Ok(()) }
}

/// Ends a link for good. [`Error::NotFound`] if it is not there.
pub async fn revoke(db: &Db, id: LinkId) -> Result<(), Error> {
    let n_rows = query("revoke a link", "UPDATE links SET is_revoked = TRUE WHERE id = $1").bind(id);
    if n_rows.run(db.writer()).await? == 0 { Err(Error::not_found("link", id)) } else { Ok(()) }
}
