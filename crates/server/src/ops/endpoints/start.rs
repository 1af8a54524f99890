//! From an endpoint's row to a runtime that answers.
//!
//! Invariant: a start either ends with a runtime in its slot and the state `ready`, or leaves what was there
//! and says in the row why not.

use std::sync::Arc;

use spec::api::EndpointState;
use spec::facts::Facts;
use spec::schema::Schema;
use store::db::endpoints::{self, Endpoint};
use store::db::ids::{RepositoryId, RevisionId};
use store::db::revisions;

use super::{FullName, facts, files, set_state};
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::{Key, Live, Slot, Target, slot};
use crate::provider::{self, Order, StartError};

/// Starts what the row says, and puts it in the place of what runs.
pub async fn start(app: &Arc<App>, repository: RepositoryId) -> Result<(), Error> {
    let row = endpoints::by_repository(&app.store.db, repository).await.during("look up an endpoint")?;
    // It may have been stopped or deleted while its job waited.
    let Some(row) = row.filter(|row| !row.is_stopped) else { return Ok(()) };
    set_state(app, repository, EndpointState::Starting, "").await?;
    let served = Served::of(app, &row);
    let started = served.slot.swap(|| run(app, &served)).await;
    settle(app, &row, started.map(|_| ()).as_ref().err()).await
}

/// The runtime of an endpoint that is idle, started now because somebody asks.
pub(super) async fn wake(app: &Arc<App>, repository: RepositoryId) -> Result<Arc<Live>, Error> {
    let found = endpoints::by_repository(&app.store.db, repository).await.during("look up an endpoint")?;
    let row = found.ok_or_else(|| Error::EndpointNotFound(repository.to_string()))?;
    if row.is_stopped {
        return Err(stopped(&row.full_name()));
    }
    let served = Served::of(app, &row);
    let mut has_started = false;
    let live = served
        .slot
        .wake(|| {
            has_started = true;
            app.gateway.metrics.cold_start();
            run(app, &served)
        })
        .await;
    if has_started {
        settle(app, &row, live.as_ref().err()).await?;
    }
    live
}

/// A runtime for one revision, whatever its repository's endpoint serves: that one's if it serves just this.
pub(super) async fn wake_pinned(app: &Arc<App>, pinned: &Pinned) -> Result<Arc<Live>, Error> {
    let key = Key::Pinned(pinned.repository, pinned.revision);
    let served =
        Served { name: pinned.name.clone(), revision: pinned.revision, slot: app.gateway.slot_of(key) };
    let start = || {
        app.gateway.metrics.cold_start();
        run(app, &served)
    };
    served.slot.wake(start).await
}

/// One revision of a repository, for good.
#[derive(Debug, Clone)]
pub struct Pinned {
    pub repository: RepositoryId,
    pub revision: RevisionId,
    /// What errors call it.
    pub name: String,
}

/// What is to be started, and where it is put.
struct Served {
    /// What errors call it.
    name: String,
    revision: RevisionId,
    slot: Arc<Slot>,
}

impl Served {
    fn of(app: &App, row: &Endpoint) -> Self {
        let slot = app.gateway.slot(row.repository_id);
        Self { name: row.full_name(), revision: row.revision_id, slot }
    }
}

/// What a request to a stopped endpoint is told.
pub(super) fn stopped(repository: &str) -> Error {
    let reason = "its owner stopped it".to_owned();
    Error::EndpointDown { repository: repository.to_owned(), state: "stopped", reason }
}

/// Whether there is something to serve, in words for the model's owner.
pub fn check_servable(repository: &str, facts: &Facts) -> Result<(), Error> {
    let refuse = |reason: String| Err(Error::NotServable { repository: repository.to_owned(), reason });
    let Some(model) = &facts.model else {
        return refuse("it has no ONNX file; other formats are shown but not served".to_owned());
    };
    if let Some(error) = facts.file(model).and_then(|file| file.error.as_ref()) {
        return refuse(format!("`{model}` could not be read: {error}"));
    }
    Ok(())
}

async fn settle(app: &App, row: &Endpoint, failure: Option<&Error>) -> Result<(), Error> {
    let now =
        endpoints::by_repository(&app.store.db, row.repository_id).await.during("look up an endpoint")?;
    if now.is_none_or(|row| row.is_stopped) {
        // It was stopped or deleted while it started; that word is the last.
        app.gateway.slot(row.repository_id).close();
        return Ok(());
    }
    match failure {
        None => set_state(app, row.repository_id, EndpointState::Ready, "").await,
        Some(failure) => {
            let reason = reason(failure);
            tracing::warn!(repository = row.full_name(), "endpoint did not start: {reason}");
            set_state(app, row.repository_id, EndpointState::Failed, &reason).await
        }
    }
}

async fn run(app: &Arc<App>, served: &Served) -> Result<Arc<Live>, Error> {
    let target = target(app, served).await?;
    let settings = &app.settings;
    let order = Order {
        files: target.files.clone(),
        n_threads: settings.runtime_threads,
        memory_bytes: settings.runtime_memory.0,
        onnxruntime: (!settings.onnxruntime.as_os_str().is_empty()).then(|| settings.onnxruntime.clone()),
        allow_unsandboxed: settings.unsandboxed == "allow",
        load_timeout: settings.load_timeout.0,
    };
    let log = served.slot.log.clone();
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
    let revision = revisions::by_id(&app.store.db, served.revision).await.during("look up a revision")?;
    let revision = revision.ok_or(Error::Internal("find the revision of an endpoint"))?;
    let (weights, files) = files::check_out(app, &revision, &facts).await?;
    let schema: Schema = facts.schema.unwrap_or_default();
    Ok(Target { repository, revision: revision.oid, weights, files, schema })
}
