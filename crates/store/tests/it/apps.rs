//! Web apps beside models: started, moved to another revision, stopped, gone with their repository.

use store::db::apps::{self, NewApp, NewState};
use store::db::repositories;
use store::db::revisions::Revision;
use store::{Db, Error};

use crate::world::{NOW_MS, account, commit, put, repository};

on_both_databases!(
    an_app_is_one_row_that_moves_between_revisions,
    an_app_in_a_state_is_found_unless_it_was_stopped,
    an_app_goes_with_its_repository,
);

fn new(revision: &Revision, now_ms: i64) -> NewApp<'_> {
    let (repository_id, revision_id) = (revision.repository_id, revision.id);
    NewApp { repository_id, revision_id, state: "pending", now_ms }
}

fn state(state: &str, is_stopped: bool) -> NewState<'_> {
    NewState { state, reason: "because", is_stopped, now_ms: NOW_MS + 7 }
}

async fn an_app_is_one_row_that_moves_between_revisions(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let first = commit(&db, &iris, "1", &[put("app.py", "1")]).await.unwrap().revision;
    let second = commit(&db, &iris, "2", &[put("app.py", "2")]).await.unwrap().revision;
    assert_eq!(apps::by_repository(&db, iris.id).await.unwrap(), None);
    apps::put(&db, &new(&first, NOW_MS)).await.unwrap();
    apps::set_state(&db, iris.id, &state("stopped", true)).await.unwrap();
    let moved = apps::put(&db, &new(&second, NOW_MS + 9)).await.unwrap();
    assert_eq!((moved.oid, moved.owner_name.as_str()), (second.oid, "alice"));
    assert_eq!((moved.state.as_str(), moved.reason.as_str(), moved.is_stopped), ("pending", "", false));
    assert_eq!((moved.created_ms, moved.updated_ms), (NOW_MS, NOW_MS + 9));
    let other = repository(&db, &alice, "other").await;
    let strange = NewApp { repository_id: other.id, ..new(&second, NOW_MS) };
    assert!(matches!(apps::put(&db, &strange).await, Err(Error::NotFound { .. })));
}

async fn an_app_in_a_state_is_found_unless_it_was_stopped(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let first = commit(&db, &iris, "1", &[put("app.py", "1")]).await.unwrap().revision;
    let missing = apps::set_state(&db, iris.id, &state("ready", false)).await;
    assert!(matches!(missing, Err(Error::NotFound { .. })));
    apps::put(&db, &new(&first, NOW_MS)).await.unwrap();
    assert_eq!(apps::in_state(&db, "pending").await.unwrap(), [iris.id]);
    apps::set_state(&db, iris.id, &state("building", false)).await.unwrap();
    assert!(apps::in_state(&db, "pending").await.unwrap().is_empty());
    let row = apps::by_repository(&db, iris.id).await.unwrap().unwrap();
    assert_eq!((row.reason.as_str(), row.updated_ms), ("because", NOW_MS + 7));
    apps::set_state(&db, iris.id, &state("building", true)).await.unwrap();
    assert!(apps::in_state(&db, "building").await.unwrap().is_empty());
}

async fn an_app_goes_with_its_repository(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    let first = commit(&db, &iris, "1", &[put("app.py", "1")]).await.unwrap().revision;
    apps::put(&db, &new(&first, NOW_MS)).await.unwrap();
    repositories::delete(&db, iris.id).await.unwrap();
    assert_eq!(apps::by_repository(&db, iris.id).await.unwrap(), None);
}
