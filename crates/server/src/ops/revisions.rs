//! Revisions: finding them, their history, and making new ones.
//!
//! Invariant: a commit is all there or not at all. Its bytes are durable before the one transaction that names
//! them, and whoever sends it is told only after that.

use spec::digest::Oid;
use spec::name::{RefName, RepositoryKind, RepositoryName};
use store::clock;
use store::db::Page;
use store::db::ids::RepositoryId;
use store::db::refs::{self, RefKind};
use store::db::repositories::Repository;
use store::db::revisions::{self, Committed, IfUnchanged, NewRevision, Revision, Squash};

use super::access::{self, Action, Actor};
use super::repositories::MAIN;
use super::{cards, discussions, facts, quotas, repositories, webhooks};
use crate::app::App;
use crate::error::{During, Error};
use crate::jobs;

pub mod changes;
mod draft;
pub mod lines;
mod pull;

use draft::Target;
pub use draft::{Draft, Message};

/// A commit that was made.
#[derive(Debug)]
pub struct Done {
    pub committed: Committed,
    /// The number of the pull request that it opened.
    pub pull_request: Option<i64>,
}

/// A place in a repository's history.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    pub kind: RepositoryKind,
    pub name: &'a RepositoryName,
    /// A branch, a tag, a commit or its first digits.
    pub revision: &'a str,
}

impl At<'_> {
    /// That there is no such place.
    pub fn revision_not_found(&self) -> Error {
        Error::RevisionNotFound { repository: self.name.to_string(), revision: self.revision.to_owned() }
    }
}

/// The revision at this place, if the actor may do this to its repository.
pub async fn resolve(
    app: &App,
    actor: &Actor,
    at: &At<'_>,
    action: Action,
) -> Result<(Repository, Revision), Error> {
    let repository = repositories::get(app, actor, at.kind, at.name, action).await?;
    let found = revisions::resolve(&app.store.db, repository.id, at.revision).await;
    let revision = found.during("look up a revision")?.ok_or_else(|| at.revision_not_found())?;
    Ok((repository, revision))
}

/// The revision at this place and those before it, newest first.
pub async fn history(
    app: &App,
    actor: &Actor,
    at: &At<'_>,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Revision>, Error> {
    let (_, revision) = resolve(app, actor, at, Action::Read).await?;
    revisions::history(&app.store.db, revision.id, after, limit).await.during("read a history")
}

/// Begins a commit to a branch or a pull request that is there, before anything of it has been read.
pub async fn begin(app: &App, actor: &Actor, at: &At<'_>) -> Result<Draft, Error> {
    if let Some(number) = at.revision.strip_prefix("refs/pr/") {
        let number = number.parse().map_err(|_| at.revision_not_found())?;
        let found = discussions::for_commit(app, actor, (at.kind, at.name), number).await;
        let (repository, pull) = match found {
            Err(Error::NotFound { .. }) => return Err(at.revision_not_found()),
            found => found?,
        };
        return Ok(Draft::new(repository, Target::Pull(pull), access::signed_in(actor)?));
    }
    let repository = repositories::get(app, actor, at.kind, at.name, Action::Write).await?;
    let name = at.revision.strip_prefix("refs/heads/").unwrap_or(at.revision);
    let branch: RefName = name.parse().map_err(|_| at.revision_not_found())?;
    let head =
        refs::by_name(&app.store.db, repository.id, RefKind::Branch, name).await.during("find a branch")?;
    if head.is_none() {
        return Err(at.revision_not_found());
    }
    Ok(Draft::new(repository, Target::Branch(branch), access::signed_in(actor)?))
}

/// Begins a commit that will open a pull request: whoever may read the repository may offer one.
pub async fn begin_pull(app: &App, actor: &Actor, at: &At<'_>) -> Result<Draft, Error> {
    let repository = repositories::get(app, actor, at.kind, at.name, Action::Read).await?;
    Ok(Draft::new(repository, Target::NewPull, discussions::may_speak(actor)?))
}

/// Makes the commit: first all bytes, then the one transaction. Changes that leave the files as they were make none.
pub async fn commit(app: &App, draft: Draft) -> Result<Done, Error> {
    let draft = draft.finish(app).await?;
    let expected_parent = expected_parent(app, &draft).await?;
    let repository = draft.repository.id;
    quotas::check_files(app, (draft.repository.owner_id, repository), &draft.files()).await?;
    let (name, done) = match &draft.target {
        Target::Branch(branch) => {
            (format!("refs/heads/{branch}"), to_branch(app, &draft, (branch, expected_parent)).await?)
        }
        Target::Pull(pull) => {
            (format!("refs/pr/{}", pull.number), pull::commit(app, &draft, expected_parent).await?)
        }
        Target::NewPull => {
            let done = pull::commit(app, &draft, expected_parent).await?;
            (format!("refs/pr/{}", done.pull_request.unwrap_or_default()), done)
        }
    };
    if done.committed.is_new {
        webhooks::tell_commit(app, repository, &name, &done.committed.revision).await;
    }
    Ok(done)
}

