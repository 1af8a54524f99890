//! Likes: counted once for each account, and listed from both sides, over both databases.

use store::Db;
use store::db::{accounts, likes, repositories};

use crate::world::{NOW_MS, account, repository};

on_both_databases!(a_like_counts_once, likes_are_listed_from_both_sides,);

async fn a_like_counts_once(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let iris = repository(&db, &alice, "iris").await;
    let n_likes = async || repositories::by_id(&db, iris.id).await.unwrap().unwrap().n_likes;
    for liker in [&bob, &bob, &alice] {
        likes::put(&db, iris.id, liker.id, NOW_MS).await.unwrap();
    }
    assert_eq!(n_likes().await, 2);
    assert!(likes::is_there(&db, iris.id, bob.id).await.unwrap());
    for _ in 0..2 {
        likes::delete(&db, iris.id, bob.id).await.unwrap();
    }
    assert_eq!(n_likes().await, 1);
    assert!(!likes::is_there(&db, iris.id, bob.id).await.unwrap());
    let gone = store::db::ids::RepositoryId(999);
    assert!(matches!(likes::put(&db, gone, bob.id, 0).await, Err(store::Error::NotFound { .. })));
}

async fn likes_are_listed_from_both_sides(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let (iris, rose) = (repository(&db, &alice, "iris").await, repository(&db, &alice, "rose").await);
    for (repository, liker) in [(&iris, &bob), (&rose, &bob), (&iris, &alice)] {
        likes::put(&db, repository.id, liker.id, NOW_MS).await.unwrap();
    }
    let first = likes::of_repository(&db, iris.id, None, 1).await.unwrap();
    let second = likes::of_repository(&db, iris.id, first.next.as_deref(), 1).await.unwrap();
    assert_eq!((first.items[0].name.as_str(), second.items[0].name.as_str()), ("alice", "bob"));
    assert_eq!(second.next, None);
    let of_bob = likes::of_account(&db, bob.id, None, 1).await.unwrap();
    assert_eq!((of_bob.items[0].repository.name.as_str(), of_bob.items[0].liked_ms), ("rose", NOW_MS));
    let rest = likes::of_account(&db, bob.id, of_bob.next.as_deref(), 1).await.unwrap();
    assert_eq!((rest.items[0].repository.name.as_str(), rest.next), ("iris", None));
    assert!(accounts::by_name(&db, "bob").await.unwrap().is_some());
}
