//! Access requests of gated repositories: asked once, decided by the last word, over both databases.

use store::Db;
use store::db::access_requests::{self, NewState, RequestState};
use store::db::repositories::{self, Gate};

use crate::world::{NOW_MS, account, repository};

on_both_databases!(a_request_waits_for_a_decision, who_has_not_asked_can_be_let_in, a_gate_is_read_back,);

async fn a_request_waits_for_a_decision(db: Db) {
    let (alice, bob) = (account(&db, "alice").await, account(&db, "bob").await);
    let iris = repository(&db, &alice, "iris").await;
    let (repository, account) = (iris.id, bob.id);
    let asked =
        NewState { repository, account, state: RequestState::Pending, text: "for a study", now_ms: NOW_MS };
    let find = async || access_requests::find(&db, iris.id, bob.id).await.unwrap();
    assert_eq!(find().await, None);
    access_requests::ask(&db, &asked).await.unwrap();
    let rejected = NewState { state: RequestState::Rejected, text: "no", now_ms: NOW_MS + 1, ..asked };
    access_requests::decide(&db, &rejected).await.unwrap();
    // To ask again does not undo what was decided.
    access_requests::ask(&db, &asked).await.unwrap();
    let found = find().await.unwrap();
    assert_eq!(
        (found.state, found.message.as_str(), found.reason.as_str()),
        (RequestState::Rejected, "for a study", "no")
    );
    assert_eq!((found.created_ms, found.updated_ms), (NOW_MS, NOW_MS + 1));
    assert_eq!(access_requests::by_id(&db, iris.id, found.id).await.unwrap(), Some(found));
    assert!(access_requests::delete(&db, iris.id, bob.id).await.unwrap());
    assert!(!access_requests::delete(&db, iris.id, bob.id).await.unwrap());
}

async fn who_has_not_asked_can_be_let_in(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    for name in ["bob", "carol"] {
        let account = account(&db, name).await.id;
        let new = NewState {
            repository: iris.id,
            account,
            state: RequestState::Accepted,
            text: "",
            now_ms: NOW_MS,
        };
        access_requests::decide(&db, &new).await.unwrap();
    }
    let list = async |state, after: Option<&str>| {
        let page = access_requests::list(&db, iris.id, state, after, 1).await.unwrap();
        (page.items.into_iter().map(|request| request.account_name).collect::<Vec<_>>(), page.next)
    };
    let (first, next) = list(RequestState::Accepted, None).await;
    assert_eq!(
        (first, list(RequestState::Accepted, next.as_deref()).await),
        (vec!["bob".to_owned()], (vec!["carol".to_owned()], None))
    );
    assert_eq!(list(RequestState::Pending, None).await.0, Vec::<String>::new());
    repositories::delete(&db, iris.id).await.unwrap();
}

async fn a_gate_is_read_back(db: Db) {
    let alice = account(&db, "alice").await;
    let iris = repository(&db, &alice, "iris").await;
    assert_eq!(iris.gate, Gate::Open);
    for gate in [Gate::Manual, Gate::Auto] {
        repositories::set_gate(&db, iris.id, gate, NOW_MS).await.unwrap();
        assert_eq!(repositories::by_id(&db, iris.id).await.unwrap().unwrap().gate, gate);
    }
}
