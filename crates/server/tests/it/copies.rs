//! Copies between repositories: who may make them of what, and that no bytes are sent for them.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use spec::digest::Sha256;

use crate::server::{Actor, Server, header, ndjson};
use crate::xet::{Sample, push};

async fn with_file() -> (Server, Sample) {
    let server = Server::start().await;
    server.create("iris", "private").await;
    let sample = Sample::new(1);
    push(&server, "iris", &sample).await;
    (server, sample)
}

/// Asks to have a sample of `alice/iris` in another repository.
async fn copy(server: &Server, actor: Actor, to: &str, sample: &Sample) -> Response {
    let file = json!({
        "xetHash": sample.file_hash(), "sha256": Sha256::of(&sample.bytes()), "filename": "w.bin"
    });
    let body = json!({ "target": { "type": "model", "name": to }, "files": [file] });
    server.post(actor, "/api/models/alice/iris/lfs-files/duplicate", &body).await
}

async fn failed(response: Response) -> Vec<String> {
    assert_eq!(response.status(), StatusCode::OK);
    let answer: Value = response.json().await.unwrap();
    let failed = answer["failed"].as_array().unwrap();
    failed.iter().map(|file| file["sha256"].as_str().unwrap().to_owned()).collect()
}

/// Commits the sample by its digest alone, as a client does after it asked for the copy.
async fn commit(server: &Server, actor: Actor, to: &str, sample: &Sample) -> StatusCode {
    let file = json!({ "path": "copy.bin", "algo": "sha256", "oid": Sha256::of(&sample.bytes()) });
    let lines = ndjson(&[header("copy"), json!({ "key": "lfsFile", "value": file })]);
    let request = server.request(actor, Method::POST, &format!("/api/models/{to}/commit/main")).body(lines);
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn a_large_file_is_had_in_another_repository_without_its_bytes() {
    let (server, sample) = with_file().await;
    server.create("rose", "private").await;
    let n_stored = server.n_stored_files();
    assert_eq!(commit(&server, Actor::Owner, "alice/rose", &sample).await, StatusCode::BAD_REQUEST);
    let other = Sample::new(2);
    assert_eq!(
        failed(copy(&server, Actor::Owner, "alice/rose", &other).await).await,
        [Sha256::of(&other.bytes()).to_string()]
    );
    assert!(failed(copy(&server, Actor::Owner, "alice/rose", &sample).await).await.is_empty());
    assert_eq!(commit(&server, Actor::Owner, "alice/rose", &sample).await, StatusCode::OK);
    let back = server.get(Actor::Owner, "/alice/rose/resolve/main/copy.bin").await;
    assert!(back.bytes().await.unwrap() == sample.bytes());
    assert_eq!(server.n_stored_files(), n_stored);
}

#[tokio::test]
async fn who_copies_a_file_reads_the_one_and_writes_the_other() {
    let (server, sample) = with_file().await;
    for (owner, name) in [(Actor::Stranger, "bobs"), (Actor::Owner, "closed")] {
        let body = json!({ "name": name, "visibility": "private" });
        assert_eq!(server.post(owner, "/api/repos/create", &body).await.status(), StatusCode::OK);
    }
    let status = async |actor, to| copy(&server, actor, to, &sample).await.status();
    assert_eq!(status(Actor::Stranger, "bob/bobs").await, StatusCode::NOT_FOUND);
    assert_eq!(status(Actor::Nobody, "bob/bobs").await, StatusCode::NOT_FOUND);
    assert_eq!(status(Actor::Owner, "bob/bobs").await, StatusCode::NOT_FOUND);
    assert_eq!(status(Actor::Reader, "alice/closed").await, StatusCode::FORBIDDEN);
    // What all may read, all may have in a repository of their own, and in no other's.
    let open = |settings: Value| {
        let path = "/api/models/alice/iris/settings";
        server.request(Actor::Owner, Method::PUT, path).json(&settings).send()
    };
    open(json!({ "visibility": "public" })).await.unwrap();
    assert_eq!(status(Actor::Stranger, "alice/closed").await, StatusCode::NOT_FOUND);
    open(json!({ "gated": "manual" })).await.unwrap();
    assert_eq!(status(Actor::Stranger, "bob/bobs").await, StatusCode::FORBIDDEN);
    assert_eq!(commit(&server, Actor::Stranger, "bob/bobs", &sample).await, StatusCode::BAD_REQUEST);
    open(json!({ "gated": false })).await.unwrap();
    assert_eq!(status(Actor::Stranger, "bob/bobs").await, StatusCode::OK);
    assert_eq!(commit(&server, Actor::Stranger, "bob/bobs", &sample).await, StatusCode::OK);
}

#[tokio::test]
async fn a_repository_is_copied_with_its_history() {
    let (server, sample) = with_file().await;
    server.push("iris", &[("a.txt", b"second")]).await;
    let n_stored = server.n_stored_files();
    let body = json!({ "repository": "alice/copy" });
    let path = "/api/models/alice/iris/duplicate";
    let made: Value = server.post(Actor::Owner, path, &body).await.json().await.unwrap();
    assert_eq!(made, json!({ "url": format!("{}/alice/copy", server.url), "filesCopyPending": false }));
    assert_eq!(server.n_stored_files(), n_stored);
    assert_eq!(server.get(Actor::Stranger, "/api/models/alice/copy").await.status(), StatusCode::NOT_FOUND);
    let (old, new) = (
        server.read("/api/models/alice/iris/commits/main").await,
        server.read("/api/models/alice/copy/commits/main").await,
    );
    assert_eq!(old, new);
    let back = server.get(Actor::Owner, "/alice/copy/resolve/main/w.bin").await;
    assert!(back.bytes().await.unwrap() == sample.bytes());
    let again = server.post(Actor::Owner, path, &body).await;
    assert_eq!(again.status(), StatusCode::CONFLICT);
    assert_eq!(again.json::<Value>().await.unwrap()["url"], made["url"]);
    let status = async |actor, body: Value| server.post(actor, path, &body).await.status();
    assert_eq!(status(Actor::Stranger, json!({ "repository": "bob/copy" })).await, StatusCode::NOT_FOUND);
    assert_eq!(status(Actor::Owner, json!({ "repository": "bob/copy" })).await, StatusCode::FORBIDDEN);
    assert_eq!(status(Actor::Owner, json!({ "repository": "no-owner" })).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_copy_needs_room_in_its_owners_quota() {
    let server = Server::start_with(&[("account_quota", "100000 B")]).await;
    server.create("iris", "private").await;
    let sample = Sample::new(1);
    push(&server, "iris", &sample).await;
    server.create("rose", "private").await;
    // Of a hundred, each takes fifty and the little that every repository begins with.
    let refused = copy(&server, Actor::Owner, "alice/rose", &sample).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let body = json!({ "repository": "alice/copy" });
    let refused = server.post(Actor::Owner, "/api/models/alice/iris/duplicate", &body).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
}
