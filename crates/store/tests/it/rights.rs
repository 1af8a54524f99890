//! Members, grants, invitations, events: who was given what.

use spec::name::AccountName;
use spec::rights::Action;
use store::db::accounts::{self, Account, AccountKind, NewAccount};
use store::db::events::{self, Filter, NewEvent};
use store::db::grants::{self, NewGrant};
use store::db::invitations::{self, NewInvitation};
use store::db::repositories::{self, ListQuery, Repository, Viewer};
use store::db::{endpoints, members};
use store::{Db, Error};

use crate::world::{NOW_MS, account, create};

on_both_databases!(
    a_member_has_its_role_on_all_that_the_organisation_owns,
    a_grant_to_an_organisation_reaches_its_members_up_to_their_role,
    the_strongest_of_several_rights_counts,
    lists_show_what_was_granted,
    an_organisation_keeps_an_admin,
    an_invitation_is_taken_once,
    an_invitation_takes_no_right_away,
    events_are_found_by_who_and_what,
);

async fn organization(db: &Db, name: &str, admin: &Account) -> Account {
    let name: AccountName = name.parse().unwrap();
    let kind = AccountKind::Organization;
    let new = NewAccount { name: &name, kind, password_hash: None, is_admin: false, created_ms: NOW_MS };
    let made = accounts::create(db, &new).await.unwrap();
    members::put(db, made.id, admin.id, Action::Administer, NOW_MS).await.unwrap();
    made
}

async fn grant(db: &Db, repository: &Repository, to: &Account, action: Action) {
    let granted_by = "alice";
    let new =
        NewGrant { repository_id: repository.id, account_id: to.id, action, granted_by, now_ms: NOW_MS };
    grants::put(db, &new).await.unwrap();
}

async fn strongest(db: &Db, repository: &Repository, account: &Account) -> Option<Action> {
    grants::strongest(db, repository.id, account.id).await.unwrap()
}

async fn a_member_has_its_role_on_all_that_the_organisation_owns(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let lab = organization(&db, "lab", &alice).await;
    let secret = create(&db, &lab, "secret", true).await.unwrap();
    assert_eq!(strongest(&db, &secret, &alice).await, Some(Action::Administer));
    assert_eq!(strongest(&db, &secret, &bob).await, None);
    members::put(&db, lab.id, bob.id, Action::Read, NOW_MS).await.unwrap();
    assert_eq!(strongest(&db, &secret, &bob).await, Some(Action::Read));
    members::put(&db, lab.id, bob.id, Action::Write, NOW_MS).await.unwrap();
    assert_eq!(members::role(&db, lab.id, bob.id).await.unwrap(), Some(Action::Write));
    members::delete(&db, lab.id, bob.id).await.unwrap();
    assert_eq!(strongest(&db, &secret, &bob).await, None);
}

async fn a_grant_to_an_organisation_reaches_its_members_up_to_their_role(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let lab = organization(&db, "lab", &alice).await;
    members::put(&db, lab.id, bob.id, Action::Read, NOW_MS).await.unwrap();
    let owner = account(&db, "carol").await;
    let model = create(&db, &owner, "model", true).await.unwrap();
    grant(&db, &model, &lab, Action::Write).await;
    assert_eq!(strongest(&db, &model, &alice).await, Some(Action::Write));
    assert_eq!(strongest(&db, &model, &bob).await, Some(Action::Read));
    grants::delete(&db, model.id, lab.id).await.unwrap();
    assert_eq!(strongest(&db, &model, &alice).await, None);
    assert!(matches!(grants::delete(&db, model.id, lab.id).await, Err(Error::NotFound { .. })));
}

async fn the_strongest_of_several_rights_counts(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let lab = organization(&db, "lab", &bob).await;
    let model = create(&db, &alice, "model", true).await.unwrap();
    grant(&db, &model, &lab, Action::Predict).await;
    grant(&db, &model, &bob, Action::Read).await;
    assert_eq!(strongest(&db, &model, &bob).await, Some(Action::Read));
    grant(&db, &model, &bob, Action::See).await;
    assert_eq!(strongest(&db, &model, &bob).await, Some(Action::Predict));
    let listed = grants::list(&db, model.id, None, 10).await.unwrap().items;
    let listed: Vec<_> = listed.iter().map(|grant| (grant.account_name.as_str(), grant.action)).collect();
    assert_eq!(listed, [("bob", Action::See), ("lab", Action::Predict)]);
    repositories::delete(&db, model.id).await.unwrap();
    assert_eq!(strongest(&db, &model, &bob).await, None);
}

