//! Discussions of a repository, pull requests among them, and the events that make them up.
//!
//! Refuses to know who may speak. Invariants: numbers count up within a repository; a pull request and its ref come
//! together or not at all; every change of a discussion leaves its event in the same transaction.

use spec::name::RefName;

use super::ids::{AccountId, DiscussionId, RepositoryId, RevisionId};
use super::revisions::{Committed, NewRevision, commit_in};
use super::words::words;
use super::{Db, Tx, query};
use crate::Error;

mod said;

pub use said::{Said, said};

words!(
    /// Where a discussion stands.
    Status, "status of a discussion", {
        /// A pull request whose author is not done.
        Draft = "draft",
        Open = "open",
        Closed = "closed",
        /// A pull request that was taken. This is final.
        Merged = "merged",
    }
);

words!(
    /// What happened in a discussion.
    EventKind, "kind of event", {
        Comment = "comment",
        StatusChange = "status-change",
        TitleChange = "title-change",
        Commit = "commit",
    }
);

/// A discussion as it stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Discussion {
    pub id: DiscussionId,
    pub repository_id: RepositoryId,
    pub number: i64,
    pub author_id: Option<AccountId>,
    /// `None` once the account is gone.
    pub author_name: Option<String>,
    pub title: String,
    #[sqlx(try_from = "String")]
    pub status: Status,
    pub is_pull_request: bool,
    /// Where a pull request began.
    pub base_id: Option<RevisionId>,
    /// The commit that took it.
    pub merge_oid: Option<String>,
    pub created_ms: i64,
    pub updated_ms: i64,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Event {
    pub id: i64,
    pub author_name: Option<String>,
    #[sqlx(try_from = "String")]
    pub kind: EventKind,
    /// A JSON object: `{text}`, `{status}`, `{from, to}` or `{subject, oid}`.
    pub data: String,
    pub created_ms: i64,
}

/// An event to be.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    pub author: AccountId,
    pub kind: EventKind,
    pub data: &'a str,
    pub now_ms: i64,
}

/// A discussion to be.
#[derive(Debug, Clone)]
pub struct NewDiscussion<'a> {
    pub repository: RepositoryId,
    pub title: &'a str,
    pub status: Status,
    /// Makes it a pull request that begins there.
    pub base: Option<RevisionId>,
    /// The first comment.
    pub opening: NewEvent<'a>,
}

/// Which discussions a list shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    pub is_pull_request: Option<bool>,
    /// Open ones and drafts, or the others.
    pub is_open: Option<bool>,
    pub author: Option<AccountId>,
}

/// What of a discussion changes.
#[derive(Debug, Clone)]
pub enum Change<'a> {
    /// Only its event is new.
    Nothing,
    Title(&'a str),
    Status(Status),
}

const SELECT: &str =
    "SELECT d.id, d.repository_id, d.number, d.author_id, a.name AS author_name, d.title, d.status,
    d.is_pull_request, d.base_id, d.merge_oid, d.created_ms, d.updated_ms
    FROM discussions d LEFT JOIN accounts a ON a.id = d.author_id";

/// Begins a discussion. [`Error::NotFound`] without the repository.
pub async fn create(db: &Db, new: &NewDiscussion<'_>) -> Result<Discussion, Error> {
    let mut tx = db.begin().await?;
    let created = create_in(&mut tx, new).await?;
    tx.commit().await?;
    Ok(created)
}

/// Begins a pull request with its first commit, or nothing at all. `event` makes the event from the commit; the ref of
/// `first` is not looked at.
pub async fn create_with_commit(
    db: &Db,
    new: &NewDiscussion<'_>,
    first: &NewRevision<'_>,
    event: impl FnOnce(&Committed) -> String,
) -> Result<(Discussion, Committed), Error> {
    let mut tx = db.begin().await?;
    let created = create_in(&mut tx, new).await?;
    let name = ref_name(created.number)?;
    let committed = commit_in(
        &mut tx,
        &NewRevision { ref_kind: super::refs::RefKind::Pull, branch: &name, ..first.clone() },
    )
    .await?;
    if committed.is_new {
        let data = event(&committed);
        let event = NewEvent { kind: EventKind::Commit, data: &data, ..new.opening.clone() };
        insert_event(&mut tx, created.id, &event).await?;
    }
    tx.commit().await?;
    Ok((created, committed))
}

