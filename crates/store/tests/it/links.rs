//! Links: found by their hash, counted exactly, ended for good.

use spec::name::AccountName;
use spec::rights::Action;
use store::db::accounts::{self, Account, AccountKind, NewAccount};
use store::db::grants::{self, NewGrant};
use store::db::ids::{AccountId, LinkId};
use store::db::link_days::{self, More};
use store::db::links::{self, Change, Link, NewLink};
use store::db::repositories::{self, Repository, Viewer};
use store::{Db, Error};

use crate::world::{NOW_MS, account, commit, create, put, repository};

on_both_databases!(
    a_link_leads_to_one_revision,
    whose_a_link_is_says_who_made_it_and_not_who_is_called_so_now,
    a_budget_is_never_overdrawn,
    a_link_that_ended_grants_no_call,
    a_link_can_live_longer_but_not_again,
    links_go_with_their_repository,
    links_that_end_soon_are_told_to_their_maker,
    what_a_link_was_asked_is_counted_day_by_day,
);

async fn world(db: &Db) -> Repository {
    repository(db, &account(db, "alice").await, "iris").await
}

async fn link(db: &Db, to: &Repository, max_calls: Option<i64>) -> Link {
    let revision = commit(db, to, "files", &[put("a", &format!("{max_calls:?}"))]).await.unwrap().revision;
    let new = NewLink {
        hash: "h",
        repository_id: to.id,
        revision_id: revision.id,
        action: Action::Predict,
        is_anonymous: true,
        hidden: "[]",
        expires_ms: Some(NOW_MS + 100),
        max_calls,
        calls_per_minute: None,
        n_decimals: Some(3),
        top_k: None,
        created_by: "alice",
        created_ms: NOW_MS,
    };
    links::create(db, &new).await.unwrap()
}

async fn a_link_leads_to_one_revision(db: Db) {
    let iris = world(&db).await;
    let made = link(&db, &iris, None).await;
    commit(&db, &iris, "later", &[put("a", "new")]).await.unwrap();
    let found = links::by_hash(&db, "h").await.unwrap().unwrap();
    assert_eq!(found, made);
    assert_eq!((found.repository_name.as_str(), found.owner_name.as_str()), ("iris", "alice"));
    assert_eq!((found.action, found.n_decimals, found.n_calls), (Action::Predict, Some(3), 0));
    assert_eq!(links::by_hash(&db, "g").await.unwrap(), None);
    assert_eq!(links::list(&db, iris.id, None, 10).await.unwrap().items, std::slice::from_ref(&made));
}

async fn grant(db: &Db, model: &Repository, to: &Account) {
    let (repository_id, account_id, action) = (model.id, to.id, Action::Write);
    let new = NewGrant { repository_id, account_id, action, granted_by: "lab", now_ms: NOW_MS };
    grants::put(db, &new).await.unwrap();
}

async fn whose_a_link_is_says_who_made_it_and_not_who_is_called_so_now(db: Db) {
    let (alice, lab) = (account(&db, "alice").await, account(&db, "lab").await);
    let model = create(&db, &lab, "secret", true).await.unwrap();
    let made = link(&db, &model, None).await;
    let made_by = async |account: AccountId| {
        let maker = (account, Viewer::Account(account));
        let page = links::made_by(&db, maker, None, 10).await.unwrap();
        let ending = links::ending(&db, maker, (NOW_MS, NOW_MS + 100), 5).await.unwrap();
        assert_eq!(page.items, ending);
        page.items
    };
    // She does not see the model, or not any more.
    assert!(made_by(alice.id).await.is_empty());
    grant(&db, &model, &alice).await;
    assert_eq!(made_by(alice.id).await, std::slice::from_ref(&made));
    assert!(made_by(lab.id).await.is_empty());
    accounts::delete(&db, alice.id).await.unwrap();
    let name: AccountName = "alice".parse().unwrap();
    let new = NewAccount {
        name: &name,
        kind: AccountKind::User,
        password_hash: None,
        is_admin: false,
        created_ms: NOW_MS + 1,
    };
    let namesake = accounts::create(&db, &new).await.unwrap();
    grant(&db, &model, &namesake).await;
    assert!(made_by(namesake.id).await.is_empty());
    // An admin sees what all others made, but it is not theirs either.
    let maker = (namesake.id, Viewer::Everything);
    assert!(links::made_by(&db, maker, None, 10).await.unwrap().items.is_empty());
}

async fn a_budget_is_never_overdrawn(db: Db) {
    let made = link(&db, &world(&db).await, Some(20)).await;
    let asked = (0..40).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { links::take_calls(&db, made.id, 1, NOW_MS).await.unwrap() })
    });
    let mut n_granted = 0;
    for call in asked.collect::<Vec<_>>() {
        n_granted += usize::from(call.await.unwrap());
    }
    assert_eq!(n_granted, 20);
    links::give_back_calls(&db, made.id, 3).await.unwrap();
    assert!(!links::take_calls(&db, made.id, 4, NOW_MS).await.unwrap());
    assert!(links::take_calls(&db, made.id, 3, NOW_MS).await.unwrap());
    assert_eq!(links::by_id(&db, made.id).await.unwrap().unwrap().n_calls, 20);
}

