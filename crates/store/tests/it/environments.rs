//! Environments: asked for once, built, failed, asked for again.

use spec::digest::Sha256;
use store::Db;
use store::db::environments::{self, Built, EnvironmentState};

use crate::world::NOW_MS;

on_both_databases!(
    an_environment_is_one_row_whoever_asks_for_it,
    a_lock_once_kept_stays,
    a_failed_build_says_why_until_it_is_asked_for_again,
    an_environment_that_nobody_asked_for_is_unknown,
);

fn wanted() -> Sha256 {
    Sha256::of(b"numpy")
}

async fn an_environment_is_one_row_whoever_asks_for_it(db: Db) {
    environments::ask(&db, &wanted(), "{}", NOW_MS).await.unwrap();
    environments::ask(&db, &wanted(), "{\"other\": 1}", NOW_MS + 1).await.unwrap();
    environments::set_log(&db, &wanted(), "one\ntwo").await.unwrap();
    let row = environments::get(&db, &wanted()).await.unwrap().unwrap();
    assert_eq!(
        (row.state, row.description.as_str(), row.log.as_str()),
        (EnvironmentState::Building, "{}", "one\ntwo")
    );
    assert_eq!((row.created_ms, row.updated_ms, row.digest), (NOW_MS, NOW_MS + 1, None));
}

async fn a_lock_once_kept_stays(db: Db) {
    environments::ask(&db, &wanted(), "{}", NOW_MS).await.unwrap();
    for lock in ["numpy==1", "numpy==2"] {
        let built = Built { digest: "abc", lock, now_ms: NOW_MS + 5 };
        environments::set_built(&db, &wanted(), &built).await.unwrap();
    }
    let row = environments::get(&db, &wanted()).await.unwrap().unwrap();
    assert_eq!((row.state, row.digest.as_deref()), (EnvironmentState::Ready, Some("abc")));
    assert_eq!((row.lock.as_deref(), row.updated_ms), (Some("numpy==1"), NOW_MS + 5));
}

async fn a_failed_build_says_why_until_it_is_asked_for_again(db: Db) {
    environments::ask(&db, &wanted(), "{}", NOW_MS).await.unwrap();
    environments::set_failed(&db, &wanted(), "no such package", NOW_MS + 1).await.unwrap();
    let row = environments::get(&db, &wanted()).await.unwrap().unwrap();
    assert_eq!((row.state, row.reason.as_str()), (EnvironmentState::Failed, "no such package"));
    environments::ask(&db, &wanted(), "{}", NOW_MS + 2).await.unwrap();
    let row = environments::get(&db, &wanted()).await.unwrap().unwrap();
    assert_eq!((row.state, row.reason.as_str()), (EnvironmentState::Building, ""));
}

async fn an_environment_that_nobody_asked_for_is_unknown(db: Db) {
    assert_eq!(environments::get(&db, &wanted()).await.unwrap(), None);
}