/// Commits to a pull request.
pub async fn commit(
    db: &Db,
    discussion: DiscussionId,
    new: &NewRevision<'_>,
    event: impl FnOnce(&Committed) -> (AccountId, String),
) -> Result<Committed, Error> {
    let mut tx = db.begin().await?;
    let committed = commit_in(&mut tx, new).await?;
    if committed.is_new {
        let (author, data) = event(&committed);
        let event = NewEvent { author, kind: EventKind::Commit, data: &data, now_ms: new.now_ms };
        insert_event(&mut tx, discussion, &event).await?;
    }
    tx.commit().await?;
    Ok(committed)
}

/// Takes a pull request: commits its changes and notes so. [`Error::StaleParent`] if the branch has moved.
pub async fn merge(
    db: &Db,
    discussion: DiscussionId,
    new: &NewRevision<'_>,
    event: &NewEvent<'_>,
) -> Result<Committed, Error> {
    let mut tx = db.begin().await?;
    let committed = commit_in(&mut tx, new).await?;
    if let (true, Some(job)) = (committed.is_new, new.follow_up) {
        super::jobs::enqueue_in(&mut tx, job).await?;
    }
    let sql = "UPDATE discussions SET status = 'merged', merge_oid = $2, updated_ms = $3
        WHERE id = $1 AND status IN ('open', 'draft')";
    let n_rows = query("merge a pull request", sql)
        .bind(discussion)
        .bind(committed.revision.oid)
        .bind(event.now_ms)
        .run(&mut tx)
        .await?;
    if n_rows == 0 {
        return Err(Error::not_found("open pull request", discussion));
    }
    insert_event(&mut tx, discussion, event).await?;
    tx.commit().await?;
    Ok(committed)
}

/// Changes a discussion, with the event that says so. [`Error::NotFound`] if it is gone, or merged and its status was
/// to change.
pub async fn change(
    db: &Db,
    discussion: DiscussionId,
    change: &Change<'_>,
    event: &NewEvent<'_>,
) -> Result<Event, Error> {
    let mut tx = db.begin().await?;
    let update = match change {
        Change::Nothing => query("note a change", "UPDATE discussions SET updated_ms = $2 WHERE id = $1"),
        Change::Title(_) => {
            query("set a title", "UPDATE discussions SET updated_ms = $2, title = $3 WHERE id = $1")
        }
        Change::Status(_) => query(
            "set a status",
            "UPDATE discussions SET updated_ms = $2, status = $3 WHERE id = $1 AND status <> 'merged'",
        ),
    };
    let update = update.bind(discussion).bind(event.now_ms);
    let n_rows = match change {
        Change::Nothing => update.run(&mut tx).await?,
        Change::Title(title) => update.bind(*title).run(&mut tx).await?,
        Change::Status(status) => update.bind(*status).run(&mut tx).await?,
    };
    if n_rows == 0 {
        return Err(Error::not_found("discussion", discussion));
    }
    let id = insert_event(&mut tx, discussion, event).await?;
    let sql = format!("{EVENTS} WHERE e.id = $1");
    let inserted = query("read an event", sql).bind(id).one(&mut tx).await?;
    tx.commit().await?;
    Ok(inserted)
}

pub async fn find(db: &Db, repository: RepositoryId, number: i64) -> Result<Option<Discussion>, Error> {
    let sql = format!("{SELECT} WHERE d.repository_id = $1 AND d.number = $2");
    query("find a discussion", sql).bind(repository).bind(number).optional(db).await
}

/// The first events of a discussion, oldest first.
pub async fn events(db: &Db, discussion: DiscussionId, limit: u32) -> Result<Vec<Event>, Error> {
    let sql = format!("{EVENTS} WHERE e.discussion_id = $1 ORDER BY e.id LIMIT $2");
    query("list events", sql).bind(discussion).bind(super::page_limit(limit)).all(db).await
}

