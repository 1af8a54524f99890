//! From an endpoint's row to a runtime that answers.
//!
//! Invariant: a start either ends with a runtime in its slot and the state `ready`, or leaves what was there
//! and says in the row why not.

use std::sync::Arc;

use spec::api::EndpointState;
use spec::facts::Facts;
use spec::schema::Schema;
use store::db::endpoints::{self, Endpoint};
use store::db::ids::RepositoryId;
use store::db::revisions;

use super::{FullName, facts, files, set_state};
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::{Live, Target, slot};
use crate::provider::{self, Order, StartError};

/// Starts what the row says, and puts it in the place of what runs.
pub async fn start(app: &Arc<App>, repository: RepositoryId) -> Result<(), Error> {
    let row = endpoints::by_repository(&app.store.db, repository).await.during("look up an endpoint")?;
    // It may have been stopped or deleted while its job waited.
    let Some(row) = row.filter(|row| !row.is_stopped) else { return Ok(()) };
    set_state(app, repository, EndpointState::Starting, "").await?;
    let slot = app.gateway.slot(repository);
    let started = slot.swap(|| run(app, &row)).await;
    settle(app, &row, started.map(|_| ()).as_ref().err()).await
}

/// The runtime of an endpoint that is idle, started now because somebody asks.
pub(super) async fn wake(app: &Arc<App>, repository: RepositoryId) -> Result<Arc<Live>, Error> {
    let found = endpoints::by_repository(&app.store.db, repository).await.during("look up an endpoint")?;
    let row = found.ok_or_else(|| Error::EndpointNotFound(repository.to_string()))?;
    if row.is_stopped {
        return Err(stopped(&row.full_name()));
    }
    let slot = app.gateway.slot(repository);
    let mut has_started = false;
    let live = slot
        .wake(|| {
            has_started = true;
            app.gateway.metrics.cold_start();
            run(app, &row)
        })
        .await;
    if has_started {
        settle(app, &row, live.as_ref().err()).await?;
    }
    live
}

/// What a request to a stopped endpoint is told.
pub(super) fn stopped(repository: &str) -> Error {
    let reason = "its owner stopped it".to_owned();
    Error::EndpointDown { repository: repository.to_owned(), state: "stopped", reason }
}

/// Whether there is something to serve, in words for the model's owner.
pub(super) fn check_servable(repository: &str, facts: &Facts) -> Result<(), Error> {
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

async fn run(app: &Arc<App>, row: &Endpoint) -> Result<Arc<Live>, Error> {
    let target = target(app, row).await?;
    let settings = &app.settings;
    let order = Order {
        files: target.files.clone(),
        n_threads: settings.runtime_threads,
        memory_bytes: settings.runtime_memory.0,
        onnxruntime: (!settings.onnxruntime.as_os_str().is_empty()).then(|| settings.onnxruntime.clone()),
        allow_unsandboxed: settings.unsandboxed == "allow",
        load_timeout: settings.load_timeout.0,
    };
    let log = app.gateway.slot(row.repository_id).log.clone();
    let app_of_task = Arc::clone(app);
    // Processes belong to the background threads, which outlive every request and reactor.
    let started = app
        .background
        .spawn(async move { provider::start(&app_of_task.gateway.launcher, &order, &log).await });
    let process = started.await.map_err(|_| Error::Internal("start a runtime"))?;
    let process = process.map_err(|error| down(row, error))?;
    Ok(Arc::new(Live::new(target, process, settings.n_reactors())))
}

fn down(row: &Endpoint, error: StartError) -> Error {
    let reason = match error {
        StartError::Spawn(source) => format!("the runtime could not be started: {source}"),
        other => other.to_string(),
    };
    slot::failed(&row.full_name(), &reason)
}

/// Why an endpoint failed, for its row, which names the endpoint itself.
fn reason(failure: &Error) -> String {
    match failure {
        Error::EndpointDown { reason, .. } => reason.clone(),
        other => other.detail(),
    }
}

async fn target(app: &App, row: &Endpoint) -> Result<Target, Error> {
    let facts = facts::ensure(app, row.revision_id).await?;
    let repository = row.full_name();
    check_servable(&repository, &facts)?;
    let revision = revisions::by_id(&app.store.db, row.revision_id).await.during("look up a revision")?;
    let revision = revision.ok_or(Error::Internal("find the revision of an endpoint"))?;
    let (weights, files) = files::check_out(app, &revision, &facts).await?;
    let schema: Schema = facts.schema.unwrap_or_default();
    Ok(Target { repository, revision: revision.oid, weights, files, schema })
}
