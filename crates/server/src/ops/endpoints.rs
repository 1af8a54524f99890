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
use store::db::endpoints::targets as rows;
use store::db::endpoints::{self, Endpoint, NewEndpoint, NewState};

use super::access::{self, Action, Actor, Subject};
use super::revisions::{self, At};
use super::webhooks::{self, News};
use super::{facts, repositories};
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::{Key, Slot};
use crate::jobs;

mod files;
pub mod logs;
pub mod options;
pub mod predict;
mod record;
pub mod recorded;
mod standard;
mod start;
pub mod targets;
pub mod usage;

/// What others than its owner are told of why an endpoint failed.
const UNTOLD: &str = "its owner can see why";

pub(crate) use start::grow;
pub use start::{check_servable, keep_awake, start};

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
    pub targets: Vec<api::Target>,
    pub options: api::EndpointOptions,
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
    if let Some(percent) = wanted.canary.filter(|percent| !(1..=99).contains(percent)) {
        return Err(Error::BadRequest(format!(
            "`{percent}` is no share of a canary: it takes 1 to 99 of 100"
        )));
    }
    let former =
        endpoints::by_repository(&app.store.db, repository.id).await.during("look up an endpoint")?;
    if let Some(former) = former.filter(is_down) {
        // Nothing answers that would have to do so until the new one is ready.
        targets::clear(app, &former).await?;
    }
    let new = NewEndpoint {
        repository_id: repository.id,
        revision_id: revision.id,
        percent: wanted.canary.map_or(targets::WHOLE, i64::from),
        state: EndpointState::Pending.as_str(),
        now_ms: clock::now_ms(),
    };
    let row = endpoints::put(&app.store.db, &new).await.during("store an endpoint")?;
    app.known_endpoints.forget(&row.full_name());
    jobs::enqueue(app, &jobs::start_endpoint::task(repository.id)).await?;
    describe(app, actor, row).await
}

/// Whether an endpoint answers nobody.
fn is_down(row: &Endpoint) -> bool {
    row.is_stopped
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
    let ids: Vec<_> = page.items.iter().map(|row| row.id).collect();
    let mut stored = rows::of_each(&app.store.db, &ids).await.during("list targets")?;
    let mut items = Vec::with_capacity(page.items.len());
    for row in page.items {
        let own = stored.remove(&row.id).unwrap_or_default();
        items.push(describe_with(app, actor, row, &own).await?);
    }
    Ok(api::Page { items, next: page.next })
}

/// Stops an endpoint; requests under way come to their end.
pub async fn stop(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Described, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Write).await?;
    let found = endpoints::by_repository(&app.store.db, repository.id).await.during("look up an endpoint")?;
    let row = found.ok_or_else(|| Error::EndpointNotFound(name.to_string()))?;
    let new = NewState { state: EndpointState::Stopped.as_str(), reason: "", now_ms: clock::now_ms() };
    if endpoints::stop(&app.store.db, repository.id, &new).await.during("stop an endpoint")? {
        webhooks::tell(app, repository.id, &News::Endpoint(EndpointState::Stopped.as_str())).await;
    }
    app.known_endpoints.forget(&row.full_name());
    app.gateway.close_all_of(repository.id);
    get(app, actor, name).await
}

/// An endpoint with the state it has at this moment in this process.
pub async fn describe(app: &App, actor: &Actor, row: Endpoint) -> Result<Described, Error> {
    let stored = rows::list(&app.store.db, row.id).await.during("list targets")?;
    describe_with(app, actor, row, &stored).await
}

/// The same of an endpoint whose targets are known.
async fn describe_with(
    app: &App,
    actor: &Actor,
    row: Endpoint,
    stored: &[rows::Target],
) -> Result<Described, Error> {
    let slot = app.gateway.slot(Key { repository: row.repository_id, revision: row.revision_id });
    let live = slot.live();
    let written = EndpointState::from_name(&row.state).unwrap_or(EndpointState::Pending);
    let state = match written {
        // What is on its way is told even while the revision before still answers.
        EndpointState::Stopped | EndpointState::Pending => written,
        EndpointState::Building | EndpointState::Starting => written,
        EndpointState::Failed if !slot.is_starting() => written,
        _ => state_of(&slot),
    };
    let reason = match state {
        EndpointState::Ready => String::new(),
        EndpointState::Crashed => slot.rest().map(|rest| rest.reason()).unwrap_or_default(),
        EndpointState::Failed if !may_know_why(app, actor, &row).await? => UNTOLD.to_owned(),
        _ => row.reason.clone(),
    };
    let stability = live.as_ref().map(|live| live.hello().stability);
    let weights = live.map(|live| format!("sha256:{}", live.target.weights));
    let options = options::told(&options::limits(app, &row.options));
    let told = match row.is_stopped {
        true => Vec::new(),
        false => targets::traffic_of(app, &row, stored).targets.iter().map(tell_target).collect(),
    };
    let (repository, targets) = (row.full_name(), told);
    Ok(Described { repository, row, state, reason, weights, stability, targets, options })
}

fn tell_target(target: &targets::KnownTarget) -> api::Target {
    api::Target {
        revision: target.oid.to_string(),
        percent: u8::try_from(target.percent).unwrap_or(u8::MAX),
        state: state_of(&target.slot),
        replicas: target.slot.n_replicas(),
    }
}

/// How a revision stands in this process.
fn state_of(slot: &Slot) -> EndpointState {
    match () {
        () if slot.live().is_some() => EndpointState::Ready,
        () if slot.is_starting() => EndpointState::Starting,
        () if slot.rest().is_some() => EndpointState::Crashed,
        () => EndpointState::Idle,
    }
}

/// A failed start quotes the runtime's log, and that is for those who may read it.
async fn may_know_why(app: &App, actor: &Actor, row: &Endpoint) -> Result<bool, Error> {
    let (id, owner, is_private) = (row.repository_id, row.owner_id, row.is_private);
    let granted = access::granted(app, actor, id, owner).await?;
    let subject = Subject { name: &row.repository_name, id, owner, is_private, granted };
    Ok(access::check(actor, Action::Write, &subject).is_ok())
}

/// Writes down that a revision went to sleep, if that is how its endpoint stands.
pub(crate) async fn note_slept(app: &App, key: Key) -> Result<(), Error> {
    let new = NewState {
        state: EndpointState::Idle.as_str(),
        reason: "nobody asked for a while; the next request wakes it",
        now_ms: clock::now_ms(),
    };
    let noted = endpoints::set_idle(&app.store.db, (key.repository, key.revision), &new).await;
    noted.during("store an endpoint's state")
}

/// Writes down what became of a deploy, unless its owner stopped it or deployed something else since.
async fn set_state(app: &App, of: &Endpoint, state: EndpointState, reason: &str) -> Result<(), Error> {
    let new = NewState { state: state.as_str(), reason, now_ms: clock::now_ms() };
    let noted = endpoints::set_state(&app.store.db, (of.repository_id, of.revision_id), &new).await;
    if noted.during("store an endpoint's state")? {
        webhooks::tell(app, of.repository_id, &News::Endpoint(state.as_str())).await;
    }
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