async fn lists_show_what_was_granted(db: Db) {
    let (alice, bob, carol) =
        (account(&db, "alice").await, account(&db, "bob").await, account(&db, "carol").await);
    let lab = organization(&db, "lab", &bob).await;
    create(&db, &lab, "ours", true).await.unwrap();
    let model = create(&db, &alice, "shown", true).await.unwrap();
    create(&db, &alice, "hidden", true).await.unwrap();
    let seen = async |viewer| {
        let query = ListQuery { viewer, ..ListQuery::default() };
        let page = repositories::list(&db, &query).await.unwrap();
        let mut names: Vec<_> = page.items.into_iter().map(|repository| repository.name).collect();
        names.sort();
        names
    };
    assert_eq!(seen(Viewer::Account(bob.id)).await, ["ours"]);
    grant(&db, &model, &lab, Action::See).await;
    assert_eq!(seen(Viewer::Account(bob.id)).await, ["ours", "shown"]);
    grant(&db, &model, &carol, Action::See).await;
    assert_eq!(seen(Viewer::Account(carol.id)).await, ["shown"]);
    assert!(seen(Viewer::Nobody).await.is_empty());
    assert_eq!(seen(Viewer::Everything).await, ["hidden", "ours", "shown"]);
    assert!(endpoints::list(&db, Viewer::Account(carol.id), None, 10).await.unwrap().items.is_empty());
}

async fn an_organisation_keeps_an_admin(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let lab = organization(&db, "lab", &alice).await;
    assert!(matches!(members::delete(&db, lab.id, alice.id).await, Err(Error::LastAdmin)));
    let lowered = members::put(&db, lab.id, alice.id, Action::Read, NOW_MS).await;
    assert!(matches!(lowered, Err(Error::LastAdmin)));
    members::put(&db, lab.id, bob.id, Action::Administer, NOW_MS).await.unwrap();
    let (one, other) =
        tokio::join!(members::delete(&db, lab.id, alice.id), members::delete(&db, lab.id, bob.id));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert_eq!(members::list(&db, lab.id, None, 10).await.unwrap().items.len(), 1);
    assert_eq!(members::organizations(&db, alice.id, 10).await.unwrap().len(), usize::from(one.is_err()));
}

async fn an_invitation_is_taken_once(db: Db) {
    let (alice, bob, carol) =
        (account(&db, "alice").await, account(&db, "bob").await, account(&db, "carol").await);
    let lab = organization(&db, "lab", &alice).await;
    let new = NewInvitation {
        hash: "h",
        organization: Some((lab.id, Action::Write)),
        email: "",
        invited_by: "alice",
        created_ms: NOW_MS,
        expires_ms: NOW_MS + 10,
    };
    invitations::create(&db, &new).await.unwrap();
    assert!(invitations::by_hash(&db, "h", NOW_MS + 10).await.unwrap().is_none());
    assert!(invitations::accept(&db, "h", bob.id, NOW_MS + 10).await.unwrap().is_none());
    let (one, other) = tokio::join!(
        invitations::accept(&db, "h", bob.id, NOW_MS),
        invitations::accept(&db, "h", carol.id, NOW_MS)
    );
    assert!(one.unwrap().is_some() != other.unwrap().is_some());
    assert_eq!(members::list(&db, lab.id, None, 10).await.unwrap().items.len(), 2);
    let again =
        invitations::create(&db, &NewInvitation { hash: "i", organization: None, ..new }).await.unwrap();
    assert!(matches!(invitations::delete(&db, Some(lab.id), again.id).await, Err(Error::NotFound { .. })));
    assert_eq!(invitations::list(&db, None, None, 10).await.unwrap().items, std::slice::from_ref(&again));
    invitations::delete(&db, None, again.id).await.unwrap();
}

async fn an_invitation_takes_no_right_away(db: Db) {
    let alice = account(&db, "alice").await;
    let lab = organization(&db, "lab", &alice).await;
    let new = NewInvitation {
        hash: "h",
        organization: Some((lab.id, Action::Read)),
        email: "",
        invited_by: "alice",
        created_ms: NOW_MS,
        expires_ms: NOW_MS + 10,
    };
    invitations::create(&db, &new).await.unwrap();
    invitations::accept(&db, "h", alice.id, NOW_MS).await.unwrap().unwrap();
    assert_eq!(members::role(&db, lab.id, alice.id).await.unwrap(), Some(Action::Administer));
}

async fn events_are_found_by_who_and_what(db: Db) {
    for (at_ms, actor, subject) in [(1, "alice", "alice/iris"), (2, "bob", "alice/iris"), (3, "bob", "lab")] {
        events::add(&db, &NewEvent { at_ms, actor, verb: "grant", subject, detail: "read" }).await.unwrap();
    }
    let times = async |filter| {
        let page = events::list(&db, filter, None, 10).await.unwrap();
        page.items.into_iter().map(|event| event.at_ms).collect::<Vec<_>>()
    };
    assert_eq!(times(Filter::default()).await, [3, 2, 1]);
    assert_eq!(times(Filter { actor: Some("bob"), ..Filter::default() }).await, [3, 2]);
    assert_eq!(times(Filter { actor: Some("bob"), since_ms: 3, ..Filter::default() }).await, [3]);
    assert_eq!(times(Filter { actor: Some("bob"), subject: Some("alice/iris"), since_ms: 0 }).await, [2]);
    let first = events::list(&db, Filter::default(), None, 2).await.unwrap();
    let rest = events::list(&db, Filter::default(), first.next.as_deref(), 2).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (2, 1, None));
    assert_eq!(events::delete_before(&db, 3).await.unwrap(), 2);
}