async fn to_branch(
    app: &App,
    draft: &Draft,
    (branch, expected_parent): (&RefName, Option<Oid>),
) -> Result<Done, Error> {
    let now_ms = clock::now_ms();
    let is_main = branch.as_str() == MAIN;
    let task = jobs::follow_up::task(draft.repository.id);
    let follow_up = task.due(now_ms);
    let new = NewRevision {
        repository_id: draft.repository.id,
        ref_kind: RefKind::Branch,
        branch,
        expected_parent,
        changes: &draft.changes,
        title: &draft.message.title,
        description: &draft.message.description,
        author: &draft.author,
        now_ms,
        if_unchanged: IfUnchanged::Keep,
        follow_up: is_main.then_some(&follow_up),
    };
    let committed = match revisions::commit(&app.store.db, &new).await {
        Ok(committed) => committed,
        Err(error) => return Err(refusal(error, draft)),
    };
    if committed.is_new && is_main {
        app.job_added.notify_one();
        // Whoever looks at once should see it; if this fails, the job does it.
        if let Err(error) = cards::refresh(app, draft.repository.id, &committed.revision).await {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            tracing::warn!(%error, cause, revision = %committed.revision.oid, "a card was not read at once");
        }
    }
    Ok(Done { committed, pull_request: None })
}

/// Makes one commit of all of a branch's history; what else names the commits before keeps them.
pub async fn squash(app: &App, actor: &Actor, at: &At<'_>, message: String) -> Result<Revision, Error> {
    let repository = repositories::get(app, actor, at.kind, at.name, Action::Write).await?;
    let name = at.revision.strip_prefix("refs/heads/").unwrap_or(at.revision);
    let branch: RefName = name.parse().map_err(|_| at.revision_not_found())?;
    let message = Message { title: message, ..Message::default() }.fitted()?;
    let now_ms = clock::now_ms();
    let task = jobs::follow_up::task(repository.id);
    let follow_up = task.due(now_ms);
    let squash = Squash {
        repository_id: repository.id,
        branch: &branch,
        title: &message.title,
        description: &message.description,
        author: &access::signed_in(actor)?.name,
        now_ms,
        follow_up: (branch.as_str() == MAIN).then_some(&follow_up),
    };
    let done = match revisions::squash(&app.store.db, &squash).await {
        Err(store::Error::NotFound { .. }) => return Err(at.revision_not_found()),
        done => done.during("squash a history")?,
    };
    if done.is_new {
        app.job_added.notify_one();
        webhooks::tell_commit(app, repository.id, &format!("refs/heads/{branch}"), &done.revision).await;
    }
    Ok(done.revision)
}

/// What a new head of `main` brings with it: the summary that searches show, and the facts of its files.
pub async fn follow_up(app: &App, repository: RepositoryId) -> Result<(), Error> {
    let head = revisions::resolve(&app.store.db, repository, MAIN).await.during("look up a revision")?;
    // Deleted while its job waited.
    let Some(head) = head else { return Ok(()) };
    cards::refresh(app, repository, &head).await?;
    match facts::ensure(app, head.id).await {
        Err(Error::NotFound { .. }) => Ok(()),
        result => result.map(|_| ()),
    }
}

/// The commit that the branch must stand at, which the sender may have named by its first digits.
async fn expected_parent(app: &App, draft: &Draft) -> Result<Option<Oid>, Error> {
    let Some(digits) = &draft.message.parent else { return Ok(None) };
    if let Ok(oid) = digits.parse() {
        return Ok(Some(oid));
    }
    let is_short = digits.len() >= 7 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_short {
        return Err(Error::BadRequest(format!("`{digits}` is not a commit: it has 7 to 40 hex digits")));
    }
    let found = revisions::resolve(&app.store.db, draft.repository.id, digits).await;
    match found.during("look up a revision")? {
        Some(revision) => Ok(Some(revision.oid)),
        None => Err(Error::StaleParent { expected: digits.clone(), current: draft.target.revision() }),
    }
}

fn refusal(error: store::Error, draft: &Draft) -> Error {
    match error {
        store::Error::StaleParent { current, .. } => Error::StaleParent {
            expected: draft.message.parent.clone().unwrap_or_default(),
            current: current.map_or_else(|| "nothing".to_owned(), |oid| oid.to_string()),
        },
        store::Error::EntryNotFound { path } => {
            Error::EntryNotFound { revision: draft.target.revision(), path }
        }
        store::Error::PathConflict { path, other } => Error::PathCollision { path, other },
        // Somebody deleted it while the commit arrived.
        store::Error::NotFound { .. } => {
            Error::RepositoryNotFound(repositories::full_name(&draft.repository))
        }
        store::Error::StorageFull { .. } => Error::StorageFull,
        source => Error::Store { operation: "commit", source },
    }
}
