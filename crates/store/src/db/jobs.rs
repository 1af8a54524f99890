//! Jobs: work done in the background, by whichever worker claims it.
//!
//! Refuses to know what a job does. Invariants: one worker at a time holds a job, by a lease it must renew; a
//! job whose worker went silent is tried again, and every failed attempt keeps its reason.

use super::ids::JobId;
use super::words::words;
use super::{Db, Page, Tx, id_cursor, page, page_limit, query};
use crate::Error;

words!(
    /// Where a job is in its life.
    JobState, "state of a job", { Queued = "queued", Running = "running", Done = "done", Failed = "failed" }
);

/// A job as it stands.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Job {
    pub id: JobId,
    pub kind: String,
    /// JSON that the job's kind understands.
    pub payload: String,
    #[sqlx(try_from = "String")]
    pub state: JobState,
    /// Higher comes first.
    pub priority: i64,
    pub run_at_ms: i64,
    /// Attempts begun.
    pub n_attempts: i64,
    pub max_attempts: i64,
    pub worker: Option<String>,
    pub lease_until_ms: Option<i64>,
    /// Why the last attempt failed.
    pub error: Option<String>,
    pub created_ms: i64,
    pub finished_ms: Option<i64>,
}

/// One failed attempt.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Attempt {
    pub attempt: i64,
    pub worker: String,
    pub error: String,
    pub ended_ms: i64,
}

/// A job to be.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    pub kind: &'a str,
    /// A second job of this kind and key is not queued while the first still waits.
    pub dedup_key: Option<&'a str>,
    pub payload: &'a str,
    pub priority: i64,
    pub run_at_ms: i64,
    pub max_attempts: i64,
    pub created_ms: i64,
}

/// Who claims, and what.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    pub kinds: &'a [&'a str],
    /// Unique among all workers of all servers.
    pub worker: &'a str,
    pub lease_ms: i64,
    pub now_ms: i64,
}

/// What becomes of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Tried again at this time, unless its attempts are used up.
    At(i64),
    /// Trying again would fail again.
    Never,
}

/// Which jobs a list shows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter<'a> {
    pub kind: Option<&'a str>,
    pub state: Option<JobState>,
}

const COLUMNS: &str = "id, kind, payload, state, priority, run_at_ms, n_attempts, max_attempts, worker,
    lease_until_ms, error, created_ms, finished_ms";

const LEASE_EXPIRED: &str = "lease expired: its worker was not heard of any more";

/// Queues a job, or answers with the one that already waits under the same key.
pub async fn enqueue(db: &Db, new: &NewJob<'_>) -> Result<JobId, Error> {
    let mut tx = db.begin().await?;
    let id = enqueue_in(&mut tx, new).await?;
    tx.commit().await?;
    Ok(id)
}

/// [`enqueue`] as a part of a transaction.
pub(in crate::db) async fn enqueue_in(tx: &mut Tx, new: &NewJob<'_>) -> Result<JobId, Error> {
    // The update changes nothing but makes the statement answer with the row that was in the way.
    let sql =
        "INSERT INTO jobs (kind, dedup_key, payload, state, priority, run_at_ms, n_attempts, max_attempts,
            created_ms)
        VALUES ($1, $2, $3, 'queued', $4, $5, 0, $6, $7)
        ON CONFLICT (kind, dedup_key) WHERE state = 'queued' AND dedup_key IS NOT NULL
        DO UPDATE SET kind = excluded.kind
        RETURNING id";
    let row = query("queue a job", sql)
        .bind(new.kind)
        .bind(new.dedup_key)
        .bind(new.payload)
        .bind(new.priority)
        .bind(new.run_at_ms)
        .bind(new.max_attempts.max(1))
        .bind(new.created_ms)
        .one::<(JobId,)>(tx)
        .await?;
    Ok(row.0)
}

