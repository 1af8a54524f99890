//! Environments: which sets of Python packages models want, and how building them went.
//!
//! Refuses to know packages and folders. Invariant: what is wanted has one row, whoever wants it; a lock once kept
//! stays.

use spec::digest::Sha256;

use super::words::words;
use super::{Db, query};
use crate::Error;

words!(
    /// Where an environment is on its way.
    EnvironmentState, "state of an environment", { Building = "building", Ready = "ready", Failed = "failed" }
);

/// An environment that some model wants.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Environment {
    #[sqlx(try_from = "String")]
    pub wanted: Sha256,
    #[sqlx(try_from = "String")]
    pub state: EnvironmentState,
    /// Why it could not be built; empty if it could, or was not tried yet.
    pub reason: String,
    /// Of the lock and the version of Python; none while the versions were never chosen.
    pub digest: Option<String>,
    pub created_ms: i64,
    pub updated_ms: i64,
    /// What is wanted, as JSON that its writer understands.
    pub description: String,
    /// Every package with version and digests, once they were chosen.
    pub lock: Option<String>,
    /// What building it wrote.
    pub log: String,
}

/// What became of building one.
#[derive(Debug, Clone)]
pub struct Built<'a> {
    pub digest: &'a str,
    pub lock: &'a str,
    pub now_ms: i64,
}

/// Notes that this environment is to be built, whether or not it was tried before.
pub async fn ask(db: &Db, wanted: &Sha256, description: &str, now_ms: i64) -> Result<(), Error> {
    let sql = "INSERT INTO environments (wanted, state, reason, created_ms, updated_ms, description, log)
        VALUES ($1, $2, '', $3, $3, $4, '')
        ON CONFLICT (wanted) DO UPDATE SET state = excluded.state, reason = '', updated_ms = excluded.updated_ms";
    let ask = query("ask for an environment", sql).bind(wanted.to_string()).bind(EnvironmentState::Building);
    ask.bind(now_ms).bind(description).run(db.writer()).await.map(|_| ())
}

/// The environment, if it was ever asked for.
pub async fn get(db: &Db, wanted: &Sha256) -> Result<Option<Environment>, Error> {
    let sql = "SELECT wanted, state, reason, digest, created_ms, updated_ms, description, lock, log
        FROM environments WHERE wanted = $1";
    query("find an environment", sql).bind(wanted.to_string()).optional(db).await
}

/// Keeps what building one has written so far.
pub async fn set_log(db: &Db, wanted: &Sha256, log: &str) -> Result<(), Error> {
    let sql = "UPDATE environments SET log = $2 WHERE wanted = $1";
    query("keep a build's log", sql).bind(wanted.to_string()).bind(log).run(db.writer()).await.map(|_| ())
}

/// Notes that it is there, and by which lock.
pub async fn set_built(db: &Db, wanted: &Sha256, built: &Built<'_>) -> Result<(), Error> {
    let sql = "UPDATE environments SET state = $2, reason = '', digest = $3, lock = COALESCE(lock, $4),
        updated_ms = $5 WHERE wanted = $1";
    let done = query("keep an environment", sql).bind(wanted.to_string()).bind(EnvironmentState::Ready);
    done.bind(built.digest).bind(built.lock).bind(built.now_ms).run(db.writer()).await.map(|_| ())
}

/// Notes that it could not be built.
pub async fn set_failed(db: &Db, wanted: &Sha256, reason: &str, now_ms: i64) -> Result<(), Error> {
    let sql = "UPDATE environments SET state = $2, reason = $3, updated_ms = $4 WHERE wanted = $1";
    let failed = query("note a failed build", sql).bind(wanted.to_string()).bind(EnvironmentState::Failed);
    failed.bind(reason).bind(now_ms).run(db.writer()).await.map(|_| ())
}
