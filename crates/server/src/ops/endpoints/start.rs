//! From an endpoint's row to a runtime that answers.
//!
//! Invariant: a start either ends with a runtime in its slot and the state `ready`, or leaves what was there
//! and says in the row why not.

use std::collections::BTreeSet;
use std::sync::Arc;

use spec::api::EndpointState;
use spec::facts::Facts;
use spec::handler::Wanted;
use spec::schema::Schema;
use store::db::endpoints::{self, Endpoint};
use store::db::ids::{RepositoryId, RevisionId};
use store::db::revisions::{self, Revision};

use super::{FullName, facts, files, options, set_state, targets};
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::{Key, Live, Slot, Target, slot};
use crate::ops::environments::{self, Standing};
use crate::provider::{self, Handler, Order, StartError};

/// Endpoints that are kept awake at a time.
const KEPT_AWAKE: u32 = 1000;
/// Why an endpoint is not there yet.
const BUILDING: &str = "the Python environment is being built; this happens once for each set of packages";

/// Starts what the row says, and lets it take its share of the requests once it answers.
pub async fn start(app: &Arc<App>, repository: RepositoryId) -> Result<(), Error> {
    // It may have been stopped or deleted while its job waited.
    let Some(row) = row_of(app, repository).await?.filter(|row| !row.is_stopped) else { return Ok(()) };
    match needs(app, &row).await? {
        Needs::Met => {}
        Needs::Building => return Ok(()),
        Needs::Failed(reason) => return set_state(app, &row, EndpointState::Failed, &reason).await,
    }
    set_state(app, &row, EndpointState::Starting, "").await?;
    let served = Served::of(app, &Pinned::of(&row));
    served.slot.service.set_limits(options::limits(app, &row.options));
    let started = served.slot.swap(|| run(app, &served)).await;
    if started.is_ok() {
        match row_of(app, repository).await? {
            Some(now) if now.is_stopped => {}
            Some(now) if now.revision_id == row.revision_id => targets::take_over(app, &now).await?,
            // Something else was deployed meanwhile, and has a job of its own.
            _ => return Ok(()),
        }
    }
    settle(app, &row, started.map(|_| ()).as_ref().err()).await
}

/// A runtime for one revision, started now if there is none because somebody asks.
pub(super) async fn wake(app: &Arc<App>, pinned: &Pinned) -> Result<Arc<Live>, Error> {
    let row = row_of(app, pinned.repository).await?;
    let served = Served::of(app, pinned);
    if let Some(row) = &row {
        served.slot.service.set_limits(options::limits(app, &row.options));
    }
    // How the endpoint stands is how what was deployed last does; while a job starts that, the job says it.
    let own = row.filter(|row| row.revision_id == pinned.revision && !row.is_stopped);
    let needs = match &own {
        Some(row) => needs(app, row).await?,
        None => needs_of(app, pinned).await?,
    };
    match needs {
        Needs::Met => {}
        Needs::Building => return Err(building(&served.name)),
        Needs::Failed(reason) => return Err(slot::failed(&served.name, &reason)),
    }
    let mut has_started = false;
    let start = || {
        has_started = true;
        app.gateway.metrics.cold_start();
        served.slot.service.usage.cold_start();
        run(app, &served)
    };
    let live = served.slot.wake(&served.name, start).await;
    if let Some(row) = own.filter(|row| has_started && is_settled(row)) {
        settle(app, &row, live.as_ref().err()).await?;
    }
    live
}

/// One more runtime of a revision beside those that run.
pub(crate) async fn grow(app: &Arc<App>, slot: &Arc<Slot>, n_wanted: usize) -> Result<(), Error> {
    let Some(row) = row_of(app, slot.key.repository).await? else { return Ok(()) };
    let served = Served { name: row.full_name(), revision: slot.key.revision, slot: Arc::clone(slot) };
    slot.grow(n_wanted, || run(app, &served)).await
}

/// Wakes what is to be kept awake, and says which slots those are.
pub async fn keep_awake(app: &Arc<App>) -> Result<(), Error> {
    let rows = endpoints::kept_awake(&app.store.db, KEPT_AWAKE).await.during("find what to keep awake")?;
    let mut kept = BTreeSet::new();
    for row in rows {
        app.gateway.service(row.repository_id).set_limits(options::limits(app, &row.options));
        for target in targets::traffic(app, &row).await?.targets {
            kept.insert(target.slot.key);
            let own = target.slot.key.revision == row.revision_id;
            let may_start = !own || matches!(row.state.as_str(), "idle" | "ready");
            if may_start && target.slot.live().is_none() && !target.slot.is_starting() {
                let pinned = Pinned { revision: target.slot.key.revision, ..Pinned::of(&row) };
                let app_of_task = Arc::clone(app);
                // Why it does not start stands in its row.
                app.background.spawn(async move { wake(&app_of_task, &pinned).await.map(|_| ()) });
            }
        }
    }
    app.gateway.slots().iter().for_each(|slot| slot.set_kept(kept.contains(&slot.key)));
    Ok(())
}

