//! Work in the background: claimed from the database, done under a lease, tried again when it fails.
//!
//! Knows what kinds of jobs there are; each kind's file knows what to do. Invariant: a job is done by at most
//! one worker at a time, and a worker that dies gives its jobs back when their leases run out.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use store::clock;
use store::db::jobs::{self, Claim, Failure, Job, NewJob, Retry};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::{Code, During, Error};
use crate::secrets;

pub mod build_environment;
pub mod deliver_webhook;
pub mod follow_up;
pub mod inspect;
pub mod start_app;
pub mod start_endpoint;
pub mod upkeep;

/// How long a worker may be silent before its job is another's.
const LEASE_MS: i64 = 30_000;
/// How often a worker says that it is still at it.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// How often a worker looks for jobs that other processes added.
const LOOK_AROUND: Duration = Duration::from_secs(1);
/// How often one job is tried.
const MAX_ATTEMPTS: i64 = 5;
/// Short jobs that one server does at a time.
const WORKERS: usize = 2;

/// Kinds of jobs that are done in a moment.
const SHORT: &[&str] = &[follow_up::KIND, inspect::KIND, start_endpoint::KIND, start_app::KIND];
/// Kinds that take minutes, for which one worker is kept, so that they hold up none of the others.
const LONG: &[&str] = &[build_environment::KIND];
/// Kinds that wait for others' servers, for which some workers are kept, so that a slow one holds up only these.
const OUTBOUND: &[&str] = &[deliver_webhook::KIND];

/// Starts this server's workers; they stop when told, after the job at hand.
pub fn work(app: &Arc<App>, stop: &CancellationToken) -> Result<Vec<tokio::task::JoinHandle<()>>, Error> {
    let mut workers = vec![tokio::spawn(upkeep::run(Arc::clone(app), stop.clone()))];
    let kinds = std::iter::repeat_n(SHORT, WORKERS).chain([LONG]);
    for kinds in kinds.chain(std::iter::repeat_n(OUTBOUND, WORKERS)) {
        let name = secrets::generate("worker-")?.expose().to_owned();
        workers.push(tokio::spawn(run(Arc::clone(app), (name, kinds), stop.clone())));
    }
    Ok(workers)
}

/// A job about one thing, of which one at a time waits in the queue.
#[derive(Debug)]
pub struct Task {
    kind: &'static str,
    /// The id of what it is about, which is all that a worker is told.
    about: String,
}

impl Task {
    fn new(kind: &'static str, about: impl std::fmt::Display) -> Self {
        Self { kind, about: about.to_string() }
    }

    /// For those who queue it in a transaction of their own; they say so by [`App::job_added`].
    pub fn due(&self, now_ms: i64) -> NewJob<'_> {
        NewJob {
            kind: self.kind,
            dedup_key: Some(&self.about),
            payload: &self.about,
            priority: 0,
            run_at_ms: now_ms,
            max_attempts: MAX_ATTEMPTS,
            created_ms: now_ms,
        }
    }
}

/// Puts a job into the queue, unless the same waits there.
pub async fn enqueue(app: &App, task: &Task) -> Result<(), Error> {
    jobs::enqueue(&app.store.db, &task.due(clock::now_ms())).await.during("queue a job")?;
    bell(app, task.kind).notify_one();
    Ok(())
}

/// What the workers of a kind wait for.
fn bell<'a>(app: &'a App, kind: &str) -> &'a Notify {
    match kind {
        kind if LONG.contains(&kind) => &app.long_job_added,
        kind if OUTBOUND.contains(&kind) => &app.delivery_added,
        _ => &app.job_added,
    }
}

/// The id that a job of ours is about.
fn read_id<T: FromStr>(payload: &str) -> Result<T, Error> {
    payload.parse().map_err(|_| Error::Internal("read a job's payload"))
}

async fn run(app: Arc<App>, (worker, kinds): (String, &'static [&'static str]), stop: CancellationToken) {
    let bell = bell(&app, kinds.first().copied().unwrap_or_default());
    while !stop.is_cancelled() {
        let claim = Claim { kinds, worker: &worker, lease_ms: LEASE_MS, now_ms: clock::now_ms() };
        match jobs::claim(&app.store.db, &claim).await {
            Ok(Some(job)) => {
                // Where one job was, more may be.
                bell.notify_one();
                attend(&app, &worker, &job).await;
                continue;
            }
            Ok(None) => {}
            Err(error) => tracing::error!("could not look for jobs: {error}"),
        }
        tokio::select! {
            () = bell.notified() => {}
            () = tokio::time::sleep(LOOK_AROUND) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// Does a job while keeping its lease, and writes down how it ended.
async fn attend(app: &Arc<App>, worker: &str, job: &Job) {
    let outcome = tokio::select! {
        outcome = apart(app, job) => outcome,
        () = keep_lease(app, worker, job) => return,
    };
    let now_ms = clock::now_ms();
    let noted = match &outcome {
        Ok(()) => jobs::complete(&app.store.db, job.id, worker, now_ms).await,
        Err(error) => {
            let reason = error.to_string();
            tracing::warn!(job = job.id.0, kind = job.kind, "job failed: {reason}");
            let retry = retry(error, job.n_attempts, now_ms);
            let failure = Failure { job: job.id, worker, reason: &reason, retry, now_ms };
            jobs::fail(&app.store.db, &failure).await.map(|_| ())
        }
    };
    if let Err(error) = noted {
        tracing::error!(job = job.id.0, "could not note how a job ended: {error}");
    }
}

/// In a task of its own, so that a panic ends the job and not the worker.
async fn apart(app: &Arc<App>, job: &Job) -> Result<(), Error> {
    let (app, kind, payload) = (Arc::clone(app), job.kind.clone(), job.payload.clone());
    let done = tokio::spawn(async move {
        match kind.as_str() {
            build_environment::KIND => build_environment::run(&app, &payload).await,
            deliver_webhook::KIND => deliver_webhook::run(&app, &payload).await,
            follow_up::KIND => follow_up::run(&app, &payload).await,
            inspect::KIND => inspect::run(&app, &payload).await,
            start_app::KIND => start_app::run(&app, &payload).await,
            start_endpoint::KIND => start_endpoint::run(&app, &payload).await,
            _ => Err(Error::Internal("do a job of an unknown kind")),
        }
    });
    done.await.map_err(|_| Error::Internal("do a job: it panicked"))?
}

/// Ends only when the lease is lost.
async fn keep_lease(app: &App, worker: &str, job: &Job) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        let until_ms = clock::now_ms().saturating_add(LEASE_MS);
        if let Err(store::Error::LeaseLost { .. }) =
            jobs::heartbeat(&app.store.db, job.id, worker, until_ms).await
        {
            tracing::warn!(job = job.id.0, "lost the lease of a job");
            return;
        }
    }
}

/// What failed inside may work next time, a little later each time; what the input is to blame for will not.
fn retry(error: &Error, n_attempts: i64, now_ms: i64) -> Retry {
    match error.code() {
        Code::Internal | Code::StorageFull => {
            let wait_ms = 1000_i64 << n_attempts.clamp(0, 10);
            Retry::At(now_ms.saturating_add(wait_ms))
        }
        _ => Retry::Never,
    }
}
