//! Gated repositories: what the gate keeps back, from whom, and how one passes it.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Actor, Server};

const REQUESTS: &str = "/api/models/alice/iris/user-access-request";
const FILE: &str = "/alice/iris/resolve/main/w.bin";

async fn with_gate(gate: &str) -> Server {
    let server = Server::start().await;
    server.create("iris", "public").await;
    server.push("iris", &[("README.md", b"# Iris\n"), ("w.bin", b"weights")]).await;
    let request = server.request(Actor::Owner, Method::PUT, "/api/models/alice/iris/settings");
    let set = request.json(&json!({ "gated": gate })).send().await.unwrap();
    assert_eq!(set.status(), StatusCode::OK);
    server
}

async fn file(server: &Server, actor: Actor) -> StatusCode {
    server.get(actor, FILE).await.status()
}

async fn ask(server: &Server, message: &str) -> StatusCode {
    let request = server.request(Actor::Stranger, Method::POST, "/alice/iris/ask-access");
    request.form(&[("message", message)]).send().await.unwrap().status()
}

async fn handle(server: &Server, actor: Actor, body: Value) -> StatusCode {
    server.post(actor, &format!("{REQUESTS}/handle"), &body).await.status()
}

async fn listed(server: &Server, status: &str) -> Vec<Value> {
    server.read(&format!("{REQUESTS}/{status}")).await.as_array().unwrap().clone()
}

#[tokio::test]
async fn a_gate_keeps_back_files_alone() {
    let server = with_gate("manual").await;
    for actor in [Actor::Nobody, Actor::Stranger] {
        for method in [Method::GET, Method::HEAD] {
            let refused = server.request(actor, method, FILE).send().await.unwrap();
            assert_eq!(refused.status(), StatusCode::FORBIDDEN);
            assert_eq!(refused.headers()["x-error-code"], "GatedRepo");
        }
        let blob = server.get(actor, "/alice/iris/blob/main/w.bin").await;
        assert_eq!(blob.status(), StatusCode::FORBIDDEN);
        assert!(!blob.text().await.unwrap().contains("weights"));
        let check = server.get(actor, "/api/models/alice/iris/auth-check").await;
        assert_eq!(check.headers()["x-error-code"], "GatedRepo");
        let info: Value = server.get(actor, "/api/models/alice/iris").await.json().await.unwrap();
        assert_eq!(info["gated"], "manual");
        let page = server.get(actor, "/alice/iris").await.text().await.unwrap();
        assert!(page.contains("The files are had by asking"), "{page}");
        assert_eq!(server.get(actor, "/alice/iris/tree/main").await.status(), StatusCode::OK);
    }
    // A token of the owner's that may only read is the owner's still.
    for actor in [Actor::Owner, Actor::Reader, Actor::Admin, Actor::Session] {
        assert_eq!(file(&server, actor).await, StatusCode::OK, "{actor:?}");
    }
}

#[tokio::test]
async fn a_request_is_accepted_and_taken_away_again() {
    let server = with_gate("manual").await;
    let anonymous = server.request(Actor::Nobody, Method::POST, "/alice/iris/ask-access");
    let anonymous = anonymous.form(&[("message", "x")]).send().await.unwrap();
    assert_eq!(anonymous.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(&server, "for <b>science</b>").await, StatusCode::SEE_OTHER);
    assert_eq!(file(&server, Actor::Stranger).await, StatusCode::FORBIDDEN);
    let pending = listed(&server, "pending").await;
    assert_eq!((pending.len(), &pending[0]["user"]["user"]), (1, &json!("bob")));
    assert_eq!(pending[0]["fields"]["message"], "for <b>science</b>");
    let page = server.get(Actor::Session, "/alice/iris/settings/access").await.text().await.unwrap();
    assert!(page.contains("bob") && !page.contains("<b>science"), "{page}");

    let accept = json!({ "user": "bob", "status": "accepted" });
    for actor in [Actor::Nobody, Actor::Stranger, Actor::Reader] {
        assert!(handle(&server, actor, accept.clone()).await.is_client_error());
    }
    assert_eq!(file(&server, Actor::Stranger).await, StatusCode::FORBIDDEN);
    assert_eq!(handle(&server, Actor::Owner, accept).await, StatusCode::OK);
    assert_eq!(file(&server, Actor::Stranger).await, StatusCode::OK);
    assert_eq!(file(&server, Actor::Nobody).await, StatusCode::FORBIDDEN);

    let id = listed(&server, "accepted").await[0]["requestId"].clone();
    let reject = json!({ "requestId": id, "status": "rejected", "rejectionReason": "too late" });
    assert_eq!(handle(&server, Actor::Owner, reject).await, StatusCode::OK);
    assert_eq!(file(&server, Actor::Stranger).await, StatusCode::FORBIDDEN);
    // Neither asking again nor taking the request back undoes it.
    ask(&server, "please").await;
    let cancel = server.post(Actor::Stranger, &format!("{REQUESTS}/cancel"), &json!({})).await;
    assert_eq!(cancel.status(), StatusCode::NOT_FOUND);
    assert_eq!(listed(&server, "rejected").await[0]["rejectionReason"], "too late");
    assert_eq!(file(&server, Actor::Stranger).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn where_asking_is_enough_nobody_waits() {
    let server = with_gate("auto").await;
    assert_eq!(file(&server, Actor::Stranger).await, StatusCode::FORBIDDEN);
    ask(&server, "").await;
    assert_eq!(file(&server, Actor::Stranger).await, StatusCode::OK);
    let cancel = server.post(Actor::Stranger, &format!("{REQUESTS}/cancel"), &json!({})).await;
    assert_eq!(cancel.status(), StatusCode::OK);
    assert_eq!(file(&server, Actor::Stranger).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_cannot_be_decided_is_refused() {
    let server = with_gate("manual").await;
    let check = async |body: Value, wanted: StatusCode| {
        assert_eq!(handle(&server, Actor::Owner, body.clone()).await, wanted, "{body}");
    };
    check(json!({ "user": "bob", "status": "accepted" }), StatusCode::NOT_FOUND).await;
    check(json!({ "user": "nobody-here", "status": "accepted" }), StatusCode::NOT_FOUND).await;
    check(json!({ "requestId": "999", "status": "accepted" }), StatusCode::NOT_FOUND).await;
    check(json!({ "requestId": "x", "status": "accepted" }), StatusCode::NOT_FOUND).await;
    check(json!({ "status": "accepted" }), StatusCode::BAD_REQUEST).await;
    check(json!({ "user": "bob", "status": "maybe" }), StatusCode::BAD_REQUEST).await;
    let grant = async |user: &str| {
        server.post(Actor::Owner, &format!("{REQUESTS}/grant"), &json!({ "user": user })).await.status()
    };
    assert_eq!(grant("bob").await, StatusCode::OK);
    assert_eq!(grant("bob").await, StatusCode::BAD_REQUEST);
    assert_eq!(grant("nobody-here").await, StatusCode::NOT_FOUND);
    assert_eq!(file(&server, Actor::Stranger).await, StatusCode::OK);
    let set = server.request(Actor::Owner, Method::PUT, "/api/models/alice/iris/settings");
    set.json(&json!({ "gated": false })).send().await.unwrap();
    assert_eq!(file(&server, Actor::Nobody).await, StatusCode::OK);
    assert_eq!(grant("bob").await, StatusCode::BAD_REQUEST);
    assert_eq!(ask(&server, "x").await, StatusCode::BAD_REQUEST);
}
