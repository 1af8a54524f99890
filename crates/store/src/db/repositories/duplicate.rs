//! A repository that begins as a copy of another: its commits, branches and tags, what was read from its files, and none of
//! what people did with it.
//!
//! Invariant: there is all of the copy or nothing; no byte of a file is looked at.

use super::{Gate, NewRepository, Repository, create_in, read};
use crate::Error;
use crate::db::ids::RepositoryId;
use crate::db::{Db, Tx, chunked_files, query, revisions};

/// A copy to be.
#[derive(Debug, Clone)]
pub struct Duplicate<'a> {
    pub from: RepositoryId,
    pub new: NewRepository<'a>,
    /// How its files are had.
    pub gate: Gate,
}

/// Makes the copy. [`Error::AlreadyExists`] if the owner has one of that kind and name, [`Error::NotFound`] without the
/// owner or what is to be copied.
pub async fn duplicate(db: &Db, copy: &Duplicate<'_>) -> Result<Repository, Error> {
    let mut tx = db.begin().await?;
    let sql = "SELECT id FROM repositories WHERE id = $1 {lock}";
    if query("hold a repository", sql).bind(copy.from).optional::<(i64,)>(&mut tx).await?.is_none() {
        return Err(Error::not_found("repository", copy.from));
    }
    let id = create_in(&mut tx, &copy.new).await?;
    revisions::copy_in(&mut tx, copy.from, id).await?;
    chunked_files::place_copies_in(&mut tx, id, copy.new.created_ms).await?;
    copy_summary(&mut tx, copy, id).await?;
    let made = read(&mut tx, id).await?;
    tx.commit().await?;
    Ok(made)
}

/// What lists and searches know of it, but its name.
async fn copy_summary(tx: &mut Tx, copy: &Duplicate<'_>, id: RepositoryId) -> Result<(), Error> {
    let told = ["title", "description", "task", "library", "license", "tags", "card", "search_text"];
    let told = told.map(|column| format!("{column} = (SELECT {column} FROM repositories WHERE id = $1)"));
    let sql = format!("UPDATE repositories SET gate = $3, {} WHERE id = $2", told.join(", "));
    query("copy a summary", sql).bind(copy.from).bind(id).bind(copy.gate).run(&mut *tx).await?;
    let sql = "INSERT INTO repository_tags (tag, repository_id)
        SELECT tag, CAST($2 AS BIGINT) FROM repository_tags WHERE repository_id = $1";
    query("copy tags", sql).bind(copy.from).bind(id).run(tx).await.map(|_| ())
}