/// Whether no job is about to say how the endpoint stands.
fn is_settled(row: &Endpoint) -> bool {
    EndpointState::from_name(&row.state).is_some_and(EndpointState::is_settled)
}

async fn row_of(app: &App, repository: RepositoryId) -> Result<Option<Endpoint>, Error> {
    endpoints::by_repository(&app.store.db, repository).await.during("look up an endpoint")
}

/// One revision of a repository, for good.
#[derive(Debug, Clone)]
pub struct Pinned {
    pub repository: RepositoryId,
    pub revision: RevisionId,
    /// `owner/name`
    pub name: String,
}

impl Pinned {
    /// What was deployed last.
    pub(super) fn of(row: &Endpoint) -> Self {
        Self { repository: row.repository_id, revision: row.revision_id, name: row.full_name() }
    }
}

/// What is to be started, and where it is put.
struct Served {
    /// `owner/name`
    name: String,
    revision: RevisionId,
    slot: Arc<Slot>,
}

impl Served {
    fn of(app: &App, pinned: &Pinned) -> Self {
        let key = Key { repository: pinned.repository, revision: pinned.revision };
        Self { name: pinned.name.clone(), revision: pinned.revision, slot: app.gateway.slot(key) }
    }
}

/// What a request to a stopped endpoint is told.
pub(super) fn stopped(repository: &str) -> Error {
    let reason = "its owner stopped it".to_owned();
    Error::EndpointDown { repository: repository.to_owned(), state: "stopped", reason }
}

/// Whether an endpoint has what it needs besides its files.
enum Needs {
    Met,
    /// They are being met; the endpoint is started again when they are.
    Building,
    Failed(String),
}

/// Looks for the environment of an endpoint's model, and asks for it where it is not there. One that could not be
/// built is only tried again after a deploy: whoever merely asks for an answer cannot have it tried.
async fn needs(app: &App, row: &Endpoint) -> Result<Needs, Error> {
    let wanted = match environment(app, &row.full_name(), row.revision_id).await {
        Ok(None | Some((_, Standing::Ready(_)))) => return Ok(Needs::Met),
        Ok(Some((_, Standing::Failed(reason)))) if row.state != EndpointState::Pending.as_str() => {
            return Ok(Needs::Failed(reason));
        }
        Ok(Some((wanted, _))) => wanted,
        Err(error @ (Error::BadEnvironment(_) | Error::NotServable { .. })) => {
            return Ok(Needs::Failed(error.to_string()));
        }
        Err(error) => return Err(error),
    };
    set_state(app, row, EndpointState::Building, BUILDING).await?;
    environments::ask(app, &wanted).await?;
    Ok(Needs::Building)
}

/// The same for a revision that is not what was deployed last.
async fn needs_of(app: &App, pinned: &Pinned) -> Result<Needs, Error> {
    match environment(app, &pinned.name, pinned.revision).await? {
        None | Some((_, Standing::Ready(_))) => Ok(Needs::Met),
        Some((_, Standing::Failed(reason))) => Ok(Needs::Failed(reason)),
        Some((wanted, _)) => {
            environments::ask(app, &wanted).await?;
            Ok(Needs::Building)
        }
    }
}

/// The environment of a revision's model, where that is Python.
async fn environment(app: &App, name: &str, of: RevisionId) -> Result<Option<(Wanted, Standing)>, Error> {
    let facts = facts::ensure(app, of).await?;
    let Some(python) = &facts.python else { return Ok(None) };
    check_servable(name, &facts)?;
    let wanted = environments::wanted(app, &revision(app, of).await?, python).await?;
    let standing = environments::standing(app, &wanted).await?;
    Ok(Some((wanted, standing)))
}

