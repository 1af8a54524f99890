//! From an app's row to a process that answers.
//!
//! Invariant: a start either ends with an app on its stage, or says in the row why not.

use std::sync::Arc;

use spec::api::EndpointState;
use spec::app::AppFacts;
use spec::handler::Wanted;
use store::db::apps::{self as rows, App as Row};
use store::db::ids::RepositoryId;
use store::db::revisions::{self, Revision};

use super::{App, During, Error, check, environments, facts, full_name, set_state};
use crate::gateway::apps::{Closed, Live, Stage, Visit};
use crate::ops::environments::Standing;
use crate::provider::app::{self as provider, Order};

/// Why an app is not there yet.
const BUILDING: &str = "its Python packages are being installed; this happens once for each set of packages";
const FULL: &str = "as many apps are in use as this server runs at a time";
const BUSY: &str = "as many people use it as it takes at a time";

/// Starts what the row says, in the place of what runs. The job's own.
pub async fn run_job(app: &Arc<App>, repository: RepositoryId) -> Result<(), Error> {
    // It may have been stopped or deleted while its job waited.
    let Some(row) = row_of(app, repository).await?.filter(|row| !row.is_stopped) else { return Ok(()) };
    match prepare(app, &row).await {
        Ok(Some(_)) => {}
        Ok(None) => return set_state(app, repository, EndpointState::Building, BUILDING).await,
        Err(error @ (Error::BadEnvironment(_) | Error::NoApp { .. } | Error::AppDown { .. })) => {
            return set_state(app, repository, EndpointState::Failed, &reason(&error)).await;
        }
        Err(error) => return Err(error),
    }
    set_state(app, repository, EndpointState::Starting, "").await?;
    let stage = app.gateway.apps.stage(repository);
    stage.close();
    let started = wake(app, &row, &stage).await.map(drop);
    settle(app, &row, &stage, started.err()).await
}

/// The app on its stage, woken where it sleeps because somebody visits it.
pub(super) async fn visit(app: &Arc<App>, row: &Row) -> Result<Visit, Error> {
    let repository = full_name(row);
    let down = |state, reason: &str| Error::AppDown { repository, state, reason: reason.to_owned() };
    if row.is_stopped {
        return Err(down("stopped", "who may write the model stopped it"));
    }
    match EndpointState::from_name(&row.state) {
        Some(EndpointState::Failed) => return Err(down("failed", super::UNTOLD)),
        Some(EndpointState::Building) => return Err(down("building", BUILDING)),
        Some(EndpointState::Pending) => return Err(down("pending", "it is about to start")),
        _ => {}
    }
    let stage = app.gateway.apps.stage(row.repository_id);
    match wake(app, row, &stage).await {
        Err(Closed::Start(error)) => {
            settle(app, row, &stage, Some(Closed::Start(error))).await?;
            Err(down("failed", super::UNTOLD))
        }
        Err(closed) => Err(told(&full_name(row), closed)),
        Ok(visit) => Ok(visit),
    }
}

