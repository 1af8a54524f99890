//! Likes: which accounts like which repositories.
//!
//! Refuses to know who may. Invariant: a repository's `n_likes` is the number of its rows here, because both change in
//! one transaction.

use super::ids::{AccountId, RepositoryId};
use super::repositories::{Repository, SELECT};
use super::{Db, Page, id_cursor, page, page_limit, query};
use crate::Error;

/// Somebody who likes a repository.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Liker {
    pub account_id: AccountId,
    pub name: String,
    pub created_ms: i64,
}

/// A repository that somebody likes, and since when.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Liked {
    #[sqlx(flatten)]
    pub repository: Repository,
    pub liked_ms: i64,
}

/// Likes a repository; to like it twice changes nothing. [`Error::NotFound`] without the repository.
pub async fn put(db: &Db, repository: RepositoryId, account: AccountId, now_ms: i64) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let sql = "INSERT INTO likes (repository_id, account_id, created_ms) VALUES ($1, $2, $3)
        ON CONFLICT (repository_id, account_id) DO NOTHING";
    let put = query("like a repository", sql).bind(repository).bind(account).bind(now_ms).run(&mut tx).await;
    if put.map_err(|error| error.if_missing("repository", repository))? == 1 {
        let sql = "UPDATE repositories SET n_likes = n_likes + 1 WHERE id = $1";
        query("count a like", sql).bind(repository).run(&mut tx).await?;
    }
    tx.commit().await
}

/// Takes a like back; where there was none, nothing changes.
pub async fn delete(db: &Db, repository: RepositoryId, account: AccountId) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let sql = "DELETE FROM likes WHERE repository_id = $1 AND account_id = $2";
    if query("unlike a repository", sql).bind(repository).bind(account).run(&mut tx).await? == 1 {
        let sql = "UPDATE repositories SET n_likes = n_likes - 1 WHERE id = $1";
        query("count a like", sql).bind(repository).run(&mut tx).await?;
    }
    tx.commit().await
}

pub async fn is_there(db: &Db, repository: RepositoryId, account: AccountId) -> Result<bool, Error> {
    let sql = "SELECT created_ms FROM likes WHERE repository_id = $1 AND account_id = $2";
    let row = query("find a like", sql).bind(repository).bind(account).optional::<(i64,)>(db).await?;
    Ok(row.is_some())
}

/// Who likes a repository, in the order in which they came to be here.
pub async fn of_repository(
    db: &Db,
    repository: RepositoryId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Liker>, Error> {
    let limit = page_limit(limit);
    let sql = "SELECT l.account_id, a.name, l.created_ms FROM likes l JOIN accounts a ON a.id = l.account_id
        WHERE l.repository_id = $1 AND l.account_id > $2 ORDER BY l.account_id LIMIT $3";
    let rows = query("list likers", sql).bind(repository).bind(id_cursor(after, 0)?).bind(limit + 1);
    Ok(page(rows.all::<Liker>(db).await?, limit, |liker| liker.account_id.to_string()))
}

/// What an account likes, newest repository first, whoever may see it.
pub async fn of_account(
    db: &Db,
    account: AccountId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Liked>, Error> {
    let limit = page_limit(limit);
    let select = SELECT.replacen("SELECT ", "SELECT l.created_ms AS liked_ms, ", 1);
    let sql = format!(
        "{select} JOIN likes l ON l.repository_id = r.id
        WHERE l.account_id = $1 AND r.id < $2 ORDER BY r.id DESC LIMIT $3"
    );
    let rows = query("list likes", sql).bind(account).bind(id_cursor(after, i64::MAX)?).bind(limit + 1);
    Ok(page(rows.all::<Liked>(db).await?, limit, |liked| liked.repository.id.to_string()))
}
