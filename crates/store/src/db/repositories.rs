//! Repositories: what accounts own, with the summary that lists and searches show.
//!
//! Refuses to know files: those are [`super::revisions`]. Invariants: of one owner and kind no two names differ
//! only in the case of letters; a private repository is in nobody's list but its owner's and an admin's.

use spec::name::{RepositoryKind, RepositoryName};

use super::ids::{AccountId, RepositoryId};
use super::revisions::{Committed, NewRevision, commit_in};
use super::words::words;
use super::{Db, Tx, accounts, query, search};
use crate::Error;

mod duplicate;
mod former;
mod list;

pub use duplicate::{Duplicate, duplicate};
pub use former::by_former_name;
pub use list::{ListQuery, Sort, list};

/// A repository and its summary.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Repository {
    pub id: RepositoryId,
    pub owner_id: AccountId,
    pub owner_name: String,
    #[sqlx(try_from = "String")]
    pub kind: RepositoryKind,
    pub name: String,
    pub is_private: bool,
    #[sqlx(try_from = "String")]
    pub gate: Gate,
    pub created_ms: i64,
    /// When a commit or a setting last changed it.
    pub updated_ms: i64,
    pub n_downloads: i64,
    pub n_likes: i64,
    pub title: String,
    pub description: String,
    pub task: Option<String>,
    pub library: Option<String>,
    pub license: Option<String>,
    /// A JSON array of strings.
    pub tags: String,
    /// The card's front matter as a JSON object.
    pub card: String,
}

words!(
    /// How the files of a repository are had by those who see it.
    Gate, "gate", {
        /// Without asking.
        Open = "open",
        /// By asking.
        Auto = "auto",
        /// By asking and being accepted.
        Manual = "manual",
    }
);

/// A repository to be.
#[derive(Debug, Clone)]
pub struct NewRepository<'a> {
    pub owner_id: AccountId,
    pub kind: RepositoryKind,
    /// The owner's name in it is not looked at.
    pub name: &'a RepositoryName,
    pub is_private: bool,
    pub created_ms: i64,
}

/// What lists and searches know of a repository's files.
#[derive(Debug, Clone, Default)]
pub struct Summary<'a> {
    pub title: &'a str,
    pub description: &'a str,
    pub task: Option<&'a str>,
    pub library: Option<&'a str>,
    pub license: Option<&'a str>,
    /// Together with task, library and `license:…` what a list can be filtered by, in any case of letters.
    pub tags: &'a [String],
    /// A JSON object.
    pub card: &'a str,
}

/// Who looks at a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Viewer {
    /// Sees what is public.
    #[default]
    Nobody,
    /// Sees what is public, theirs, their organisations', or granted to any of these.
    Account(AccountId),
    /// Sees all, as an admin does.
    Everything,
}

impl Viewer {
    /// For `($n OR visible($m))`. No account has the id 0.
    pub(super) fn values(self) -> (bool, i64) {
        match self {
            Self::Nobody => (false, 0),
            Self::Account(account) => (false, account.0),
            Self::Everything => (true, 0),
        }
    }
}

/// Whether the account bound at `$n` sees the repository `r`. What it asks of members and grants does not depend on
/// `r`, so it is asked once.
pub(super) fn visible(n: usize) -> String {
    format!(
        "(NOT r.is_private OR r.owner_id = ${n}
            OR r.owner_id IN (SELECT organization_id FROM members WHERE account_id = ${n})
            OR r.id IN (SELECT repository_id FROM grants WHERE account_id = ${n} OR account_id IN
                (SELECT organization_id FROM members WHERE account_id = ${n})))"
    )
}

pub(super) const SELECT: &str = "SELECT r.id, r.owner_id, a.name AS owner_name, r.kind, r.name, r.is_private, r.gate, r.created_ms,
    r.updated_ms, r.n_downloads, r.n_likes, r.title, r.description, r.task, r.library, r.license, r.tags, r.card
    FROM repositories r JOIN accounts a ON a.id = r.owner_id";

/// Tags written by one statement, and the most that are kept.
const MAX_TAGS: usize = 200;

/// Creates a repository without any commit. [`Error::AlreadyExists`] if the owner has one of that kind and name,
/// [`Error::NotFound`] without the owner.
pub async fn create(db: &Db, new: &NewRepository<'_>) -> Result<Repository, Error> {
    let mut tx = db.begin().await?;
    let id = create_in(&mut tx, new).await?;
    let created = read(&mut tx, id).await?;
    tx.commit().await?;
    Ok(created)
}

/// Creates a repository with its first commit, or nothing at all. The `repository_id` of `first` is not looked at.
pub async fn create_with_first_revision(
    db: &Db,
    new: &NewRepository<'_>,
    first: &NewRevision<'_>,
) -> Result<(Repository, Committed), Error> {
    let mut tx = db.begin().await?;
    let id = create_in(&mut tx, new).await?;
    let committed = commit_in(&mut tx, &NewRevision { repository_id: id, ..first.clone() }).await?;
    let created = read(&mut tx, id).await?;
    tx.commit().await?;
    Ok((created, committed))
}