/// What building the environment of an app wrote.
pub(super) async fn build_log(app: &App, row: &Row) -> Result<Vec<String>, Error> {
    match wanted(app, row).await {
        Ok((_, _, wanted)) => environments::log(app, &wanted).await,
        Err(Error::BadEnvironment(_) | Error::NoApp { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

async fn wake(app: &Arc<App>, row: &Row, stage: &Stage) -> Result<Visit, Closed<Error>> {
    app.gateway.apps.visit(stage, || run(app, row, stage)).await
}

async fn run(app: &Arc<App>, row: &Row, stage: &Stage) -> Result<Live, Error> {
    let Some(order) = prepare(app, row).await? else {
        let (repository, reason) = (full_name(row), BUILDING.to_owned());
        return Err(Error::AppDown { repository, state: "building", reason });
    };
    let (log, app_of_task) = (stage.log.clone(), Arc::clone(app));
    // Processes belong to the background threads, which outlive every request and reactor.
    let started = app
        .background
        .spawn(async move { provider::start(&app_of_task.gateway.launcher, &order, &log).await });
    let process = started.await.map_err(|_| Error::Internal("start an app"))?;
    let process = process.map_err(|error| {
        let (repository, reason) = (full_name(row), error.to_string());
        Error::AppDown { repository, state: "failed", reason }
    })?;
    Ok(Live::new(row.revision_id, process))
}

/// All that the app needs to run; none while its environment is built, which this asks for.
async fn prepare(app: &App, row: &Row) -> Result<Option<Order>, Error> {
    let (facts, revision, wanted) = wanted(app, row).await?;
    let environment = match environments::standing(app, &wanted).await? {
        Standing::Ready(folder) => folder,
        // One that could not be built is only tried again when somebody starts the app again.
        Standing::Failed(reason) if row.state != EndpointState::Pending.as_str() => {
            return Err(Error::BadEnvironment(reason));
        }
        Standing::Failed(_) | Standing::Absent => {
            environments::ask(app, &wanted).await?;
            return Ok(None);
        }
    };
    let mut files = Vec::new();
    for entry in facts::all_files(app, &revision).await? {
        if let Some(sha256) = entry.sha256 {
            files.push((entry.path.parse()?, sha256));
        }
    }
    let checkout = app.store.contents.check_out(&files).await.during("put an app's files in place")?;
    let settings = &app.settings;
    Ok(Some(Order {
        sdk: facts.sdk,
        checkout: Arc::new(checkout),
        file: facts.file.to_string(),
        environment,
        n_threads: settings.runtime_threads,
        memory_bytes: settings.app_memory.0,
        scratch_bytes: settings.app_scratch.0,
        processor_time: settings.app_processor_time.0,
        allow_unsandboxed: settings.unsandboxed == "allow",
        load_timeout: settings.load_timeout.0,
    }))
}

async fn wanted(app: &App, row: &Row) -> Result<(AppFacts, Revision, Wanted), Error> {
    let facts = check(&full_name(row), &facts::ensure(app, row.revision_id).await?)?;
    let revision = revisions::by_id(&app.store.db, row.revision_id).await.during("look up a revision")?;
    let revision = revision.ok_or(Error::Internal("find the revision of an app"))?;
    let wanted = environments::wanted_by_app(app, &revision, &facts).await?;
    Ok((facts, revision, wanted))
}

pub(super) async fn row_of(app: &App, repository: RepositoryId) -> Result<Option<Row>, Error> {
    rows::by_repository(&app.store.db, repository).await.during("look up an app")
}

/// Writes down how a start ended, unless something else was asked for meanwhile.
async fn settle(app: &App, row: &Row, stage: &Stage, closed: Option<Closed<Error>>) -> Result<(), Error> {
    let now = row_of(app, row.repository_id).await?;
    let Some(now) = now.filter(|now| !now.is_stopped) else {
        // It was stopped or deleted while it started; that word is the last.
        stage.close();
        return Ok(());
    };
    if now.revision_id != row.revision_id {
        return Ok(());
    }
    match closed.map(|closed| told(&full_name(row), closed)) {
        None => set_state(app, row.repository_id, EndpointState::Ready, "").await,
        Some(Error::AppDown { state: "building", reason, .. }) => {
            set_state(app, row.repository_id, EndpointState::Building, &reason).await
        }
        // It can run, and will when there is room.
        Some(Error::AppDown { state: "waiting", .. }) => {
            set_state(app, row.repository_id, EndpointState::Idle, "").await
        }
        Some(error) => {
            let reason = reason(&error);
            tracing::warn!(repository = full_name(row), "an app did not start: {reason}");
            set_state(app, row.repository_id, EndpointState::Failed, &reason).await
        }
    }
}

fn told(repository: &str, closed: Closed<Error>) -> Error {
    let down = |state, reason: String| Error::AppDown { repository: repository.to_owned(), state, reason };
    match closed {
        Closed::Full => down("waiting", FULL.to_owned()),
        Closed::Busy => down("busy", BUSY.to_owned()),
        Closed::Resting(rest) => down("crashed", rest.reason()),
        Closed::Start(error) => error,
    }
}

/// Why an app failed, for its row, which names the app itself.
fn reason(failure: &Error) -> String {
    match failure {
        Error::AppDown { reason, .. } | Error::NoApp { reason, .. } => reason.clone(),
        other => other.detail(),
    }
}
