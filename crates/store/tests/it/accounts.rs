//! Accounts, tokens, sessions, sign-in links, secrets.

use spec::name::AccountName;
use store::db::accounts::{self, AccountKind, NewAccount};
use store::db::secrets;
use store::db::sessions::{self, NewSession};
use store::db::tokens::{self, NewToken, Scope};
use store::{Db, Error};

use crate::world::{NOW_MS, account};

on_both_databases!(
    a_name_is_taken_in_any_case_of_its_letters,
    a_password_is_kept_apart_from_the_account,
    accounts_come_in_pages_by_age,
    admins_are_counted,
    a_revoked_token_is_not_found,
    a_token_is_revoked_only_by_its_account,
    the_use_of_a_token_never_goes_back,
    an_expired_token_is_not_found,
    a_token_goes_with_the_one_that_made_it,
    a_session_is_ended_by_its_account_alone,
    an_expired_session_is_not_found,
    a_sign_in_link_is_taken_once,
    an_expired_link_is_not_taken,
    all_who_ask_for_a_secret_get_the_same,
    what_hangs_on_no_account_is_refused,
);

async fn a_name_is_taken_in_any_case_of_its_letters(db: Db) {
    let alice = account(&db, "Alice").await;
    let name: AccountName = "aLICE".parse().unwrap();
    let new = NewAccount {
        name: &name,
        kind: AccountKind::Organization,
        password_hash: None,
        is_admin: false,
        created_ms: NOW_MS,
    };
    let error = accounts::create(&db, &new).await.unwrap_err();
    assert!(matches!(&error, Error::AlreadyExists { what: "account", name } if name == "aLICE"), "{error:?}");
    assert_eq!(accounts::by_name(&db, "ALICE").await.unwrap(), Some(alice.clone()));
    assert_eq!(accounts::by_id(&db, alice.id).await.unwrap().unwrap().name, "Alice");
    assert_eq!(accounts::by_name(&db, "bob").await.unwrap(), None);
}

async fn a_password_is_kept_apart_from_the_account(db: Db) {
    let alice = account(&db, "alice").await;
    assert_eq!(accounts::password_hash(&db, alice.id).await.unwrap(), None);
    accounts::set_password(&db, alice.id, Some("$argon2id$…")).await.unwrap();
    assert_eq!(accounts::password_hash(&db, alice.id).await.unwrap().as_deref(), Some("$argon2id$…"));
    let nobody = store::db::ids::AccountId(alice.id.0 + 1);
    assert!(matches!(accounts::set_password(&db, nobody, None).await, Err(Error::NotFound { .. })));
}

async fn accounts_come_in_pages_by_age(db: Db) {
    for name in ["cy", "al", "bo"] {
        account(&db, name).await;
    }
    let first = accounts::list(&db, None, 2).await.unwrap();
    let second = accounts::list(&db, first.next.as_deref(), 2).await.unwrap();
    let names: Vec<&str> = first.items.iter().chain(&second.items).map(|found| found.name.as_str()).collect();
    assert_eq!(names, ["cy", "al", "bo"]);
    assert_eq!(second.next, None);
    assert!(matches!(accounts::list(&db, Some("x'"), 2).await, Err(Error::Cursor(_))));
}

async fn admins_are_counted(db: Db) {
    account(&db, "alice").await;
    assert_eq!(accounts::n_admins(&db).await.unwrap(), 0);
    let name: AccountName = "root".parse().unwrap();
    let kind = AccountKind::User;
    let new = NewAccount { name: &name, kind, password_hash: None, is_admin: true, created_ms: NOW_MS };
    assert!(accounts::create(&db, &new).await.unwrap().is_admin);
    assert_eq!(accounts::n_admins(&db).await.unwrap(), 1);
}

