//! Web apps beside models: starting, stopping, looking at and visiting them.
//!
//! Knows no HTTP and no process; the gateway does. Invariants: what runs is written down before anything is started, so a
//! restart of the server finds it again; who may visit is asked before anything is woken, and asked again while they visit.

use spec::api::{EndpointState, StartApp};
use spec::app::AppFacts;
use spec::facts::Facts;
use spec::name::{RepositoryKind, RepositoryName};
use store::clock;
use store::db::apps::{self as rows, App as Row, NewApp, NewState};
use store::db::ids::RepositoryId;

use super::access::{Action, Actor};
use super::revisions::{self, At};
use super::{environments, facts, repositories};
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::apps::Stage;
use crate::jobs;

mod addresses;
mod start;

pub use addresses::{Admitted, Guest, admit, is_welcome, issue, issue_by_link};
pub use start::run_job;

/// What others than who may write are told of why an app failed.
const UNTOLD: &str = "who may write the model can see why";

/// An app as its row and this process tell it.
#[derive(Debug, Clone)]
pub struct Described {
    pub row: Row,
    /// `owner/name`
    pub repository: String,
    pub state: EndpointState,
    pub reason: String,
    /// What it is, once its files were read.
    pub facts: Option<AppFacts>,
}

/// Starts the app of a revision, or moves it there. Returns at once; a job does it.
pub async fn start(
    app: &App,
    actor: &Actor,
    name: &RepositoryName,
    wanted: &StartApp,
) -> Result<Described, Error> {
    let revision = wanted.revision.as_deref().unwrap_or(repositories::MAIN);
    let at = At { kind: RepositoryKind::Model, name, revision };
    let (repository, revision) = revisions::resolve(app, actor, &at, Action::Write).await?;
    if app.settings.apps == 0 {
        let reason = "this server runs none (its setting `apps` is 0)".to_owned();
        return Err(Error::NoApp { repository: name.to_string(), reason });
    }
    if let Some(facts) = facts::get(app, revision.id).await? {
        check(&name.to_string(), &facts)?;
    }
    let (state, now_ms) = (EndpointState::Pending.as_str(), clock::now_ms());
    let new = NewApp { repository_id: repository.id, revision_id: revision.id, state, now_ms };
    let row = rows::put(&app.store.db, &new).await.during("store an app")?;
    jobs::enqueue(app, &jobs::start_app::task(repository.id)).await?;
    describe(app, row, Action::Write).await
}

/// Stops an app, whoever visits it.
pub async fn stop(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Described, Error> {
    let row = find(app, actor, name, Action::Write).await?;
    set_state(app, row.repository_id, EndpointState::Stopped, "").await?;
    app.gateway.apps.stage(row.repository_id).close();
    get(app, actor, name).await
}

/// The app of a repository.
pub async fn get(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Described, Error> {
    let row = find(app, actor, name, Action::See).await?;
    let held = match find(app, actor, name, Action::Write).await {
        Ok(_) => Action::Write,
        Err(_) => Action::See,
    };
    describe(app, row, held).await
}

/// What building its environment wrote, and the last lines that the app did. It may quote what visitors sent.
pub async fn logs(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Vec<String>, Error> {
    let row = find(app, actor, name, Action::Write).await?;
    let mut lines = start::build_log(app, &row).await?;
    lines.extend(app.gateway.apps.stage(row.repository_id).log.lines());
    Ok(lines)
}

/// Whether a repository has an app that is not stopped, for a page about it that its reader may see already.
pub async fn is_running(app: &App, repository: RepositoryId) -> Result<bool, Error> {
    let row = rows::by_repository(&app.store.db, repository).await.during("look up an app")?;
    Ok(row.is_some_and(|row| !row.is_stopped))
}

async fn find(app: &App, actor: &Actor, name: &RepositoryName, action: Action) -> Result<Row, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, action).await?;
    let row = rows::by_repository(&app.store.db, repository.id).await.during("look up an app")?;
    row.ok_or_else(|| Error::AppNotFound(name.to_string()))
}

async fn describe(app: &App, row: Row, held: Action) -> Result<Described, Error> {
    let stage = app.gateway.apps.stage(row.repository_id);
    let state = state_of(&row, &stage);
    let reason = match state {
        EndpointState::Ready | EndpointState::Idle => String::new(),
        EndpointState::Crashed => stage.rest().map(|rest| rest.reason()).unwrap_or_default(),
        EndpointState::Failed if held < Action::Write => UNTOLD.to_owned(),
        _ => row.reason.clone(),
    };
    let facts = facts::get(app, row.revision_id).await?.and_then(|facts| facts.app);
    Ok(Described { repository: full_name(&row), row, state, reason, facts })
}

/// How an app stands: as its row says where a job has the word, else as this process has it.
fn state_of(row: &Row, stage: &Stage) -> EndpointState {
    let written = EndpointState::from_name(&row.state).unwrap_or(EndpointState::Pending);
    match written {
        EndpointState::Ready | EndpointState::Idle | EndpointState::Crashed => match () {
            () if stage.live().is_some() => EndpointState::Ready,
            () if stage.is_starting() => EndpointState::Starting,
            () if stage.rest().is_some() => EndpointState::Crashed,
            () => EndpointState::Idle,
        },
        written => written,
    }
}

/// Whether there is an app, in words for the model's owner.
pub(super) fn check(repository: &str, facts: &Facts) -> Result<AppFacts, Error> {
    facts.app.clone().ok_or_else(|| {
        let named = facts.problems.iter().find(|problem| problem.contains("as its app")).cloned();
        let reason = named.unwrap_or_else(|| "neither `reenact.toml` nor the card names one".to_owned());
        Error::NoApp { repository: repository.to_owned(), reason }
    })
}

async fn set_state(
    app: &App,
    repository: RepositoryId,
    state: EndpointState,
    reason: &str,
) -> Result<(), Error> {
    let is_stopped = state == EndpointState::Stopped;
    let new = NewState { state: state.as_str(), reason, is_stopped, now_ms: clock::now_ms() };
    rows::set_state(&app.store.db, repository, &new).await.during("store an app's state")
}

fn full_name(row: &Row) -> String {
    format!("{}/{}", row.owner_name, row.repository_name)
}