/// What building the environment of an endpoint's model wrote.
pub(super) async fn build_log(app: &App, row: &Endpoint) -> Result<Vec<String>, Error> {
    match environment(app, &row.full_name(), row.revision_id).await {
        Ok(Some((wanted, _))) => environments::log(app, &wanted).await,
        Ok(None) | Err(Error::BadEnvironment(_) | Error::NotServable { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

async fn revision(app: &App, id: RevisionId) -> Result<Revision, Error> {
    let revision = revisions::by_id(&app.store.db, id).await.during("look up a revision")?;
    revision.ok_or(Error::Internal("find the revision of an endpoint"))
}

/// What a request is told while the environment of its model is built.
fn building(repository: &str) -> Error {
    let (repository, reason) = (repository.to_owned(), BUILDING.to_owned());
    Error::EndpointDown { repository, state: "building", reason }
}

/// Whether there is something to serve, in words for the model's owner.
pub fn check_servable(repository: &str, facts: &Facts) -> Result<(), Error> {
    let refuse = |reason: String| Err(Error::NotServable { repository: repository.to_owned(), reason });
    if facts.python.is_some() {
        let no_schema = || facts.problems.last().cloned().unwrap_or_else(|| "it has no schema".to_owned());
        return if facts.schema.is_some() { Ok(()) } else { refuse(no_schema()) };
    }
    if let Some(reason) = &facts.unserved {
        return refuse(reason.clone());
    }
    let Some(model) = &facts.model else {
        return refuse(
            "it has neither an ONNX file nor a `predict.py`; other files are shown but not served".to_owned(),
        );
    };
    if let Some(error) = facts.file(model).and_then(|file| file.error.as_ref()) {
        return refuse(format!("`{model}` could not be read: {error}"));
    }
    Ok(())
}

async fn settle(app: &App, row: &Endpoint, failure: Option<&Error>) -> Result<(), Error> {
    match failure {
        None => set_state(app, row, EndpointState::Ready, "").await?,
        Some(failure) => {
            let reason = reason(failure);
            tracing::warn!(repository = row.full_name(), "endpoint did not start: {reason}");
            set_state(app, row, EndpointState::Failed, &reason).await?;
        }
    }
    if row_of(app, row.repository_id).await?.is_none_or(|now| now.is_stopped) {
        // It was stopped or deleted while it started; that word is the last.
        app.gateway.close_all_of(row.repository_id);
    }
    Ok(())
}

async fn run(app: &Arc<App>, served: &Served) -> Result<Arc<Live>, Error> {
    let target = target(app, served).await?;
    let (settings, limits) = (&app.settings, served.slot.service.limits().clone());
    let order = Order {
        files: target.files.clone(),
        n_threads: settings.runtime_threads,
        n_workers: settings.python_workers.max(1),
        memory_bytes: limits.memory_bytes,
        gpu: settings.gpu.clone(),
        onnxruntime: (!settings.onnxruntime.as_os_str().is_empty()).then(|| settings.onnxruntime.clone()),
        allow_unsandboxed: settings.unsandboxed == "allow",
        load_timeout: limits.load_timeout,
        call_timeout: limits.request_timeout,
    };
    let log = served.slot.service.log.clone();
    let app_of_task = Arc::clone(app);
    // Processes belong to the background threads, which outlive every request and reactor.
    let started = app
        .background
        .spawn(async move { provider::start(&app_of_task.gateway.launcher, &order, &log).await });
    let process = started.await.map_err(|_| Error::Internal("start a runtime"))?;
    let process = process.map_err(|error| down(&served.name, error))?;
    Ok(Arc::new(Live::new(target, process, settings.n_reactors())))
}

fn down(name: &str, error: StartError) -> Error {
    let reason = match error {
        StartError::Spawn(source) => format!("the runtime could not be started: {source}"),
        other => other.to_string(),
    };
    slot::failed(name, &reason)
}

/// Why an endpoint failed, for its row, which names the endpoint itself.
fn reason(failure: &Error) -> String {
    match failure {
        Error::EndpointDown { reason, .. } => reason.clone(),
        other => other.detail(),
    }
}

async fn target(app: &App, served: &Served) -> Result<Target, Error> {
    let facts = facts::ensure(app, served.revision).await?;
    let repository = served.name.clone();
    check_servable(&repository, &facts)?;
    let revision = revision(app, served.revision).await?;
    let schema: Schema = facts.schema.clone().unwrap_or_default();
    let mut digest = None;
    let (weights, files) = match &facts.python {
        None => files::check_out(app, &revision, &facts).await?,
        Some(python) => {
            let Some((_, Standing::Ready(folder))) = environment(app, &repository, served.revision).await?
            else {
                return Err(building(&repository));
            };
            digest = folder.file_name().map(|name| name.to_string_lossy().into_owned());
            let (object, takes) = (python.handler.object.clone(), python.takes);
            let (offers, schema) = (python.offers, schema.clone());
            let handler = Handler { object, takes, offers, schema, environment: folder };
            files::check_out_handler(app, &revision, (&facts, handler)).await?
        }
    };
    Ok(Target { repository, revision: revision.oid, weights, files, schema, environment: digest })
}