/// The repository of that name, in any case of its letters.
pub async fn by_name(
    db: &Db,
    kind: RepositoryKind,
    name: &RepositoryName,
) -> Result<Option<Repository>, Error> {
    let sql = format!("{SELECT} WHERE a.name_key = $1 AND r.kind = $2 AND r.name_key = $3");
    query("find a repository", sql)
        .bind(accounts::key(name.owner().as_str()))
        .bind(kind.as_str())
        .bind(accounts::key(name.name()))
        .optional(db)
        .await
}

pub async fn by_id(db: &Db, id: RepositoryId) -> Result<Option<Repository>, Error> {
    query("find a repository", format!("{SELECT} WHERE r.id = $1")).bind(id).optional(db).await
}

/// Repositories behind that one, in the order in which they were made.
pub async fn after(db: &Db, id: RepositoryId, limit: u32) -> Result<Vec<RepositoryId>, Error> {
    let sql = "SELECT id FROM repositories WHERE id > $1 ORDER BY id LIMIT $2";
    let rows = query("list repositories", sql).bind(id).bind(i64::from(limit));
    Ok(rows.all::<(RepositoryId,)>(db).await?.into_iter().map(|(id,)| id).collect())
}

/// Deletes a repository with all that hangs on it but the stored bytes, which others may name too.
/// [`Error::NotFound`] if there is none.
pub async fn delete(db: &Db, id: RepositoryId) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let sql = "SELECT id FROM repositories WHERE id = $1 {lock}";
    if query("hold a repository", sql).bind(id).optional::<(i64,)>(&mut tx).await?.is_none() {
        return Err(Error::not_found("repository", id));
    }
    let parts = [
        "DELETE FROM answers WHERE repository_id = $1",
        "DELETE FROM links WHERE repository_id = $1",
        "DELETE FROM grants WHERE repository_id = $1",
        "DELETE FROM tokens WHERE repository_id = $1",
        "DELETE FROM endpoints WHERE repository_id = $1",
        "DELETE FROM apps WHERE repository_id = $1",
        "DELETE FROM uploads WHERE repository_id = $1",
        "DELETE FROM chunked_places WHERE repository_id = $1",
        "DELETE FROM whole_places WHERE repository_id = $1",
        "DELETE FROM former_names WHERE repository_id = $1",
        "DELETE FROM likes WHERE repository_id = $1",
        "DELETE FROM access_requests WHERE repository_id = $1",
        "DELETE FROM discussions WHERE repository_id = $1",
        "DELETE FROM refs WHERE repository_id = $1",
        "DELETE FROM facts WHERE revision_id IN (SELECT id FROM revisions WHERE repository_id = $1)",
        "DELETE FROM entries WHERE tree_id IN (SELECT id FROM trees WHERE repository_id = $1)",
        "DELETE FROM revisions WHERE repository_id = $1",
        "DELETE FROM trees WHERE repository_id = $1",
        "DELETE FROM repository_tags WHERE repository_id = $1",
        "DELETE FROM repositories WHERE id = $1",
    ];
    for part in parts {
        query("delete a repository", part).bind(id).run(&mut tx).await?;
    }
    tx.commit().await
}

/// Gives a repository another name or owner. [`Error::AlreadyExists`] if that owner has one of that kind and name.
pub async fn rename(
    db: &Db,
    repository: &Repository,
    owner: AccountId,
    name: &RepositoryName,
    now_ms: i64,
) -> Result<Repository, Error> {
    let mut tx = db.begin().await?;
    let owner_name = accounts::name_in(&mut tx, owner).await?;
    let full_name = format!("{owner_name}/{}", name.name());
    let sql =
        "UPDATE repositories SET owner_id = $2, name = $3, name_key = $4, search_name = $5, updated_ms = $6
        WHERE id = $1";
    let renamed = query("rename a repository", sql)
        .bind(repository.id)
        .bind(owner)
        .bind(name.name())
        .bind(accounts::key(name.name()))
        .bind(search::normalize(&full_name))
        .bind(now_ms);
    match renamed.run(&mut tx).await.map_err(|error| error.if_taken("repository", &full_name))? {
        0 => return Err(Error::not_found("repository", repository.id)),
        _ => former::keep(&mut tx, repository, now_ms).await?,
    }
    let renamed = read(&mut tx, repository.id).await?;
    tx.commit().await?;
    Ok(renamed)
}