/// How many discussions there are of that sort, and those of them from `start` on, newest first. By number and not by
/// cursor, because clients of the Hub ask for pages by their number.
pub async fn list(
    db: &Db,
    repository: RepositoryId,
    filter: Filter,
    start: i64,
    limit: u32,
) -> Result<(i64, Vec<Discussion>), Error> {
    let mut wanted = "d.repository_id = $1".to_owned();
    if let Some(is_pull_request) = filter.is_pull_request {
        wanted.push_str(if is_pull_request {
            " AND d.is_pull_request"
        } else {
            " AND NOT d.is_pull_request"
        });
    }
    if let Some(is_open) = filter.is_open {
        wanted.push_str(if is_open {
            " AND d.status IN ('open', 'draft')"
        } else {
            " AND d.status IN ('closed', 'merged')"
        });
    }
    if filter.author.is_some() {
        wanted.push_str(" AND d.author_id = $2");
    }
    let author = filter.author.map(|author| author.0);
    let count = query("count discussions", format!("SELECT count(*) FROM discussions d WHERE {wanted}"));
    let count = match author {
        Some(author) => count.bind(repository).bind(author),
        None => count.bind(repository),
    };
    let (n_all,) = count.one::<(i64,)>(db).await?;
    let n_values = if author.is_some() { 2 } else { 1 };
    let sql = format!(
        "{SELECT} WHERE {wanted} ORDER BY d.number DESC LIMIT ${} OFFSET ${}",
        n_values + 1,
        n_values + 2
    );
    let list = query("list discussions", sql).bind(repository);
    let list = match author {
        Some(author) => list.bind(author),
        None => list,
    };
    Ok((n_all, list.bind(super::page_limit(limit)).bind(start.max(0)).all(db).await?))
}

/// The name of a pull request's ref.
pub fn ref_name(number: i64) -> Result<RefName, Error> {
    number.to_string().parse().map_err(|_| Error::not_found("pull request", number))
}

const EVENTS: &str = "SELECT e.id, a.name AS author_name, e.kind, e.data, e.created_ms
    FROM discussion_events e LEFT JOIN accounts a ON a.id = e.author_id";

async fn create_in(tx: &mut Tx, new: &NewDiscussion<'_>) -> Result<Discussion, Error> {
    // Holding the repository keeps two from taking one number.
    let sql = "SELECT id FROM repositories WHERE id = $1 {lock}";
    if query("hold a repository", sql).bind(new.repository).optional::<(i64,)>(&mut *tx).await?.is_none() {
        return Err(Error::not_found("repository", new.repository));
    }
    let sql = "INSERT INTO discussions (repository_id, number, author_id, title, status, is_pull_request, base_id,
            created_ms, updated_ms)
        VALUES ($1, (SELECT CAST(coalesce(max(number), 0) + 1 AS BIGINT) FROM discussions WHERE repository_id = $1),
            $2, $3, $4, $5, $6, $7, $7) RETURNING id, number";
    let (id, number) = query("create a discussion", sql)
        .bind(new.repository)
        .bind(new.opening.author)
        .bind(new.title)
        .bind(new.status)
        .bind(new.base.is_some())
        .bind(new.base.map(|base| base.0))
        .bind(new.opening.now_ms)
        .one::<(DiscussionId, i64)>(&mut *tx)
        .await?;
    if let Some(base) = new.base {
        let sql = "INSERT INTO refs (repository_id, kind, name, revision_id, message, created_ms)
            VALUES ($1, 'pull', $2, $3, '', $4)";
        let insert = query("create a ref", sql).bind(new.repository).bind(number.to_string()).bind(base);
        insert.bind(new.opening.now_ms).run(&mut *tx).await?;
    }
    insert_event(tx, id, &new.opening).await?;
    query("read a discussion", format!("{SELECT} WHERE d.id = $1")).bind(id).one(tx).await
}

async fn insert_event(tx: &mut Tx, discussion: DiscussionId, new: &NewEvent<'_>) -> Result<i64, Error> {
    let sql = "INSERT INTO discussion_events (discussion_id, author_id, kind, data, created_ms)
        VALUES ($1, $2, $3, $4, $5) RETURNING id";
    let insert = query("note an event", sql).bind(discussion).bind(new.author).bind(new.kind).bind(new.data);
    insert.bind(new.now_ms).one::<(i64,)>(tx).await.map(|(id,)| id)
}
