//! Webhooks, with a receiver that is really there: what is told, how it is signed, what becomes of failures.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Actor, Server};

const HERE: (&str, &str) = ("private_webhooks", "allow");
const QUICK: (&str, &str) = ("webhook_retry", "20ms");
const TIME: Duration = Duration::from_secs(20);

/// What a receiver got: headers and body.
type Got = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A receiver on a free port that answers with these statuses in turn, and with the last one ever after.
async fn receiver(statuses: &'static [u16]) -> (String, Got) {
    let got = Got::default();
    let kept = Arc::clone(&got);
    let take = async move |headers: HeaderMap, body: Bytes| {
        let mut kept = kept.lock().unwrap();
        let status = statuses[kept.len().min(statuses.len() - 1)];
        kept.push((headers, String::from_utf8(body.to_vec()).unwrap()));
        (StatusCode::from_u16(status).unwrap(), [("location", "http://127.0.0.1:9/")])
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let app = axum::Router::new().route("/hook", axum::routing::post(take));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, got)
}

/// Makes a webhook of Alice's model; its path and its key.
async fn make(server: &Server, model: &str, body: &Value) -> (String, String) {
    let path = format!("/api/v1/models/alice/{model}/webhooks");
    let made = server.post(Actor::Owner, &path, body).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let made: Value = made.json().await.unwrap();
    (format!("{path}/{}", made["id"]), made["secret"].as_str().unwrap().to_owned())
}

