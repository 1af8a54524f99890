//! Attestations: a key is one account's, a replay is attested once, and both go with their accounts, over both databases.

use store::db::attestations::{self, NewAttestation};
use store::db::ids::{AccountId, AttestationId, RepositoryId};
use store::db::{accounts, repositories};
use store::{Db, Error};

use crate::world::{NOW_MS, account, repository};

on_both_databases!(
    an_attestation_is_kept_listed_and_deleted,
    a_key_is_of_one_account,
    a_replay_is_attested_once,
    attestations_go_with_their_account_and_their_model,
);

fn new<'a>(repository: RepositoryId, account: AccountId, replay: &'a str) -> NewAttestation<'a> {
    NewAttestation {
        repository,
        account,
        key: "a-key",
        jwk: "{}",
        capsule: "c1",
        replay,
        is_same: true,
        is_independent: true,
        summary: "{}",
        statement: "{\"payload\":\"\"}",
        now_ms: NOW_MS,
    }
}

async fn an_attestation_is_kept_listed_and_deleted(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let iris = repository(&db, &alice, "iris").await;
    let first = attestations::create(&db, &new(iris.id, bob.id, "r1"), 3).await.unwrap();
    assert_eq!((first.account_name.as_str(), first.jwk.as_str(), first.is_independent), ("bob", "{}", true));
    attestations::create(&db, &new(iris.id, bob.id, "r2"), 3).await.unwrap();
    let other = NewAttestation { capsule: "c2", is_same: false, ..new(iris.id, bob.id, "r3") };
    attestations::create(&db, &other, 3).await.unwrap();
    let full = attestations::create(&db, &new(iris.id, bob.id, "r4"), 3).await;
    assert!(matches!(full, Err(Error::NotEmpty { .. })), "{full:?}");
    let page = attestations::list(&db, iris.id, None, 2).await.unwrap();
    let rest = attestations::list(&db, iris.id, page.next.as_deref(), 2).await.unwrap();
    assert_eq!((page.items.len(), rest.items.len(), rest.items[0].id), (2, 1, first.id));
    assert_eq!((first.statement.as_str(), rest.items[0].statement.as_str()), ("{\"payload\":\"\"}", ""));
    assert_eq!(attestations::of_account(&db, bob.id, None, 9).await.unwrap().items.len(), 3);
    let counts = attestations::counts(&db, iris.id).await.unwrap();
    let counts: Vec<_> =
        counts.iter().map(|it| (it.capsule.as_str(), it.n_attestations, it.n_reproduced)).collect();
    // One person is one, however often they did it.
    assert_eq!(counts, [("c1", 2, 1), ("c2", 1, 0)]);
    assert!(attestations::delete(&db, first.id).await.unwrap());
    assert!(!attestations::delete(&db, first.id).await.unwrap());
    assert_eq!(attestations::get(&db, iris.id, first.id).await.unwrap(), None);
    assert_eq!(attestations::get(&db, iris.id, AttestationId(999)).await.unwrap(), None);
}

async fn a_key_is_of_one_account(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let (iris, rose) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "rose").await);
    attestations::create(&db, &new(iris.id, bob.id, "r1"), 9).await.unwrap();
    attestations::create(&db, &new(rose.id, bob.id, "r1"), 9).await.unwrap();
    let taken = attestations::create(&db, &new(iris.id, alice.id, "r2"), 9).await;
    assert!(matches!(taken, Err(Error::NotFound { what: "signing key", .. })), "{taken:?}");
    let own = NewAttestation { key: "another", ..new(iris.id, alice.id, "r2") };
    attestations::create(&db, &own, 9).await.unwrap();
}

async fn a_replay_is_attested_once(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    attestations::create(&db, &new(iris.id, alice.id, "r1"), 9).await.unwrap();
    let again = attestations::create(&db, &new(iris.id, alice.id, "r1"), 9).await;
    assert!(matches!(again, Err(Error::AlreadyExists { .. })), "{again:?}");
    let gone = attestations::create(&db, &new(RepositoryId(999), alice.id, "r2"), 9).await;
    assert!(matches!(gone, Err(Error::NotFound { what: "repository", .. })), "{gone:?}");
}

async fn attestations_go_with_their_account_and_their_model(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let (iris, rose) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "rose").await);
    for of in [&iris, &rose] {
        attestations::create(&db, &new(of.id, bob.id, "r1"), 9).await.unwrap();
    }
    repositories::delete(&db, iris.id).await.unwrap();
    assert_eq!(attestations::of_account(&db, bob.id, None, 9).await.unwrap().items.len(), 1);
    accounts::delete(&db, bob.id).await.unwrap();
    assert!(attestations::list(&db, rose.id, None, 9).await.unwrap().items.is_empty());
    // The key is free again with its account.
    attestations::create(&db, &new(rose.id, alice.id, "r1"), 9).await.unwrap();
}
