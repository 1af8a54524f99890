//! Profiles, identities, sessions and the end of an account, over both databases.

use spec::name::AccountName;
use spec::rights::Action;
use store::db::accounts::{self, Account, AccountKind, NewAccount, Profile};
use store::db::identities::{self, Identity};
use store::db::repositories::{self, Viewer};
use store::db::sessions::{self, NewSession};
use store::db::{discussions, likes, members};
use store::{Db, Error};

use crate::world::{NOW_MS, account, repository};

on_both_databases!(
    an_identity_is_one_account,
    only_an_address_that_somebody_vouches_for_finds_an_account,
    all_sessions_end_but_one,
    what_an_account_leaves_behind,
    of_two_admins_who_leave_at_once_one_stays,
);

async fn an_identity_is_one_account(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let of = |subject: &str, account: &Account| Identity {
        issuer: "https://idp.example".to_owned(),
        subject: subject.to_owned(),
        account_id: account.id,
        created_ms: NOW_MS,
    };
    identities::create(&db, &of("s1", &alice)).await.unwrap();
    // Subjects tell the cases of letters apart.
    identities::create(&db, &of("S1", &bob)).await.unwrap();
    let taken = identities::create(&db, &of("s1", &bob)).await.unwrap_err();
    assert!(taken.is_already_exists(), "{taken}");
    let found = identities::account(&db, "https://idp.example", "s1").await.unwrap().unwrap();
    assert_eq!(found.id, alice.id);
    assert!(identities::account(&db, "https://other.example", "s1").await.unwrap().is_none());
    assert_eq!(identities::list(&db, bob.id).await.unwrap(), [of("S1", &bob)]);
    accounts::delete(&db, alice.id).await.unwrap();
    assert!(identities::account(&db, "https://idp.example", "s1").await.unwrap().is_none());
}

async fn only_an_address_that_somebody_vouches_for_finds_an_account(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let profile = |email_is_verified| Profile {
        full_name: "Alice".to_owned(),
        email: "alice@example.org".to_owned(),
        email_is_verified,
    };
    accounts::set_profile(&db, bob.id, &profile(false)).await.unwrap();
    assert_eq!(accounts::by_verified_email(&db, "alice@example.org").await.unwrap(), []);
    accounts::set_profile(&db, alice.id, &profile(true)).await.unwrap();
    let found = accounts::by_verified_email(&db, "alice@example.org").await.unwrap();
    assert_eq!(found.iter().map(|account| account.id).collect::<Vec<_>>(), [alice.id]);
    assert_eq!(accounts::by_verified_email(&db, "").await.unwrap(), []);
    assert_eq!(accounts::profile(&db, alice.id).await.unwrap(), Some(profile(true)));
}

async fn all_sessions_end_but_one(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    for (account, hash) in [(&alice, "a1"), (&alice, "a2"), (&alice, "a3"), (&bob, "b1")] {
        let (created_ms, expires_ms) = (NOW_MS, NOW_MS + 1000);
        let new =
            NewSession { account_id: account.id, hash, csrf: "c", created_ms, expires_ms, label: "Firefox" };
        sessions::create(&db, &new).await.unwrap();
    }
    sessions::touch(&db, "a2", NOW_MS + 5).await.unwrap();
    assert_eq!(sessions::delete_others(&db, alice.id, "a2").await.unwrap(), 2);
    let left = sessions::list(&db, alice.id, NOW_MS, 10).await.unwrap();
    assert_eq!(
        left.iter().map(|s| (s.hash.as_str(), s.last_used_ms)).collect::<Vec<_>>(),
        [("a2", Some(NOW_MS + 5))]
    );
    assert_eq!(sessions::list(&db, bob.id, NOW_MS, 10).await.unwrap().len(), 1);
}

async fn what_an_account_leaves_behind(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let iris = repository(&db, &alice, "iris").await;
    likes::put(&db, iris.id, bob.id, NOW_MS).await.unwrap();
    let data = r#"{"text":"Why?"}"#;
    let opening =
        discussions::NewEvent { author: bob.id, kind: discussions::EventKind::Comment, data, now_ms: NOW_MS };
    let new = discussions::NewDiscussion {
        repository: iris.id,
        title: "Question",
        status: discussions::Status::Open,
        base: None,
        opening,
    };
    discussions::create(&db, &new).await.unwrap();
    let said =
        async |account, viewer| discussions::said(&db, (account, viewer), None, 10).await.unwrap().items;
    let of_bob = said(bob.id, Viewer::Account(bob.id)).await;
    assert_eq!((of_bob[0].repository.as_deref(), of_bob[0].data.as_str()), (Some("alice/iris"), data));
    assert!(said(alice.id, Viewer::Account(alice.id)).await.is_empty());
    // Of what was closed to him he gets his words, and not what it is called now.
    repositories::set_private(&db, iris.id, true, NOW_MS).await.unwrap();
    let of_bob = said(bob.id, Viewer::Account(bob.id)).await;
    assert_eq!((of_bob[0].repository.as_deref(), of_bob[0].data.as_str()), (None, data));
    assert_eq!(said(bob.id, Viewer::Everything).await[0].repository.as_deref(), Some("alice/iris"));
    accounts::delete(&db, bob.id).await.unwrap();
    // The count follows the likes, and what was said stays without a name.
    assert_eq!(repositories::by_id(&db, iris.id).await.unwrap().unwrap().n_likes, 0);
    let (_, left) = discussions::list(&db, iris.id, discussions::Filter::default(), 0, 10).await.unwrap();
    assert_eq!((left[0].title.as_str(), left[0].author_name.as_deref()), ("Question", None));
    assert!(matches!(accounts::delete(&db, alice.id).await, Err(Error::NotEmpty { .. })));
}

async fn of_two_admins_who_leave_at_once_one_stays(db: Db) {
    let make = async |name: &str, kind, is_admin| {
        let name: AccountName = name.parse().unwrap();
        let new = NewAccount { name: &name, kind, password_hash: None, is_admin, created_ms: NOW_MS };
        accounts::create(&db, &new).await.unwrap()
    };
    let (root, other) =
        (make("root", AccountKind::User, true).await, make("other", AccountKind::User, true).await);
    let outcome = leave_at_once(&db, [&root, &other]).await;
    assert!(matches!(outcome, Error::LastServerAdmin), "{outcome}");
    assert_eq!(accounts::n_admins(&db).await.unwrap(), 1);

    let lab = make("lab", AccountKind::Organization, false).await;
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    for member in [&alice, &bob] {
        members::put(&db, lab.id, member.id, Action::Administer, NOW_MS).await.unwrap();
    }
    let outcome = leave_at_once(&db, [&alice, &bob]).await;
    assert!(matches!(outcome, Error::LastAdmin), "{outcome}");
    assert_eq!(members::list(&db, lab.id, None, 10).await.unwrap().items.len(), 1);
}

/// Why the one of two who stays could not leave.
async fn leave_at_once(db: &Db, [one, other]: [&Account; 2]) -> Error {
    let (one, other) = tokio::join!(accounts::delete(db, one.id), accounts::delete(db, other.id));
    match (one, other) {
        (Ok(()), Err(error)) | (Err(error), Ok(())) => error,
        both => panic!("{both:?}"),
    }
}