/// Leases the next job of these kinds that is due, if there is one.
pub async fn claim(db: &Db, claim: &Claim<'_>) -> Result<Option<Job>, Error> {
    expire_leases(db, claim.now_ms).await?;
    let n_kinds = claim.kinds.len();
    let due = format!(
        "SELECT id FROM jobs WHERE state = 'queued' AND run_at_ms <= $1 AND kind IN ({})
         ORDER BY priority DESC, run_at_ms, id LIMIT 1",
        placeholders(n_kinds, 2)
    );
    // Idle workers ask often; they must not queue for the write lock to learn that nothing is due.
    let look = query("look for a job", due.clone()).bind(claim.now_ms).bind_all(claim.kinds.iter().copied());
    if look.optional::<(JobId,)>(db).await?.is_none() {
        return Ok(None);
    }
    let sql = format!(
        "UPDATE jobs SET state = 'running', worker = ${}, lease_until_ms = ${}, n_attempts = n_attempts + 1
         WHERE id = ({due} {{skip_locked}}) RETURNING {COLUMNS}",
        n_kinds + 2,
        n_kinds + 3
    );
    query("claim a job", sql)
        .bind(claim.now_ms)
        .bind_all(claim.kinds.iter().copied())
        .bind(claim.worker)
        .bind(claim.now_ms.saturating_add(claim.lease_ms))
        .optional(db.writer())
        .await
}

/// Renews a lease to end at `lease_until_ms`. [`Error::LeaseLost`] if another may have the job by now.
pub async fn heartbeat(db: &Db, job: JobId, worker: &str, lease_until_ms: i64) -> Result<(), Error> {
    let sql = "UPDATE jobs SET lease_until_ms = $3 WHERE id = $1 AND worker = $2 AND state = 'running'";
    let renewed = query("renew a lease", sql).bind(job).bind(worker).bind(lease_until_ms);
    held(renewed.run(db.writer()).await?, job, worker)
}

/// Marks a job done. [`Error::LeaseLost`] if another may have the job by now.
pub async fn complete(db: &Db, job: JobId, worker: &str, now_ms: i64) -> Result<(), Error> {
    let sql = "UPDATE jobs SET state = 'done', finished_ms = $3, lease_until_ms = NULL, error = NULL
        WHERE id = $1 AND worker = $2 AND state = 'running'";
    let done = query("complete a job", sql).bind(job).bind(worker).bind(now_ms);
    held(done.run(db.writer()).await?, job, worker)
}

/// A failed attempt, as its worker reports it.
#[derive(Debug, Clone)]
pub struct Failure<'a> {
    pub job: JobId,
    pub worker: &'a str,
    pub reason: &'a str,
    pub retry: Retry,
    pub now_ms: i64,
}

/// Notes a failed attempt and answers what the job is now: queued again, or failed for good.
pub async fn fail(db: &Db, failure: &Failure<'_>) -> Result<JobState, Error> {
    let mut tx = db.begin().await?;
    let sql =
        format!("SELECT {COLUMNS} FROM jobs WHERE id = $1 AND worker = $2 AND state = 'running' {{lock}}");
    let job =
        query("find a job", sql).bind(failure.job).bind(failure.worker).optional::<Job>(&mut tx).await?;
    let Some(job) = job else {
        return Err(Error::LeaseLost { job: failure.job.0, worker: failure.worker.to_owned() });
    };
    let state = end_attempt(&mut tx, &job, failure.reason, (failure.retry, failure.now_ms)).await?;
    tx.commit().await?;
    Ok(state)
}

pub async fn get(db: &Db, job: JobId) -> Result<Option<Job>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = $1");
    query("find a job", sql).bind(job).optional(db).await
}

/// The failed attempts of a job, in their order.
pub async fn attempts(db: &Db, job: JobId) -> Result<Vec<Attempt>, Error> {
    let sql = "SELECT attempt, worker, error, ended_ms FROM job_attempts WHERE job_id = $1 ORDER BY attempt";
    query("read attempts", sql).bind(job).all(db).await
}

