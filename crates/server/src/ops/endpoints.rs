//! Endpoints: putting a model live, asking it, stopping it.
//!
//! Knows no process and no frame; the gateway does. Invariants: what an endpoint serves is written down before
//! anything is started, so a restart of the server finds it again; who may ask is checked before anything is
//! woken.

use std::sync::Arc;

use spec::api::{self, EndpointState};
use spec::frame::Stability;
use spec::name::{RepositoryKind, RepositoryName};
use store::clock;
use store::db::endpoints::{self, Endpoint, NewEndpoint, NewState};
use store::db::ids::RepositoryId;

use super::access::{self, Action, Actor, Subject};
use super::revisions::{self, At};
use super::webhooks::{self, News};
use super::{facts, repositories};
use crate::app::App;
use crate::error::{During, Error};
use crate::jobs;

mod files;
pub mod predict;
mod start;

/// What others than its owner are told of why an endpoint failed.
const UNTOLD: &str = "its owner can see why";

pub use start::{check_servable, start};

/// An endpoint as its row and this process's runtime tell it.
#[derive(Debug, Clone)]
pub struct Described {
    pub row: Endpoint,
    /// `owner/name`
    pub repository: String,
    pub state: EndpointState,
    pub reason: String,
    /// Digest of what is served, where it is known without looking it up.
    pub weights: Option<String>,
    /// Whether the same row gets the same bytes, while a runtime is there that was tried.
    pub stability: Option<Stability>,
}

/// Puts a revision of a model live. Returns at once; a job starts the runtime.
pub async fn deploy(app: &Arc<App>, actor: &Actor, wanted: &api::Deploy) -> Result<Described, Error> {
    let name: RepositoryName = wanted.repository.parse()?;
    let revision = wanted.revision.as_deref().unwrap_or(repositories::MAIN);
    let at = At { kind: RepositoryKind::Model, name: &name, revision };
    let (repository, revision) = revisions::resolve(app, actor, &at, Action::Write).await?;
    if let Some(facts) = facts::get(app, revision.id).await? {
        check_servable(&wanted.repository, &facts)?;
    }
    let new = NewEndpoint {
        repository_id: repository.id,
        revision_id: revision.id,
        state: EndpointState::Pending.as_str(),
        now_ms: clock::now_ms(),
    };
    let row = endpoints::put(&app.store.db, &new).await.during("store an endpoint")?;
    app.known_endpoints.forget(&row.full_name());
    jobs::enqueue(app, &jobs::start_endpoint::task(repository.id)).await?;
    describe(app, actor, row).await
}

/// The endpoint of a repository.
pub async fn get(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Described, Error> {
    get_for(app, actor, name, Action::See).await
}

/// The endpoint of a repository, for somebody who means to do this with it.
pub async fn get_for(
    app: &App,
    actor: &Actor,
    name: &RepositoryName,
    action: Action,
) -> Result<Described, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, action).await?;
    let row = endpoints::by_repository(&app.store.db, repository.id).await.during("look up an endpoint")?;
    let row = row.ok_or_else(|| Error::EndpointNotFound(name.to_string()))?;
    describe(app, actor, row).await
}

/// The endpoints that the actor may see, by name.
pub async fn list(
    app: &App,
    actor: &Actor,
    after: Option<&str>,
    limit: u32,
) -> Result<api::Page<Described>, Error> {
    let page = endpoints::list(&app.store.db, access::viewer(actor), after, limit).await;
    let page = page.during("list endpoints")?;
    let mut items = Vec::with_capacity(page.items.len());
    for row in page.items {
        items.push(describe(app, actor, row).await?);
    }
    Ok(api::Page { items, next: page.next })
}

/// Stops an endpoint; requests under way come to their end.
pub async fn stop(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Described, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Write).await?;
    let found = endpoints::by_repository(&app.store.db, repository.id).await.during("look up an endpoint")?;
    let row = found.ok_or_else(|| Error::EndpointNotFound(name.to_string()))?;
    set_state(app, repository.id, EndpointState::Stopped, "").await?;
    app.known_endpoints.forget(&row.full_name());
    app.gateway.slot(repository.id).close();
    get(app, actor, name).await
}

/// What building its environment wrote, and the last lines that an endpoint's runtimes wrote. These may quote what was sent, so only its owner reads them.
pub async fn logs(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Vec<String>, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Write).await?;
    let row = endpoints::by_repository(&app.store.db, repository.id).await.during("look up an endpoint")?;
    let row = row.ok_or_else(|| Error::EndpointNotFound(name.to_string()))?;
    let mut lines = start::build_log(app, &row).await?;
    lines.extend(app.gateway.slot(repository.id).log.lines());
    Ok(lines)
}

/// An endpoint with the state it has at this moment in this process.
pub async fn describe(app: &App, actor: &Actor, row: Endpoint) -> Result<Described, Error> {
    let slot = app.gateway.slot(row.repository_id);
    let live = slot.live();
    let stored = EndpointState::from_name(&row.state).unwrap_or(EndpointState::Pending);
    let state = match stored {
        // What is on its way is told even while the revision before still answers.
        EndpointState::Stopped | EndpointState::Pending => stored,
        EndpointState::Building | EndpointState::Starting => stored,
        EndpointState::Failed if !slot.is_starting() => stored,
        _ if live.is_some() => EndpointState::Ready,
        _ if slot.is_starting() => EndpointState::Starting,
        _ => EndpointState::Idle,
    };
    let reason = match state {
        EndpointState::Ready => String::new(),
        EndpointState::Failed if !may_know_why(app, actor, &row).await? => UNTOLD.to_owned(),
        _ => row.reason.clone(),
    };
    let stability = live.as_ref().map(|live| live.hello().stability);
    let weights = live.map(|live| format!("sha256:{}", live.target.weights));
    Ok(Described { repository: row.full_name(), row, state, reason, weights, stability })
}

/// A failed start quotes the runtime's log, and that is for those who may read it.
async fn may_know_why(app: &App, actor: &Actor, row: &Endpoint) -> Result<bool, Error> {
    let (id, owner, is_private) = (row.repository_id, row.owner_id, row.is_private);
    let granted = access::granted(app, actor, id, owner).await?;
    let subject = Subject { name: &row.repository_name, id, owner, is_private, granted };
    Ok(access::check(actor, Action::Write, &subject).is_ok())
}

/// Writes down what became of an endpoint.
pub(crate) async fn set_state(
    app: &App,
    repository: RepositoryId,
    state: EndpointState,
    reason: &str,
) -> Result<(), Error> {
    let new = NewState {
        state: state.as_str(),
        reason,
        is_stopped: state == EndpointState::Stopped,
        now_ms: clock::now_ms(),
    };
    endpoints::set_state(&app.store.db, repository, &new).await.during("store an endpoint's state")?;
    webhooks::tell(app, repository, &News::Endpoint(state.as_str())).await;
    Ok(())
}

/// `owner/name` of the repository that an endpoint serves.
pub trait FullName {
    fn full_name(&self) -> String;
}

impl FullName for Endpoint {
    fn full_name(&self) -> String {
        format!("{}/{}", self.owner_name, self.repository_name)
    }
}
