//! Jobs: claimed once, retried, expired, forgotten.

use store::db::ids::JobId;
use store::db::jobs::{self, Claim, Failure, Filter, JobState, NewJob, Retry};
use store::{Db, Error};

use crate::world::NOW_MS;

on_both_databases!(
    a_waiting_job_is_queued_once_for_its_key,
    jobs_are_claimed_by_priority_then_age,
    only_the_kinds_asked_for_are_claimed,
    a_job_is_claimed_by_one_worker,
    a_job_whose_lease_ran_out_is_tried_again,
    a_job_that_fails_too_often_stays_failed,
    a_retried_job_leaves_its_key_to_the_one_that_waits,
    only_the_holder_of_a_lease_may_end_a_job,
    old_jobs_are_forgotten_with_their_attempts,
    jobs_are_listed_newest_first,
);

const LEASE_MS: i64 = 1000;

fn job<'a>(kind: &'a str, payload: &'a str) -> NewJob<'a> {
    NewJob {
        kind,
        dedup_key: None,
        payload,
        priority: 0,
        run_at_ms: NOW_MS,
        max_attempts: 3,
        created_ms: NOW_MS,
    }
}

async fn claim(db: &Db, worker: &str, now_ms: i64) -> Option<jobs::Job> {
    let kinds = &["inspect", "deploy"];
    jobs::claim(db, &Claim { kinds, worker, lease_ms: LEASE_MS, now_ms }).await.unwrap()
}

async fn fail(db: &Db, job: JobId, worker: &str, retry: Retry) -> Result<JobState, Error> {
    jobs::fail(db, &Failure { job, worker, reason: "it broke", retry, now_ms: NOW_MS }).await
}

async fn a_waiting_job_is_queued_once_for_its_key(db: Db) {
    let new = NewJob { dedup_key: Some("revision 7"), ..job("inspect", "{}") };
    let first = jobs::enqueue(&db, &new).await.unwrap();
    assert_eq!(jobs::enqueue(&db, &new).await.unwrap(), first);
    assert_ne!(jobs::enqueue(&db, &NewJob { kind: "deploy", ..new.clone() }).await.unwrap(), first);
    assert_ne!(jobs::enqueue(&db, &job("inspect", "{}")).await.unwrap(), first);
    assert_eq!(claim(&db, "w", NOW_MS).await.unwrap().id, first);
    assert_ne!(jobs::enqueue(&db, &new).await.unwrap(), first, "the first one runs: this is new work");
}

async fn jobs_are_claimed_by_priority_then_age(db: Db) {
    for (payload, priority, run_at_ms) in
        [("b", 0, NOW_MS - 1), ("c", 0, NOW_MS), ("a", 9, NOW_MS), ("later", 99, NOW_MS + 1)]
    {
        jobs::enqueue(&db, &NewJob { priority, run_at_ms, ..job("inspect", payload) }).await.unwrap();
    }
    let mut order = Vec::new();
    while let Some(job) = claim(&db, "w", NOW_MS).await {
        order.push(job.payload);
    }
    assert_eq!(order, ["a", "b", "c"]);
}

async fn only_the_kinds_asked_for_are_claimed(db: Db) {
    jobs::enqueue(&db, &job("mail", "{}")).await.unwrap();
    assert_eq!(claim(&db, "w", NOW_MS).await, None);
    let nothing = Claim { kinds: &[], worker: "w", lease_ms: LEASE_MS, now_ms: NOW_MS };
    assert_eq!(jobs::claim(&db, &nothing).await.unwrap(), None);
}

async fn a_job_is_claimed_by_one_worker(db: Db) {
    for _ in 0..40 {
        jobs::enqueue(&db, &job("inspect", "{}")).await.unwrap();
    }
    let workers = (0..8).map(|n| {
        let db = db.clone();
        tokio::spawn(async move {
            let mut mine = Vec::new();
            while let Some(job) = claim(&db, &format!("worker {n}"), NOW_MS).await {
                mine.push(job.id);
            }
            mine
        })
    });
    let mut all = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        all.extend(worker.await.unwrap());
    }
    all.sort_unstable();
    let n_claims = all.len();
    all.dedup();
    assert_eq!((all.len(), n_claims), (40, 40));
}

