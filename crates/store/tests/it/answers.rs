//! Shared answers: found by their hash, counted for who shared them, gone with their model, over both databases.

use store::Db;
use store::db::answers::{self, By, NewAnswer};
use store::db::ids::{AnswerId, RepositoryId};
use store::db::{accounts, repositories};

use crate::world::{NOW_MS, account, repository};

on_both_databases!(an_answer_is_found_counted_and_deleted, an_answer_goes_with_its_model_and_its_account,);

fn new<'a>(hash: &'a str, repository: RepositoryId, by: By<'a>) -> NewAnswer<'a> {
    let (revision, schema, input, output) = ("0a", "{}", "{\"inputs\":[]}", "{\"outputs\":[]}");
    NewAnswer { hash, repository, by, revision, schema, input, output, created_ms: NOW_MS }
}

async fn an_answer_is_found_counted_and_deleted(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let iris = repository(&db, &alice, "iris").await;
    answers::create(&db, &new("h1", iris.id, By::Account(bob.id))).await.unwrap();
    let found = answers::by_hash(&db, "h1").await.unwrap().unwrap();
    assert_eq!((found.account_id, found.link_id, found.key_hash.as_str()), (Some(bob.id), None, ""));
    assert_eq!((found.input.as_str(), found.created_ms), ("{\"inputs\":[]}", NOW_MS));
    assert_eq!(answers::count(&db, iris.id, By::Account(bob.id)).await.unwrap(), 1);
    assert_eq!(answers::count(&db, iris.id, By::Account(alice.id)).await.unwrap(), 0);
    assert!(answers::delete(&db, found.id).await.unwrap());
    assert!(
        !answers::delete(&db, found.id).await.unwrap() && !answers::delete(&db, AnswerId(999)).await.unwrap()
    );
    assert!(answers::by_hash(&db, "h1").await.unwrap().is_none());
    let lost = answers::create(&db, &new("h2", RepositoryId(999), By::Account(bob.id))).await;
    assert!(matches!(lost, Err(store::Error::NotFound { .. })), "{lost:?}");
}

async fn an_answer_goes_with_its_model_and_its_account(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let (iris, rose) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "rose").await);
    for (hash, repository) in [("h1", &iris), ("h2", &rose)] {
        answers::create(&db, &new(hash, repository.id, By::Account(bob.id))).await.unwrap();
    }
    repositories::delete(&db, iris.id).await.unwrap();
    assert!(answers::by_hash(&db, "h1").await.unwrap().is_none());
    accounts::delete(&db, bob.id).await.unwrap();
    assert!(answers::by_hash(&db, "h2").await.unwrap().is_none());
}
