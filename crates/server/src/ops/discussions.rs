//! Discussions of a repository and pull requests: who may speak, close, rename and merge.
//!
//! Whoever is signed in and sees a repository may begin a discussion, offer a pull request and comment. Its author and
//! those who may change the repository close and rename it; only the latter merge. Invariant: what is merged is what the
//! pull request changed since it began, and nothing of what happened on the branch since then is lost.

use serde_json::{Value, json};
use spec::limits;
use spec::name::{RepositoryKind, RepositoryName};
use store::clock;
use store::db::accounts;
use store::db::discussions::{
    self, Change, Discussion, Event, EventKind, Filter, NewDiscussion, NewEvent, Status,
};
use store::db::ids::AccountId;
use store::db::repositories::Repository;
use store::db::revisions::{self as rows, Revision};

use super::access::{self, Action, Actor, Known};
use super::repositories::{self, MAIN};
use super::webhooks::{self, News};
use crate::app::App;
use crate::error::{During, Error};

mod merge;

pub use merge::merge;

/// Most events that are shown of one discussion.
pub const EVENTS: u32 = 1000;

/// A discussion to be.
#[derive(Debug, Clone)]
pub struct Opening<'a> {
    pub title: &'a str,
    pub description: &'a str,
    pub sort: Sort,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    Discussion,
    PullRequest,
}

/// A discussion with all that is to be seen of it.
#[derive(Debug)]
pub struct Details {
    pub repository: Repository,
    pub discussion: Discussion,
    pub events: Vec<Event>,
    /// Of a pull request.
    pub pull: Option<Pull>,
    /// Whether the actor may close and rename it.
    pub may_change: bool,
    pub may_merge: bool,
}

/// What a pull request would do to the branch as it stands.
#[derive(Debug, Default)]
pub struct Pull {
    /// Paths, and whether the file goes or comes.
    pub changes: Vec<(String, Effect)>,
    /// Paths that changed on both sides, each in its own way.
    pub conflicts: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    Put,
    Delete,
}

/// Begins a discussion, or a pull request without commits.
pub async fn open(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    opening: &Opening<'_>,
) -> Result<Discussion, Error> {
    let repository = repositories::get(app, actor, kind, name, Action::Read).await?;
    let known = may_speak(actor)?;
    let data = json!({ "text": checked_comment(opening.description)? }).to_string();
    let is_pull_request = opening.sort == Sort::PullRequest;
    let base = match is_pull_request {
        true => Some(head(app, &repository, MAIN).await?.id),
        false => None,
    };
    let new = NewDiscussion {
        repository: repository.id,
        title: checked_title(opening.title)?,
        // A pull request that changes nothing yet is not asked to be taken.
        status: if is_pull_request { Status::Draft } else { Status::Open },
        base,
        opening: comment_event(known, &data),
    };
    match discussions::create(&app.store.db, &new).await {
        Err(store::Error::NotFound { .. }) => Err(Error::RepositoryNotFound(name.to_string())),
        result => {
            let begun = result.during("begin a discussion")?;
            webhooks::tell(app, repository.id, &News::Opened(&begun)).await;
            Ok(begun)
        }
    }
}

/// How many discussions there are of that sort, and those from `start` on, newest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    filter: Filter,
    (start, limit): (i64, u32),
) -> Result<(i64, Vec<Discussion>), Error> {
    let repository = repositories::get(app, actor, kind, name, Action::See).await?;
    discussions::list(&app.store.db, repository.id, filter, start, limit).await.during("list discussions")
}

/// The account of this name, by which lists are filtered.
pub async fn author(app: &App, name: &str) -> Result<Option<AccountId>, Error> {
    let found = accounts::by_name(&app.store.db, name).await.during("look up an account")?;
    Ok(found.map(|account| account.id))
}

/// All of one discussion.
pub async fn get(
    app: &App,
    actor: &Actor,
    of: (RepositoryKind, &RepositoryName),
    number: i64,
) -> Result<Details, Error> {
    let (repository, discussion) = find(app, actor, of, number).await?;
    let events = discussions::events(&app.store.db, discussion.id, EVENTS).await.during("list events")?;
    let pull = match discussion.is_pull_request {
        true => Some(merge::preview(app, &repository, &discussion).await?),
        false => None,
    };
    let may_merge = is_writer(app, actor, &repository).await? && discussion.is_pull_request;
    let may_change = check_change(app, actor, &repository, &discussion).await.is_ok();
    Ok(Details { repository, discussion, events, pull, may_change, may_merge })
}

/// Says something.
pub async fn comment(
    app: &App,
    actor: &Actor,
    of: (RepositoryKind, &RepositoryName),
    number: i64,
    text: &str,
) -> Result<Event, Error> {
    let (_, discussion) = find(app, actor, of, number).await?;
    let known = may_speak(actor)?;
    let data = json!({ "text": checked_comment(text)? }).to_string();
    change(app, &discussion, &Change::Nothing, &comment_event(known, &data)).await
}

/// Opens or closes it.
pub async fn set_status(
    app: &App,
    actor: &Actor,
    of: (RepositoryKind, &RepositoryName),
    number: i64,
    status: Status,
) -> Result<Event, Error> {
    let (repository, discussion) = find(app, actor, of, number).await?;
    let known = check_change(app, actor, &repository, &discussion).await?;
    if !matches!(status, Status::Open | Status::Closed) || discussion.status == Status::Merged {
        let rule = "a discussion is opened and closed; a merged pull request stays merged";
        return Err(Error::BadRequest(rule.to_owned()));
    }
    let data = json!({ "status": status }).to_string();
    let event = NewEvent { kind: EventKind::StatusChange, ..comment_event(known, &data) };
    change(app, &discussion, &Change::Status(status), &event).await
}