async fn a_job_whose_lease_ran_out_is_tried_again(db: Db) {
    let id = jobs::enqueue(&db, &job("inspect", "{}")).await.unwrap();
    assert_eq!(claim(&db, "silent", NOW_MS).await.unwrap().n_attempts, 1);
    let end_ms = NOW_MS + LEASE_MS;
    assert_eq!(claim(&db, "other", end_ms - 1).await, None);
    jobs::heartbeat(&db, id, "silent", end_ms + 500).await.unwrap();
    assert_eq!(claim(&db, "other", end_ms).await, None, "a renewed lease holds");
    let again = claim(&db, "other", end_ms + 500).await.unwrap();
    assert_eq!((again.id, again.n_attempts, again.worker.as_deref()), (id, 2, Some("other")));
    let attempts = jobs::attempts(&db, id).await.unwrap();
    assert_eq!((attempts[0].attempt, attempts[0].worker.as_str()), (1, "silent"));
    assert!(attempts[0].error.starts_with("lease expired"), "{}", attempts[0].error);
    let late = jobs::heartbeat(&db, id, "silent", end_ms + 9000).await;
    assert!(matches!(late, Err(Error::LeaseLost { .. })));
}

async fn a_job_that_fails_too_often_stays_failed(db: Db) {
    let id = jobs::enqueue(&db, &job("inspect", "{}")).await.unwrap();
    for expected in [JobState::Queued, JobState::Queued, JobState::Failed] {
        claim(&db, "w", NOW_MS).await.unwrap();
        assert_eq!(fail(&db, id, "w", Retry::At(NOW_MS)).await.unwrap(), expected);
    }
    assert_eq!(claim(&db, "w", NOW_MS).await, None);
    let failed = jobs::get(&db, id).await.unwrap().unwrap();
    assert_eq!((failed.finished_ms, failed.error.as_deref()), (Some(NOW_MS), Some("it broke")));
    assert_eq!(jobs::attempts(&db, id).await.unwrap().len(), 3);

    let hopeless = jobs::enqueue(&db, &job("inspect", "{}")).await.unwrap();
    claim(&db, "w", NOW_MS).await.unwrap();
    assert_eq!(fail(&db, hopeless, "w", Retry::Never).await.unwrap(), JobState::Failed);
}

async fn a_retried_job_leaves_its_key_to_the_one_that_waits(db: Db) {
    let new = NewJob { dedup_key: Some("k"), ..job("inspect", "{}") };
    let first = jobs::enqueue(&db, &new).await.unwrap();
    claim(&db, "w", NOW_MS).await.unwrap();
    let second = jobs::enqueue(&db, &new).await.unwrap();
    assert_eq!(fail(&db, first, "w", Retry::At(NOW_MS)).await.unwrap(), JobState::Queued);
    assert_eq!(jobs::enqueue(&db, &new).await.unwrap(), second);
}

async fn only_the_holder_of_a_lease_may_end_a_job(db: Db) {
    let id = jobs::enqueue(&db, &job("inspect", "{}")).await.unwrap();
    claim(&db, "w", NOW_MS).await.unwrap();
    assert!(matches!(jobs::complete(&db, id, "thief", NOW_MS).await, Err(Error::LeaseLost { .. })));
    assert!(matches!(fail(&db, id, "thief", Retry::Never).await, Err(Error::LeaseLost { .. })));
    jobs::complete(&db, id, "w", NOW_MS).await.unwrap();
    assert_eq!(jobs::get(&db, id).await.unwrap().unwrap().state, JobState::Done);
    assert!(matches!(jobs::complete(&db, id, "w", NOW_MS).await, Err(Error::LeaseLost { .. })));
}

async fn old_jobs_are_forgotten_with_their_attempts(db: Db) {
    let id = jobs::enqueue(&db, &job("inspect", "{}")).await.unwrap();
    claim(&db, "w", NOW_MS).await.unwrap();
    fail(&db, id, "w", Retry::Never).await.unwrap();
    let waiting = jobs::enqueue(&db, &job("inspect", "{}")).await.unwrap();
    assert_eq!(jobs::delete_finished_before(&db, NOW_MS).await.unwrap(), 0);
    assert_eq!(jobs::delete_finished_before(&db, NOW_MS + 1).await.unwrap(), 1);
    assert_eq!(jobs::get(&db, id).await.unwrap(), None);
    assert!(jobs::attempts(&db, id).await.unwrap().is_empty());
    assert!(jobs::get(&db, waiting).await.unwrap().is_some());
}

async fn jobs_are_listed_newest_first(db: Db) {
    for (kind, payload) in [("inspect", "1"), ("deploy", "2"), ("inspect", "3")] {
        jobs::enqueue(&db, &job(kind, payload)).await.unwrap();
    }
    claim(&db, "w", NOW_MS).await.unwrap();
    let payloads = async |filter: Filter<'_>| -> Vec<String> {
        let page = jobs::list(&db, filter, None, 10).await.unwrap();
        page.items.into_iter().map(|job| job.payload).collect()
    };
    assert_eq!(payloads(Filter::default()).await, ["3", "2", "1"]);
    assert_eq!(payloads(Filter { kind: Some("inspect"), state: None }).await, ["3", "1"]);
    assert_eq!(payloads(Filter { kind: None, state: Some(JobState::Running) }).await, ["1"]);
}