/// Waits until the condition holds.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let ends = Instant::now() + TIME;
    while !holds().await {
        assert!(Instant::now() < ends, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_got(got: &Got, n: usize) -> Vec<(HeaderMap, String)> {
    until(&format!("{n} came"), async || got.lock().unwrap().len() >= n).await;
    got.lock().unwrap().clone()
}

#[tokio::test]
async fn what_happens_is_told_and_signed() {
    let server = Server::start_with(&[HERE, QUICK]).await;
    server.create("iris", "private").await;
    let (url, got) = receiver(&[200]).await;
    let (_, secret) = make(&server, "iris", &json!({ "url": url })).await;
    let oid = server.push("iris", &[("a.txt", b"a")]).await;
    let (headers, body) = until_got(&got, 1).await.remove(0);
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = format!("{}.{}.{body}", text("webhook-id"), text("webhook-timestamp"));
    let signature = STANDARD.encode(server::secrets::sign_bytes(&key, signed.as_bytes()));
    assert_eq!(text("webhook-signature"), format!("v1,{signature}"));
    let age_s = store::clock::now_ms() / 1000 - text("webhook-timestamp").parse::<i64>().unwrap();
    assert!((0..60).contains(&age_s), "{age_s}");
    let told: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(told["event"], json!({ "action": "update", "scope": "repo.content" }));
    assert_eq!(told["repo"]["name"], "alice/iris");
    assert_eq!(told["updatedRefs"][0]["ref"], "refs/heads/main");
    assert_eq!(told["updatedRefs"][0]["newSha"], oid);
    assert_eq!(told["updatedRefs"][0]["oldSha"].as_str().unwrap().len(), 40);

    let said = json!({ "title": "Question", "description": "Why?" });
    server.post(Actor::Owner, "/api/models/alice/iris/discussions", &said).await;
    server
        .post(Actor::Owner, "/api/models/alice/iris/discussions/1/comment", &json!({ "comment": "So." }))
        .await;
    server.post(Actor::Owner, "/api/models/alice/iris/tag/main", &json!({ "tag": "v1" })).await;
    let delete = json!({ "name": "iris", "organization": "alice" });
    let gone = server.request(Actor::Owner, Method::DELETE, "/api/repos/delete").json(&delete);
    assert!(gone.send().await.unwrap().status().is_success());
    let mut scopes: Vec<String> = until_got(&got, 5).await.iter().map(|(_, body)| scope(body)).collect();
    scopes.sort();
    assert_eq!(
        scopes,
        [
            "create discussion",
            "create discussion.comment",
            "delete repo",
            "update repo.content",
            "update repo.content"
        ]
    );
}

fn scope(body: &str) -> String {
    let told: Value = serde_json::from_str(body).unwrap();
    format!("{} {}", told["event"]["action"].as_str().unwrap(), told["event"]["scope"].as_str().unwrap())
}

#[tokio::test]
async fn what_is_sent_and_changed_by_hand_is_limited() {
    let server = Server::start_with(&[HERE, QUICK, ("making_rate", "4")]).await;
    server.create("iris", "private").await;
    let (url, got) = receiver(&[200]).await;
    let (path, _) = make(&server, "iris", &json!({ "url": url })).await;
    let sent = server.post(Actor::Owner, &format!("{path}/test"), &json!({})).await;
    assert_eq!(sent.status(), StatusCode::ACCEPTED);
    let sent: Value = sent.json().await.unwrap();
    until_got(&got, 1).await;
    let again = format!("{path}/deliveries/{}/redeliver", sent["id"]);
    let mut n_sent = 0;
    // As many as the rate allows go, however slow the machine is.
    until("it was too fast", async || {
        n_sent += 1;
        server.post(Actor::Owner, &again, &json!({})).await.status() == StatusCode::TOO_MANY_REQUESTS
    })
    .await;
    assert!(n_sent > 1);
    let test = server.post(Actor::Owner, &format!("{path}/test"), &json!({})).await;
    let change = server.request(Actor::Owner, Method::PUT, &path).json(&json!({ "url": url }));
    let change = change.send().await.unwrap();
    assert_eq!([test.status(), change.status()], [StatusCode::TOO_MANY_REQUESTS; 2]);
}

#[tokio::test]
async fn only_what_was_asked_for_is_told() {
    let server = Server::start_with(&[HERE, QUICK]).await;
    server.create("iris", "private").await;
    let (url, got) = receiver(&[200]).await;
    make(&server, "iris", &json!({ "url": url, "topics": ["settings"] })).await;
    server.push("iris", &[("a.txt", b"a")]).await;
    let open = server.request(Actor::Owner, Method::PUT, "/api/models/alice/iris/settings");
    assert!(open.json(&json!({ "visibility": "public" })).send().await.unwrap().status().is_success());
    let rename = json!({ "fromRepo": "alice/iris", "toRepo": "alice/rose" });
    assert!(server.post(Actor::Owner, "/api/repos/move", &rename).await.status().is_success());
    let told = until_got(&got, 2).await;
    let mut scopes: Vec<String> = told.iter().map(|(_, body)| scope(body)).collect();
    scopes.sort();
    assert_eq!(scopes, ["move repo", "update repo.config"]);
    let moved = told.iter().find(|(_, body)| scope(body) == "move repo").unwrap();
    let moved: Value = serde_json::from_str(&moved.1).unwrap();
    assert_eq!(
        (moved["repo"]["name"].as_str(), moved["movedTo"]["name"].as_str()),
        (Some("alice/iris"), Some("alice/rose"))
    );
}

#[tokio::test]
async fn what_failed_is_tried_again_and_can_be_sent_again() {
    let server = Server::start_with(&[HERE, QUICK]).await;
    server.create("iris", "private").await;
    let (url, got) = receiver(&[500, 302, 200]).await;
    let (path, _) = make(&server, "iris", &json!({ "url": url })).await;
    let sent: Value =
        server.post(Actor::Owner, &format!("{path}/test"), &json!({})).await.json().await.unwrap();
    until_got(&got, 3).await;
    let last = async || server.read(&format!("{path}/deliveries")).await["items"][0].clone();
    until("it is sent", async || last().await["state"] == "sent").await;
    let delivery = last().await;
    assert_eq!((delivery["attempts"].as_i64(), delivery["status"].as_i64()), (Some(3), Some(200)));
    // Each attempt has the same id, so that a receiver can tell.
    let ids: Vec<_> = got.lock().unwrap().iter().map(|(headers, _)| headers["webhook-id"].clone()).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let again = format!("{path}/deliveries/{}/redeliver", sent["id"]);
    assert_eq!(server.post(Actor::Owner, &again, &json!({})).await.status(), StatusCode::ACCEPTED);
    let all = until_got(&got, 4).await;
    assert_eq!(all[3].1, all[0].1);
    assert_ne!(all[3].0["webhook-id"], ids[0]);
}

#[tokio::test]
async fn a_receiver_that_never_takes_anything_is_told_nothing_more() {
    let server = Server::start_with(&[HERE, ("webhook_retry", "1h")]).await;
    server.create("iris", "private").await;
    let (url, got) = receiver(&[503]).await;
    let (path, _) = make(&server, "iris", &json!({ "url": url })).await;
    for _ in 0..20 {
        server.post(Actor::Owner, &format!("{path}/test"), &json!({})).await;
    }
    until("it is disabled", async || server.read(&path).await.get("disabled").is_some()).await;
    assert_eq!(server.read(&path).await["disabled"], "the receiver answered 503");
    server.push("iris", &[("a.txt", b"a")]).await;
    let deliveries = server.read(&format!("{path}/deliveries")).await;
    assert!(deliveries["items"].as_array().unwrap().iter().all(|one| one["event"] == "test"));
    assert_eq!(got.lock().unwrap().len(), 20);
    let put = server.request(Actor::Owner, Method::PUT, &path).json(&json!({ "url": url }));
    assert!(put.send().await.unwrap().status().is_success());
    assert_eq!(server.read(&path).await.get("disabled"), None);
}

#[tokio::test]
async fn an_address_of_a_private_network_is_refused_when_it_is_given_and_when_it_is_asked() {
    let server = Server::start_with(&[QUICK]).await;
    server.create("iris", "private").await;
    let path = "/api/v1/models/alice/iris/webhooks";
    for url in [
        "http://127.0.0.1:1/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://2130706433/",
        "http://localhost/",
        "http://10.0.0.1/",
        "ftp://example.org/",
        "https://user:pw@example.org/",
        "hook",
        "",
        &format!("https://example.org/{}", "a".repeat(2048)),
    ] {
        let refused = server.post(Actor::Owner, path, &json!({ "url": url })).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{url}");
    }
    // A name tells where it leads only when it is looked up: here, to this machine.
    let (path, _) = make(&server, "iris", &json!({ "url": "http://ip6-localhost:1/" })).await;
    server.post(Actor::Owner, &format!("{path}/test"), &json!({})).await;
    let last = async || server.read(&format!("{path}/deliveries")).await["items"][0].clone();
    until("it was tried", async || last().await["attempts"].as_i64() > Some(0)).await;
    let reason = last().await["reason"].as_str().unwrap().to_owned();
    assert!(
        ["the address leads to a private network", "no connection came about"].contains(&reason.as_str()),
        "{reason}"
    );
}

#[tokio::test]
async fn a_webhook_of_one_repository_is_none_of_another() {
    let server = Server::start_with(&[HERE, ("webhook_retry", "1h")]).await;
    for model in ["iris", "rose"] {
        server.create(model, "public").await;
    }
    let (path, secret) = make(&server, "iris", &json!({ "url": "http://127.0.0.1:1/" })).await;
    let other = path.replace("iris", "rose");
    assert_eq!(server.get(Actor::Owner, &other).await.status(), StatusCode::NOT_FOUND);
    for path in [path.as_str(), "/api/v1/models/alice/iris/webhooks", "/alice/iris/settings/webhooks"] {
        assert_eq!(server.get(Actor::Stranger, path).await.status(), StatusCode::FORBIDDEN, "{path}");
        assert_eq!(server.get(Actor::Writer, path).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let shown = server.get(Actor::Owner, "/api/v1/models/alice/iris/webhooks").await.text().await.unwrap();
    assert!(!shown.contains(&secret) && !shown.contains("whsec_"));
    for _ in 1..20 {
        make(&server, "iris", &json!({ "url": "http://127.0.0.1:1/" })).await;
    }
    let one_more = json!({ "url": "http://127.0.0.1:1/" });
    let refused = server.post(Actor::Owner, "/api/v1/models/alice/iris/webhooks", &one_more).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
}