async fn a_revoked_token_is_not_found(db: Db) {
    let alice = account(&db, "alice").await;
    let new = NewToken { scope: Scope::Write, ..token_of(&alice) };
    let token = tokens::create(&db, &new).await.unwrap();
    let (found, whose) = tokens::by_hash(&db, "ab12", NOW_MS).await.unwrap().unwrap();
    assert_eq!((found.id, found.scope, whose), (token.id, Scope::Write, alice.clone()));
    tokens::revoke(&db, alice.id, token.id).await.unwrap();
    assert_eq!(tokens::by_hash(&db, "ab12", NOW_MS).await.unwrap(), None);
    let listed = tokens::list(&db, alice.id, None, 10).await.unwrap().items;
    assert!(listed.len() == 1 && listed[0].is_revoked);
    assert!(tokens::create(&db, &new).await.unwrap_err().is_already_exists());
}

fn token_of(account: &accounts::Account) -> NewToken<'static> {
    NewToken {
        account_id: account.id,
        name: "laptop",
        hash: "ab12",
        scope: Scope::Write,
        created_ms: NOW_MS,
        expires_ms: None,
        repository_id: None,
        parent_id: None,
    }
}

async fn a_token_goes_with_the_one_that_made_it(db: Db) {
    let alice = account(&db, "alice").await;
    let parent = tokens::create(&db, &token_of(&alice)).await.unwrap();
    let child = NewToken { hash: "cd34", parent_id: Some(parent.id), ..token_of(&alice) };
    tokens::create(&db, &child).await.unwrap();
    tokens::create(&db, &NewToken { hash: "ef56", ..token_of(&alice) }).await.unwrap();
    tokens::revoke(&db, alice.id, parent.id).await.unwrap();
    assert_eq!(tokens::by_hash(&db, "cd34", NOW_MS).await.unwrap(), None);
    assert!(tokens::by_hash(&db, "ef56", NOW_MS).await.unwrap().is_some());
}

async fn an_expired_token_is_not_found(db: Db) {
    let alice = account(&db, "alice").await;
    let new = NewToken { expires_ms: Some(NOW_MS + 5), ..token_of(&alice) };
    tokens::create(&db, &new).await.unwrap();
    assert!(tokens::by_hash(&db, "ab12", NOW_MS + 4).await.unwrap().is_some());
    assert!(tokens::by_hash(&db, "ab12", NOW_MS + 5).await.unwrap().is_none());
}

async fn a_session_is_ended_by_its_account_alone(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    for (hash, created_ms) in [("aa11", NOW_MS), ("bb22", NOW_MS + 1)] {
        let expires_ms = NOW_MS + 10;
        let new =
            NewSession { account_id: alice.id, hash, csrf: "c", created_ms, expires_ms, label: "Firefox" };
        sessions::create(&db, &new).await.unwrap();
    }
    let hashes = async || {
        let list = sessions::list(&db, alice.id, NOW_MS, 10).await.unwrap();
        list.into_iter().map(|session| session.hash).collect::<Vec<_>>()
    };
    assert_eq!(hashes().await, ["bb22", "aa11"]);
    assert!(matches!(sessions::delete_of(&db, bob.id, "aa").await, Err(Error::NotFound { .. })));
    sessions::delete_of(&db, alice.id, "aa").await.unwrap();
    assert_eq!(hashes().await, ["bb22"]);
    assert!(sessions::list(&db, alice.id, NOW_MS + 10, 10).await.unwrap().is_empty());
}

async fn a_token_is_revoked_only_by_its_account(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let new = NewToken { scope: Scope::Read, ..token_of(&alice) };
    let token = tokens::create(&db, &new).await.unwrap();
    assert!(matches!(
        tokens::revoke(&db, bob.id, token.id).await,
        Err(Error::NotFound { what: "token", .. })
    ));
    assert!(tokens::by_hash(&db, "ab12", NOW_MS).await.unwrap().is_some());
}

