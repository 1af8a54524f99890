//! Access requests: the gate before a repository's files, who asked to pass it, and who was let in.
//!
//! A gate keeps back files alone: what a gated repository is, everybody sees who sees the repository. Invariants: whoever
//! may change a repository is never kept out; a decision of its administrators is not undone by asking again.

use spec::name::{RepositoryKind, RepositoryName};
use store::clock;
use store::db::access_requests::{self, AccessRequest, NewState, RequestState};
use store::db::accounts::{self, Account};
use store::db::ids::{AccessRequestId, AccountId};
use store::db::repositories::{Gate, Repository};
use store::db::{self, Page};

use super::access::{self, Action, Actor};
use super::repositories;
use crate::app::App;
use crate::error::{During, Error};

/// Longest message or reason, in bytes.
const TEXT_BYTES: usize = 2000;

/// How somebody stands before a gate.
#[derive(Debug, Clone)]
pub enum Standing {
    /// There is no gate, or it is theirs.
    Free,
    /// They have not asked, or are not signed in.
    Outside,
    Asked(AccessRequest),
}

/// Whose request is decided.
#[derive(Debug, Clone)]
pub enum Whose<'a> {
    Account(&'a str),
    Request(AccessRequestId),
}

/// A decision.
#[derive(Debug, Clone)]
pub struct Decision<'a> {
    pub whose: Whose<'a>,
    pub state: RequestState,
    pub reason: &'a str,
}

/// Whether the actor may have the files of a repository that they were already found to be allowed to read.
pub async fn check(app: &App, actor: &Actor, repository: &Repository) -> Result<(), Error> {
    let reason = match standing(app, actor, repository).await? {
        Standing::Free => return Ok(()),
        Standing::Asked(request) => match request.state {
            RequestState::Accepted => return Ok(()),
            RequestState::Pending => "your request waits for an answer",
            RequestState::Rejected => "your request was rejected",
        },
        Standing::Outside => "ask for access first",
    };
    Err(Error::Gated { repository: repositories::full_name(repository), reason })
}

/// How the actor stands before the gate of a repository that they may see.
pub async fn standing(app: &App, actor: &Actor, repository: &Repository) -> Result<Standing, Error> {
    let name = repositories::full_name(repository);
    if repository.gate == Gate::Open {
        return Ok(Standing::Free);
    }
    let subject = access::subject(app, actor, repository, &name).await?;
    // Whom the owner gave the files by name need not ask for them.
    if access::is_writer(actor, &subject) || subject.granted >= Some(Action::Read) {
        return Ok(Standing::Free);
    }
    let Actor::Account(known) = actor else { return Ok(Standing::Outside) };
    let found = access_requests::find(&app.store.db, repository.id, known.id).await;
    Ok(found.during("look up a request")?.map_or(Standing::Outside, Standing::Asked))
}

/// Sets how the files of a repository are had.
pub async fn set_gate(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    gate: Gate,
) -> Result<(), Error> {
    let repository = repositories::get(app, actor, kind, name, Action::Administer).await?;
    match db::repositories::set_gate(&app.store.db, repository.id, gate, clock::now_ms()).await {
        Err(store::Error::NotFound { .. }) => Err(Error::RepositoryNotFound(name.to_string())),
        result => result.during("set a gate"),
    }
}

/// Asks for the files. Where the gate opens by itself, this is enough.
pub async fn ask(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    message: &str,
) -> Result<(), Error> {
    let repository = repositories::get(app, actor, kind, name, Action::See).await?;
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    let state = match repository.gate {
        Gate::Open => return Err(not_gated(name)),
        Gate::Auto => RequestState::Accepted,
        Gate::Manual => RequestState::Pending,
    };
    let text = checked(message)?;
    let new = NewState { repository: repository.id, account: known.id, state, text, now_ms: clock::now_ms() };
    access_requests::ask(&app.store.db, &new).await.during("keep a request")
}

/// Takes one's own request back, or the access that it gave. A rejection stays.
pub async fn withdraw(
    app: &App,
    actor: &Actor,
    kind: RepositoryKind,
    name: &RepositoryName,
) -> Result<(), Error> {
    let repository = repositories::get(app, actor, kind, name, Action::See).await?;
    let known = access::signed_in(actor)?;
    access::can_write(known)?;
    match standing(app, actor, &repository).await? {
        Standing::Asked(request) if request.state != RequestState::Rejected => {
            let deleted = access_requests::delete(&app.store.db, repository.id, known.id).await;
            deleted.during("take a request back").map(|_| ())
        }
        _ => Err(Error::NotFound { what: "access request of", name: known.name.clone() }),
    }
}

/// The requests of that state, oldest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    state: RequestState,
    (after, limit): (Option<&str>, u32),
) -> Result<Page<AccessRequest>, Error> {
    let repository = gated(app, actor, kind, name).await?;
    access_requests::list(&app.store.db, repository.id, state, after, limit).await.during("list requests")
}

/// Decides over a request that is there.
pub async fn decide(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    decision: &Decision<'_>,
) -> Result<(), Error> {
    let repository = gated(app, actor, kind, name).await?;
    let db = &app.store.db;
    let found = match decision.whose {
        Whose::Account(name) => access_requests::find(db, repository.id, account(app, name).await?.id).await,
        Whose::Request(id) => access_requests::by_id(db, repository.id, id).await,
    };
    let request = found.during("look up a request")?.ok_or_else(|| Error::NotFound {
        what: "access request of",
        name: match decision.whose {
            Whose::Account(name) => name.to_owned(),
            Whose::Request(id) => id.to_string(),
        },
    })?;
    let text = if decision.state == RequestState::Rejected { checked(decision.reason)? } else { "" };
    put(app, &repository, request.account_id, (decision.state, text)).await
}

/// Lets somebody in who need not have asked.
pub async fn grant(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    to: &str,
) -> Result<(), Error> {
    let repository = gated(app, actor, kind, name).await?;
    let account = account(app, to).await?;
    let found = access_requests::find(&app.store.db, repository.id, account.id).await;
    if found.during("look up a request")?.is_some_and(|request| request.state == RequestState::Accepted) {
        return Err(Error::BadRequest(format!("`{to}` has access already")));
    }
    put(app, &repository, account.id, (RequestState::Accepted, "")).await
}

async fn put(
    app: &App,
    repository: &Repository,
    account: AccountId,
    (state, text): (RequestState, &str),
) -> Result<(), Error> {
    let new = NewState { repository: repository.id, account, state, text, now_ms: clock::now_ms() };
    access_requests::decide(&app.store.db, &new).await.during("keep a decision")
}

/// A gated repository of the actor's.
async fn gated(
    app: &App,
    actor: &Actor,
    kind: RepositoryKind,
    name: &RepositoryName,
) -> Result<Repository, Error> {
    let repository = repositories::get(app, actor, kind, name, Action::Administer).await?;
    if repository.gate == Gate::Open { Err(not_gated(name)) } else { Ok(repository) }
}

async fn account(app: &App, name: &str) -> Result<Account, Error> {
    let found = accounts::by_name(&app.store.db, name).await.during("look up an account")?;
    found.ok_or_else(|| Error::NotFound { what: "account", name: name.to_owned() })
}

fn not_gated(name: &RepositoryName) -> Error {
    Error::BadRequest(format!("`{name}` is not gated: its files are had without asking"))
}

fn checked(text: &str) -> Result<&str, Error> {
    match text.len() <= TEXT_BYTES {
        true => Ok(text.trim()),
        false => Err(Error::BadRequest(format!("a message or reason has at most {TEXT_BYTES} bytes"))),
    }
}
