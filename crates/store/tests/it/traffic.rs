//! What an endpoint's owner sets, its targets, what was counted and recorded of it.

use store::Db;
use store::db::endpoints::recorded::{self, NewRecorded};
use store::db::endpoints::usage::{self, Hour};
use store::db::endpoints::{self, Endpoint, NewEndpoint, NewState, Options, targets};
use store::db::revisions::Revision;

use crate::world::{NOW_MS, account, commit, put, repository};

on_both_databases!(
    targets_go_back_to_what_they_were,
    targets_that_are_changed_at_once_are_one_of_the_changes,
    a_deploy_says_how_it_stands_and_not_how_a_later_one_does,
    an_endpoint_that_was_stopped_stays_so_whatever_its_start_comes_to,
    what_is_counted_is_added_up_by_the_hour,
    the_newest_requests_are_kept,
    options_are_read_as_they_were_set,
    options_that_are_changed_at_once_are_all_kept,
);

async fn deployed(db: &Db) -> (Endpoint, Revision, Revision) {
    let alice = account(db, "alice").await;
    let iris = repository(db, &alice, "iris").await;
    let first = commit(db, &iris, "1", &[put("a", "1")]).await.unwrap().revision;
    let second = commit(db, &iris, "2", &[put("a", "2")]).await.unwrap().revision;
    let new = NewEndpoint {
        repository_id: iris.id,
        revision_id: first.id,
        percent: 100,
        state: "pending",
        now_ms: NOW_MS,
    };
    (endpoints::put(db, &new).await.unwrap(), first, second)
}

async fn targets_go_back_to_what_they_were(db: Db) {
    let (endpoint, first, second) = deployed(&db).await;
    assert!(targets::list(&db, endpoint.id).await.unwrap().is_empty());
    assert_eq!(targets::roll_back(&db, endpoint.id).await.unwrap(), None);
    assert!(!targets::can_roll_back(&db, endpoint.id).await.unwrap());
    targets::set(&db, endpoint.id, &[(first.id, 100)]).await.unwrap();
    for percent in 1..=30 {
        targets::set(&db, endpoint.id, &[(first.id, 100 - percent), (second.id, percent)]).await.unwrap();
    }
    let found = targets::list(&db, endpoint.id).await.unwrap();
    assert_eq!(
        found.iter().map(|t| (t.oid, t.percent)).collect::<Vec<_>>(),
        [(first.oid, 70), (second.oid, 30)]
    );
    let each = targets::of_each(&db, &[endpoint.id]).await.unwrap();
    assert_eq!(each[&endpoint.id], found);
    assert!(targets::can_roll_back(&db, endpoint.id).await.unwrap());
    let former = targets::roll_back(&db, endpoint.id).await.unwrap();
    assert_eq!(former, Some(vec![(first.id, 71), (second.id, 29)]));
    let mut n_more = 0;
    while targets::roll_back(&db, endpoint.id).await.unwrap().is_some() {
        n_more += 1;
    }
    assert_eq!(n_more, targets::KEPT_CHANGES - 1);
    assert!(targets::was_one(&db, endpoint.id, second.id).await.unwrap());
    endpoints::delete(&db, endpoint.repository_id).await.unwrap();
    assert!(!targets::was_one(&db, endpoint.id, second.id).await.unwrap());
}