/// Opens a repository to all or closes it.
pub async fn set_private(db: &Db, id: RepositoryId, is_private: bool, now_ms: i64) -> Result<(), Error> {
    let sql = "UPDATE repositories SET is_private = $2, updated_ms = $3 WHERE id = $1";
    let n_rows =
        query("set a visibility", sql).bind(id).bind(is_private).bind(now_ms).run(db.writer()).await?;
    if n_rows == 0 { Err(Error::not_found("repository", id)) } else { Ok(()) }
}

/// Sets how the files of a repository are had.
pub async fn set_gate(db: &Db, id: RepositoryId, gate: Gate, now_ms: i64) -> Result<(), Error> {
    let sql = "UPDATE repositories SET gate = $2, updated_ms = $3 WHERE id = $1";
    let n_rows = query("set a gate", sql).bind(id).bind(gate).bind(now_ms).run(db.writer()).await?;
    if n_rows == 0 { Err(Error::not_found("repository", id)) } else { Ok(()) }
}

/// Sets what lists and searches know of a repository.
pub async fn set_summary(db: &Db, id: RepositoryId, summary: &Summary<'_>) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let tags = serde_json::Value::from(summary.tags).to_string();
    let sql = "UPDATE repositories SET title = $2, description = $3, task = $4, library = $5, license = $6,
        tags = $7, card = $8, search_text = $9 WHERE id = $1";
    let n_rows = query("set a summary", sql)
        .bind(id)
        .bind(summary.title)
        .bind(summary.description)
        .bind(summary.task)
        .bind(summary.library)
        .bind(summary.license)
        .bind(tags)
        .bind(if summary.card.is_empty() { "{}" } else { summary.card })
        .bind(search_text(summary))
        .run(&mut tx)
        .await?;
    if n_rows == 0 {
        return Err(Error::not_found("repository", id));
    }
    set_tags(&mut tx, id, summary).await?;
    tx.commit().await
}

/// Adds to the counts of downloads. Repositories that are gone are passed over.
pub async fn add_downloads(db: &Db, counts: &[(RepositoryId, i64)]) -> Result<(), Error> {
    if counts.is_empty() {
        return Ok(());
    }
    let mut counts = counts.to_vec();
    // Two servers that lock rows in the same order cannot wait for each other.
    counts.sort_unstable();
    let mut tx = db.begin().await?;
    for (id, n) in counts {
        let sql = "UPDATE repositories SET n_downloads = n_downloads + $2 WHERE id = $1";
        query("count downloads", sql).bind(id).bind(n).run(&mut tx).await?;
    }
    tx.commit().await
}

async fn create_in(tx: &mut Tx, new: &NewRepository<'_>) -> Result<RepositoryId, Error> {
    let owner = accounts::name_in(tx, new.owner_id).await?;
    let name = new.name.name();
    let sql = "INSERT INTO repositories (owner_id, kind, name, name_key, is_private, created_ms, updated_ms,
            n_downloads, n_likes, title, description, tags, card, search_name, search_text)
        VALUES ($1, $2, $3, $4, $5, $6, $6, 0, 0, '', '', '[]', '{}', $7, '') RETURNING id";
    let created = query("create a repository", sql)
        .bind(new.owner_id)
        .bind(new.kind.as_str())
        .bind(name)
        .bind(accounts::key(name))
        .bind(new.is_private)
        .bind(new.created_ms)
        .bind(search::normalize(&format!("{owner}/{name}")))
        .one::<(RepositoryId,)>(tx)
        .await;
    created.map(|(id,)| id).map_err(|error| error.if_taken("repository", format!("{owner}/{name}")))
}

async fn read(tx: &mut Tx, id: RepositoryId) -> Result<Repository, Error> {
    query("read a repository", format!("{SELECT} WHERE r.id = $1")).bind(id).one(tx).await
}

fn search_text(summary: &Summary<'_>) -> String {
    let words = [summary.task, summary.library, summary.license].into_iter().flatten();
    let tags = summary.tags.iter().map(String::as_str);
    let all: Vec<&str> =
        [summary.title].into_iter().chain(words).chain(tags).chain([summary.description]).collect();
    search::normalize(&all.join(" "))
}

async fn set_tags(tx: &mut Tx, id: RepositoryId, summary: &Summary<'_>) -> Result<(), Error> {
    query("clear tags", "DELETE FROM repository_tags WHERE repository_id = $1")
        .bind(id)
        .run(&mut *tx)
        .await?;
    let license = summary.license.map(|license| format!("license:{license}"));
    let words = [summary.task, summary.library, license.as_deref()].into_iter().flatten();
    let all = words.chain(summary.tags.iter().map(String::as_str)).map(str::to_lowercase);
    let all: std::collections::BTreeSet<String> = all.take(MAX_TAGS).collect();
    if all.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> = (2..all.len() + 2).map(|n| format!("(${n}, $1)")).collect();
    let sql = format!("INSERT INTO repository_tags (tag, repository_id) VALUES {}", rows.join(", "));
    query("set tags", sql).bind(id).bind_all(all).run(tx).await.map(|_| ())
}