/// Gives it another title.
pub async fn set_title(
    app: &App,
    actor: &Actor,
    of: (RepositoryKind, &RepositoryName),
    number: i64,
    title: &str,
) -> Result<Event, Error> {
    let (repository, discussion) = find(app, actor, of, number).await?;
    let known = check_change(app, actor, &repository, &discussion).await?;
    let title = checked_title(title)?;
    let data = json!({ "from": discussion.title, "to": title }).to_string();
    let event = NewEvent { kind: EventKind::TitleChange, ..comment_event(known, &data) };
    change(app, &discussion, &Change::Title(title), &event).await
}

/// The pull request to which the actor may commit, being its author or one who may change the repository.
pub async fn for_commit(
    app: &App,
    actor: &Actor,
    of: (RepositoryKind, &RepositoryName),
    number: i64,
) -> Result<(Repository, Discussion), Error> {
    let (repository, discussion) = find(app, actor, of, number).await?;
    check_change(app, actor, &repository, &discussion).await?;
    match (discussion.is_pull_request, discussion.status) {
        (true, Status::Open | Status::Draft) => Ok((repository, discussion)),
        (true, _) => Err(Error::BadRequest(format!("the pull request {number} is no longer open"))),
        (false, _) => {
            let (repository, revision) = (of.1.to_string(), format!("refs/pr/{number}"));
            Err(Error::RevisionNotFound { repository, revision })
        }
    }
}

/// What an event holds of the words of its kind.
pub fn data(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap_or_default()
}

/// The account that speaks, if it may.
pub fn may_speak(actor: &Actor) -> Result<&Known, Error> {
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    Ok(known)
}

/// A first comment of this account.
pub fn comment_event<'a>(known: &Known, data: &'a str) -> NewEvent<'a> {
    NewEvent { author: known.id, kind: EventKind::Comment, data, now_ms: clock::now_ms() }
}

async fn find(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    number: i64,
) -> Result<(Repository, Discussion), Error> {
    let repository = repositories::get(app, actor, kind, name, Action::See).await?;
    let found = discussions::find(&app.store.db, repository.id, number).await;
    let discussion = found.during("look up a discussion")?;
    let discussion =
        discussion.ok_or_else(|| Error::NotFound { what: "discussion", name: number.to_string() })?;
    Ok((repository, discussion))
}

async fn change(
    app: &App,
    discussion: &Discussion,
    to: &Change<'_>,
    event: &NewEvent<'_>,
) -> Result<Event, Error> {
    match discussions::change(&app.store.db, discussion.id, to, event).await {
        Err(store::Error::NotFound { .. }) => {
            Err(Error::NotFound { what: "open discussion", name: discussion.number.to_string() })
        }
        result => {
            let event = result.during("change a discussion")?;
            tell(app, discussion, to, &event).await;
            Ok(event)
        }
    }
}

async fn tell(app: &App, before: &Discussion, change: &Change<'_>, event: &Event) {
    if let Change::Nothing = change {
        return webhooks::tell(app, before.repository_id, &News::Said(before, event)).await;
    }
    match discussions::find(&app.store.db, before.repository_id, before.number).await {
        Ok(Some(now)) => webhooks::tell(app, before.repository_id, &News::Changed(&now)).await,
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "webhooks were not told of a discussion"),
    }
}

async fn head(app: &App, repository: &Repository, revision: &str) -> Result<Revision, Error> {
    let found = rows::resolve(&app.store.db, repository.id, revision).await.during("look up a revision")?;
    found.ok_or_else(|| Error::RevisionNotFound {
        repository: repositories::full_name(repository),
        revision: revision.to_owned(),
    })
}

async fn is_writer(app: &App, actor: &Actor, repository: &Repository) -> Result<bool, Error> {
    let name = repositories::full_name(repository);
    let subject = access::subject(app, actor, repository, &name).await?;
    Ok(access::check(actor, Action::Write, &subject).is_ok())
}

/// Its author may, and whoever may change the repository.
async fn check_change<'a>(
    app: &App,
    actor: &'a Actor,
    repository: &Repository,
    discussion: &Discussion,
) -> Result<&'a Known, Error> {
    let known = may_speak(actor)?;
    if discussion.author_id != Some(known.id) {
        let name = repositories::full_name(repository);
        access::check(actor, Action::Write, &access::subject(app, actor, repository, &name).await?)?;
    }
    Ok(known)
}

fn checked_title(title: &str) -> Result<&str, Error> {
    let title = title.trim();
    let limit = limits::TITLE_BYTES;
    match title.is_empty() || title.len() > limit || title.contains(char::is_control) {
        true => Err(Error::BadRequest(format!("a title is one line of 1 to {limit} bytes"))),
        false => Ok(title),
    }
}

fn checked_comment(text: &str) -> Result<&str, Error> {
    let limit = limits::COMMENT_BYTES;
    match text.trim().is_empty() || text.len() > limit {
        true => Err(Error::BadRequest(format!("a comment has 1 to {limit} bytes"))),
        false => Ok(text.trim()),
    }
}