async fn targets_that_are_changed_at_once_are_one_of_the_changes(db: Db) {
    let (endpoint, first, second) = deployed(&db).await;
    targets::set(&db, endpoint.id, &[(first.id, 100)]).await.unwrap();
    let changes = (1..=8).map(|percent| {
        let (db, shares) = (db.clone(), [(first.id, 100 - percent), (second.id, percent)]);
        tokio::spawn(async move { targets::set(&db, endpoint.id, &shares).await.unwrap() })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap();
    }
    let found = targets::list(&db, endpoint.id).await.unwrap();
    assert_eq!(found.iter().map(|target| target.percent).sum::<i64>(), 100);
    // Each of them can be taken back.
    for _ in 0..8 {
        assert!(targets::roll_back(&db, endpoint.id).await.unwrap().is_some());
    }
    assert_eq!(targets::list(&db, endpoint.id).await.unwrap()[0].percent, 100);
}

fn state<'a>(state: &'a str, reason: &'a str) -> NewState<'a> {
    NewState { state, reason, now_ms: NOW_MS }
}

async fn a_deploy_says_how_it_stands_and_not_how_a_later_one_does(db: Db) {
    let (endpoint, first, second) = deployed(&db).await;
    let (id, repository) = (endpoint.id, endpoint.repository_id);
    let note = async |revision: &Revision, new| {
        endpoints::set_state(&db, (repository, revision.id), &new).await.unwrap()
    };
    assert!(note(&first, state("starting", "")).await);
    // The same again is no news.
    assert!(!note(&first, state("starting", "")).await);
    assert!(note(&first, state("starting", "again")).await);
    let new = NewEndpoint {
        repository_id: repository,
        revision_id: second.id,
        percent: 100,
        state: "ready",
        now_ms: NOW_MS,
    };
    endpoints::put(&db, &new).await.unwrap();
    assert!(!note(&first, state("failed", "too late")).await);
    let found = endpoints::by_repository(&db, repository).await.unwrap().unwrap();
    assert_eq!((found.id, found.state.as_str(), found.reason.as_str()), (id, "ready", ""));
    // Who goes back goes back from what there is.
    let back = NewEndpoint { revision_id: first.id, state: "idle", ..new };
    assert!(!endpoints::resume(&db, first.id, &back).await.unwrap());
    assert!(endpoints::resume(&db, second.id, &back).await.unwrap());
    let found = endpoints::by_repository(&db, repository).await.unwrap().unwrap();
    assert_eq!((found.revision_id, found.state.as_str()), (first.id, "idle"));
}

async fn an_endpoint_that_was_stopped_stays_so_whatever_its_start_comes_to(db: Db) {
    let (endpoint, first, _) = deployed(&db).await;
    let repository = endpoint.repository_id;
    assert!(endpoints::stop(&db, repository, &state("stopped", "")).await.unwrap());
    assert!(!endpoints::stop(&db, repository, &state("stopped", "")).await.unwrap());
    for word in ["starting", "ready", "failed"] {
        assert!(!endpoints::set_state(&db, (repository, first.id), &state(word, "")).await.unwrap());
    }
    let found = endpoints::by_repository(&db, repository).await.unwrap().unwrap();
    assert_eq!((found.state.as_str(), found.is_stopped), ("stopped", true));
    let again = NewEndpoint {
        repository_id: repository,
        revision_id: first.id,
        percent: 100,
        state: "idle",
        now_ms: NOW_MS,
    };
    assert!(endpoints::resume(&db, first.id, &again).await.unwrap());
    let found = endpoints::by_repository(&db, repository).await.unwrap().unwrap();
    assert_eq!((found.state.as_str(), found.is_stopped), ("idle", false));
}

async fn what_is_counted_is_added_up_by_the_hour(db: Db) {
    let (endpoint, ..) = deployed(&db).await;
    let mut took = [0; usage::N_BUCKETS];
    took[9] = 2;
    let more = Hour { hour_ms: 7, n_requests: 2, n_errors: 1, n_cold_starts: 1, cpu_ms: 5, took };
    for _ in 0..2 {
        usage::add(&db, endpoint.repository_id, &more).await.unwrap();
    }
    usage::add(&db, endpoint.repository_id, &Hour { hour_ms: 9, ..Hour::default() }).await.unwrap();
    let hours = usage::since(&db, endpoint.id, 0).await.unwrap();
    assert_eq!(hours.len(), 2);
    assert_eq!((hours[0].n_requests, hours[0].n_errors, hours[0].cpu_ms, hours[0].took[9]), (4, 2, 10, 4));
    assert_eq!(usage::delete_before(&db, 9).await.unwrap(), 1);
    assert_eq!(usage::since(&db, endpoint.id, 0).await.unwrap().len(), 1);
    // Nothing is kept of what has no endpoint.
    usage::add(&db, store::db::ids::RepositoryId(999), &more).await.unwrap();
}

async fn the_newest_requests_are_kept(db: Db) {
    let (endpoint, first, _) = deployed(&db).await;
    let new = |at_ms| NewRecorded {
        repository_id: endpoint.repository_id,
        revision: first.oid.to_string(),
        at_ms,
        took_us: 15,
        outcome: "answered",
        request: "{}".to_owned(),
        response: "{}".to_owned(),
    };
    for at_ms in 0..recorded::KEPT + 5 {
        recorded::add(&db, &new(at_ms)).await.unwrap();
    }
    let page = recorded::list(&db, endpoint.id, None, 2).await.unwrap();
    assert_eq!(page.items[0].at_ms, recorded::KEPT + 4);
    let rest = recorded::list(&db, endpoint.id, page.next.as_deref(), 1000).await.unwrap();
    assert_eq!(rest.items.len() + 2, usize::try_from(recorded::KEPT).unwrap());
    recorded::delete_before(&db, i64::MAX).await.unwrap();
    assert!(recorded::list(&db, endpoint.id, None, 2).await.unwrap().items.is_empty());
}

async fn options_are_read_as_they_were_set(db: Db) {
    let (endpoint, ..) = deployed(&db).await;
    assert_eq!((endpoint.options.min_replicas, endpoint.options.max_replicas), (0, 1));
    assert!(endpoints::kept_awake(&db, 10).await.unwrap().is_empty());
    let new = Options { min_replicas: 1, concurrency: Some(5), log_sample: 9, ..endpoint.options };
    set(&db, &endpoint, |_| Ok::<_, i64>(new.clone())).await.unwrap();
    assert_eq!(set(&db, &endpoint, |old| Err(old.log_sample)).await, Err(9));
    let kept = endpoints::kept_awake(&db, 10).await.unwrap();
    assert_eq!(kept.iter().map(|endpoint| &endpoint.options).collect::<Vec<_>>(), [&new]);
}

async fn set<E>(
    db: &Db,
    endpoint: &Endpoint,
    change: impl FnOnce(Options) -> Result<Options, E>,
) -> Result<Options, E> {
    endpoints::change_options(db, endpoint.repository_id, NOW_MS, change).await.unwrap()
}

async fn options_that_are_changed_at_once_are_all_kept(db: Db) {
    let (endpoint, ..) = deployed(&db).await;
    let changes = (0..8).map(|_| {
        let (db, endpoint) = (db.clone(), endpoint.clone());
        let one_more = |old: Options| Ok::<_, ()>(Options { log_sample: old.log_sample + 1, ..old });
        tokio::spawn(async move { set(&db, &endpoint, one_more).await.unwrap() })
    });
    for change in changes.collect::<Vec<_>>() {
        change.await.unwrap();
    }
    let found = endpoints::by_repository(&db, endpoint.repository_id).await.unwrap().unwrap();
    assert_eq!(found.options.log_sample, 8);
    let nowhere = store::db::ids::RepositoryId(999);
    let missing = endpoints::change_options(&db, nowhere, NOW_MS, Ok::<_, ()>).await;
    assert!(matches!(missing, Err(store::Error::NotFound { .. })));
}