async fn the_use_of_a_token_never_goes_back(db: Db) {
    let alice = account(&db, "alice").await;
    let new = NewToken { scope: Scope::Read, ..token_of(&alice) };
    let token = tokens::create(&db, &new).await.unwrap();
    assert_eq!(token.last_used_ms, None);
    for at_ms in [NOW_MS + 5, NOW_MS + 3] {
        tokens::touch(&db, token.id, at_ms).await.unwrap();
    }
    let (found, _) = tokens::by_hash(&db, "ab12", NOW_MS).await.unwrap().unwrap();
    assert_eq!(found.last_used_ms, Some(NOW_MS + 5));
}

async fn an_expired_session_is_not_found(db: Db) {
    let alice = account(&db, "alice").await;
    let expires_ms = NOW_MS + 1000;
    let new = NewSession {
        account_id: alice.id,
        hash: "s",
        csrf: "c",
        created_ms: NOW_MS,
        expires_ms,
        label: "Firefox",
    };
    sessions::create(&db, &new).await.unwrap();
    let (session, whose) = sessions::by_hash(&db, "s", expires_ms - 1).await.unwrap().unwrap();
    assert_eq!((session.csrf.as_str(), whose.name.as_str()), ("c", "alice"));
    assert!(sessions::by_hash(&db, "s", expires_ms).await.unwrap().is_none());
    assert_eq!(sessions::delete_expired(&db, expires_ms).await.unwrap(), 1);
    sessions::create(&db, &new).await.unwrap();
    sessions::delete(&db, "s").await.unwrap();
    assert!(sessions::by_hash(&db, "s", NOW_MS).await.unwrap().is_none());
}

async fn a_sign_in_link_is_taken_once(db: Db) {
    let alice = account(&db, "alice").await;
    sessions::create_link(&db, "link", alice.id, NOW_MS + 1000).await.unwrap();
    let takers = (0..32).map(|_| {
        let db = db.clone();
        tokio::spawn(async move { sessions::take_link(&db, "link", NOW_MS).await.unwrap() })
    });
    let mut taken = Vec::new();
    for taker in takers.collect::<Vec<_>>() {
        taken.extend(taker.await.unwrap());
    }
    assert_eq!(taken, [alice.id]);
}

async fn an_expired_link_is_not_taken(db: Db) {
    let alice = account(&db, "alice").await;
    sessions::create_link(&db, "link", alice.id, NOW_MS).await.unwrap();
    assert_eq!(sessions::take_link(&db, "link", NOW_MS).await.unwrap(), None);
    assert_eq!(sessions::take_link(&db, "other", NOW_MS).await.unwrap(), None);
}

async fn all_who_ask_for_a_secret_get_the_same(db: Db) {
    let asking = (0..16).map(|n| {
        let db = db.clone();
        tokio::spawn(async move { secrets::get_or_create(&db, "key", &format!("value {n}")).await.unwrap() })
    });
    let mut answers = std::collections::BTreeSet::new();
    for answer in asking.collect::<Vec<_>>() {
        answers.insert(answer.await.unwrap());
    }
    assert_eq!(answers.len(), 1);
    assert_ne!(secrets::get_or_create(&db, "other", "x").await.unwrap(), *answers.first().unwrap());
}

async fn what_hangs_on_no_account_is_refused(db: Db) {
    let nobody = store::db::ids::AccountId(12345);
    let token = NewToken {
        account_id: nobody,
        name: "t",
        hash: "h",
        scope: Scope::Read,
        created_ms: NOW_MS,
        expires_ms: None,
        repository_id: None,
        parent_id: None,
    };
    assert!(matches!(tokens::create(&db, &token).await, Err(Error::NotFound { what: "account", .. })));
    let session =
        NewSession { account_id: nobody, hash: "s", csrf: "c", created_ms: 0, expires_ms: 1, label: "" };
    assert!(matches!(sessions::create(&db, &session).await, Err(Error::NotFound { what: "account", .. })));
}