async fn a_link_that_ended_grants_no_call(db: Db) {
    let made = link(&db, &world(&db).await, None).await;
    assert!(links::take_calls(&db, made.id, 1, NOW_MS + 99).await.unwrap());
    assert!(!links::take_calls(&db, made.id, 1, NOW_MS + 100).await.unwrap());
    links::revoke(&db, made.id).await.unwrap();
    assert!(!links::take_calls(&db, made.id, 1, NOW_MS).await.unwrap());
    assert!(links::by_hash(&db, "h").await.unwrap().unwrap().is_revoked);
}

async fn a_link_can_live_longer_but_not_again(db: Db) {
    let made = link(&db, &world(&db).await, Some(1)).await;
    let longer = Change { expires_ms: Some(NOW_MS + 200), max_calls: None };
    links::change(&db, made.id, longer).await.unwrap();
    let found = links::by_id(&db, made.id).await.unwrap().unwrap();
    assert_eq!((found.expires_ms, found.max_calls), (Some(NOW_MS + 200), Some(1)));
    links::revoke(&db, made.id).await.unwrap();
    assert!(matches!(links::change(&db, made.id, longer).await, Err(Error::NotFound { .. })));
    assert!(matches!(links::revoke(&db, LinkId(made.id.0 + 1)).await, Err(Error::NotFound { .. })));
}

async fn links_go_with_their_repository(db: Db) {
    let iris = world(&db).await;
    link(&db, &iris, None).await;
    repositories::delete(&db, iris.id).await.unwrap();
    assert_eq!(links::by_hash(&db, "h").await.unwrap(), None);
}

async fn links_that_end_soon_are_told_to_their_maker(db: Db) {
    let iris = world(&db).await;
    let made = link(&db, &iris, None).await;
    let (alice, bob) = (iris.owner_id, account(&db, "bob").await.id);
    let ending =
        async |who, from, to| links::ending(&db, (who, Viewer::Account(who)), (from, to), 5).await.unwrap();
    assert_eq!(ending(alice, NOW_MS, NOW_MS + 100).await, std::slice::from_ref(&made));
    assert!(ending(alice, NOW_MS, NOW_MS + 99).await.is_empty());
    assert!(ending(alice, NOW_MS + 100, NOW_MS + 200).await.is_empty());
    assert!(ending(bob, NOW_MS, NOW_MS + 100).await.is_empty());
    links::revoke(&db, made.id).await.unwrap();
    assert!(ending(alice, NOW_MS, NOW_MS + 100).await.is_empty());
}

async fn what_a_link_was_asked_is_counted_day_by_day(db: Db) {
    let iris = world(&db).await;
    let made = link(&db, &iris, None).await;
    let more = |day, n_rows, n_busiest_hour, registers: &str| {
        let registers = registers.to_owned();
        More { link_id: made.id, day, n_rows, n_busiest_hour, registers }
    };
    let add = async |more| link_days::add(&db, &more).await.unwrap();
    add(more(5, 10, 7, "0300")).await;
    add(more(5, 10, 4, "1204")).await;
    add(more(6, 1, 1, "0010")).await;
    let since = async |day| link_days::since(&db, &[made.id, LinkId(998)], day).await.unwrap();
    let days = since(5).await;
    assert_eq!((days.len(), days[0].link_id, days[0].n_rows, days[0].n_busiest_hour), (2, made.id, 20, 7));
    assert_eq!((days[0].registers.as_str(), days[1].registers.as_str()), ("1304", "0010"));
    assert_eq!(since(6).await[0].n_rows, 1);
    assert!(link_days::since(&db, &[], 0).await.unwrap().is_empty());
    // What is written down at once is all there.
    let adding = (0..8).map(|i| {
        let (db, more) = (db.clone(), more(7, 1, 1, ["1000", "0200", "0030", "0004"][i % 4]));
        tokio::spawn(async move { link_days::add(&db, &more).await.unwrap() })
    });
    for added in adding.collect::<Vec<_>>() {
        added.await.unwrap();
    }
    let day = &since(7).await[0];
    assert_eq!((day.n_rows, day.registers.as_str()), (8, "1234"));
    // A link that is not there is not counted.
    add(More { link_id: LinkId(999), ..more(6, 1, 1, "0") }).await;
    assert_eq!(link_days::delete_before(&db, 6).await.unwrap(), 1);
    repositories::delete(&db, iris.id).await.unwrap();
    assert!(since(0).await.is_empty());
}