/// Jobs, newest first.
pub async fn list(db: &Db, filter: Filter<'_>, after: Option<&str>, limit: u32) -> Result<Page<Job>, Error> {
    let limit = page_limit(limit);
    let sql = format!(
        "SELECT {COLUMNS} FROM jobs
         WHERE id < $1 AND (CAST($2 AS TEXT) IS NULL OR kind = $2) AND (CAST($3 AS TEXT) IS NULL OR state = $3)
         ORDER BY id DESC LIMIT $4"
    );
    let list = query("list jobs", sql)
        .bind(id_cursor(after, i64::MAX)?)
        .bind(filter.kind)
        .bind(filter.state.map(JobState::as_str))
        .bind(limit + 1)
        .all::<Job>(db)
        .await?;
    Ok(page(list, limit, |job| job.id.to_string()))
}

/// Forgets jobs that were done or failed before then, and answers how many.
pub async fn delete_finished_before(db: &Db, before_ms: i64) -> Result<u64, Error> {
    query("forget jobs", "DELETE FROM jobs WHERE finished_ms < $1").bind(before_ms).run(db.writer()).await
}

/// Ends the attempts whose workers went silent; each counts as failed.
async fn expire_leases(db: &Db, now_ms: i64) -> Result<(), Error> {
    let expired =
        "SELECT id FROM jobs WHERE state = 'running' AND lease_until_ms <= $1 ORDER BY id LIMIT 100";
    if query("look for lost jobs", expired).bind(now_ms).all::<(JobId,)>(db).await?.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id IN ({expired}) {{skip_locked}}");
    for job in query("find lost jobs", sql).bind(now_ms).all::<Job>(&mut tx).await? {
        end_attempt(&mut tx, &job, LEASE_EXPIRED, (Retry::At(now_ms), now_ms)).await?;
    }
    tx.commit().await
}

async fn end_attempt(tx: &mut Tx, job: &Job, reason: &str, end: (Retry, i64)) -> Result<JobState, Error> {
    let (retry, now_ms) = end;
    let sql =
        "INSERT INTO job_attempts (job_id, attempt, worker, error, ended_ms) VALUES ($1, $2, $3, $4, $5)";
    let worker = job.worker.as_deref().unwrap_or_default();
    let log =
        query("log an attempt", sql).bind(job.id).bind(job.n_attempts).bind(worker).bind(reason).bind(now_ms);
    log.run(&mut *tx).await?;
    let (state, run_at_ms, finished_ms) = match retry {
        Retry::At(at_ms) if job.n_attempts < job.max_attempts => (JobState::Queued, at_ms, None),
        Retry::At(_) | Retry::Never => (JobState::Failed, job.run_at_ms, Some(now_ms)),
    };
    // A job of the same key may have been queued meanwhile; this one then waits beside it without the key.
    let sql = "UPDATE jobs SET state = $2, run_at_ms = $3, finished_ms = $4, error = $5, worker = NULL,
            lease_until_ms = NULL,
            dedup_key = CASE WHEN EXISTS (SELECT 1 FROM jobs other WHERE other.kind = jobs.kind
                AND other.dedup_key = jobs.dedup_key AND other.state = 'queued') THEN NULL ELSE dedup_key END
        WHERE id = $1";
    let update = query("end an attempt", sql).bind(job.id).bind(state).bind(run_at_ms).bind(finished_ms);
    update.bind(reason).run(tx).await?;
    Ok(state)
}

fn held(n_rows: u64, job: JobId, worker: &str) -> Result<(), Error> {
    if n_rows == 0 { Err(Error::LeaseLost { job: job.0, worker: worker.to_owned() }) } else { Ok(()) }
}

/// `$first, $(first + 1), …`: `n` of them, or a text that no row equals.
fn placeholders(n: usize, first: usize) -> String {
    if n == 0 {
        return "NULL".to_owned();
    }
    (first..first + n).map(|i| format!("${i}")).collect::<Vec<_>>().join(", ")
}
