//! Discussions and pull requests: who may do what to them, and what merging keeps.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::server::{Actor, Server, file, header, ndjson};

const REPOSITORY: &str = "/api/models/alice/iris";

async fn with_repository() -> Server {
    let server = Server::start().await;
    server.create("iris", "public").await;
    server.push("iris", &[("README.md", b"# Iris\n"), ("a.txt", b"1"), ("b.txt", b"1")]).await;
    server
}

async fn commit(server: &Server, actor: Actor, revision: &str, lines: &[Value]) -> Response {
    let path = format!("{REPOSITORY}/commit/{revision}");
    server.request(actor, Method::POST, &path).body(ndjson(lines)).send().await.unwrap()
}

async fn post(server: &Server, actor: Actor, path: &str, body: Value) -> StatusCode {
    server.post(actor, &format!("{REPOSITORY}/discussions{path}"), &body).await.status()
}

async fn details(server: &Server, number: u32) -> Value {
    server.read(&format!("{REPOSITORY}/discussions/{number}?diff=1")).await
}

/// Bob offers a change of `a.txt` and the deletion of `b.txt`.
async fn offer(server: &Server) -> Value {
    let deleted = json!({ "key": "deletedFile", "value": { "path": "b.txt" } });
    let lines = [header("Better"), file("a.txt", b"2"), deleted];
    let offered = commit(server, Actor::Stranger, "main?create_pr=1", &lines).await;
    assert_eq!(offered.status(), StatusCode::OK);
    offered.json().await.unwrap()
}

#[tokio::test]
async fn whoever_is_signed_in_speaks_and_closes_what_they_began() {
    let server = with_repository().await;
    let new = json!({ "title": "Which data?", "description": "Is it *public*? <script>alert(1)</script>" });
    assert_eq!(post(&server, Actor::Nobody, "", new.clone()).await, StatusCode::UNAUTHORIZED);
    assert_eq!(post(&server, Actor::Stranger, "", new).await, StatusCode::OK);
    assert_eq!(post(&server, Actor::Owner, "/1/comment", json!({ "comment": "Yes." })).await, StatusCode::OK);
    let rename = json!({ "title": "Which data was it?" });
    assert_eq!(post(&server, Actor::Reader, "/1/title", rename.clone()).await, StatusCode::FORBIDDEN);
    assert_eq!(post(&server, Actor::Stranger, "/1/title", rename).await, StatusCode::OK);
    let close = json!({ "status": "closed", "comment": "Thanks" });
    assert_eq!(post(&server, Actor::Stranger, "/1/status", close.clone()).await, StatusCode::OK);
    // Another one, which is not Bob's.
    let own = json!({ "title": "Mine", "description": "x" });
    assert_eq!(post(&server, Actor::Owner, "", own).await, StatusCode::OK);
    assert_eq!(post(&server, Actor::Stranger, "/2/status", close).await, StatusCode::FORBIDDEN);
    assert_eq!(post(&server, Actor::Stranger, "/2/merge", json!({})).await, StatusCode::FORBIDDEN);

    let found = details(&server, 1).await;
    let kinds: Vec<&str> =
        found["events"].as_array().unwrap().iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["comment", "comment", "title-change", "status-change", "comment"]);
    assert_eq!((&found["status"], &found["title"]), (&json!("closed"), &json!("Which data was it?")));
    let open = server.read(&format!("{REPOSITORY}/discussions?status=open")).await;
    assert_eq!((&open["count"], &open["discussions"][0]["num"]), (&json!(1), &json!(2)));
    let of_bob = server.read(&format!("{REPOSITORY}/discussions?author=bob")).await;
    assert_eq!((&of_bob["count"], &of_bob["discussions"][0]["num"]), (&json!(1), &json!(1)));
    let page = server.get(Actor::Nobody, "/alice/iris/discussions/1").await.text().await.unwrap();
    assert!(page.contains("<em>public</em>") && !page.contains("<script>alert"), "{page}");
}

#[tokio::test]
async fn what_cannot_be_said_is_refused() {
    let server = with_repository().await;
    for new in [
        json!({ "title": " ", "description": "x" }),
        json!({ "title": "two\nlines", "description": "x" }),
        json!({ "title": "x".repeat(501), "description": "x" }),
        json!({ "title": "x", "description": "" }),
        json!({ "title": "x", "description": "x".repeat(65 * 1024) }),
    ] {
        assert_eq!(post(&server, Actor::Owner, "", new).await, StatusCode::BAD_REQUEST);
    }
    assert_eq!(
        post(&server, Actor::Owner, "/7/comment", json!({ "comment": "x" })).await,
        StatusCode::NOT_FOUND
    );
    let new = json!({ "title": "x", "description": "x" });
    assert_eq!(post(&server, Actor::Owner, "", new).await, StatusCode::OK);
    let merged = json!({ "status": "merged" });
    assert_eq!(post(&server, Actor::Owner, "/1/status", merged).await, StatusCode::BAD_REQUEST);
    assert_eq!(post(&server, Actor::Owner, "/1/merge", json!({})).await, StatusCode::NOT_FOUND);
    assert_eq!(
        commit(&server, Actor::Owner, "refs%2Fpr%2F1", &[header("x")]).await.status(),
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn an_offered_change_is_merged_with_what_happened_since() {
    let server = with_repository().await;
    let offered = offer(&server).await;
    assert_eq!(offered["pullRequestUrl"], format!("{}/alice/iris/discussions/1", server.url));
    // Its author goes on with it; another stranger to it, here nobody, does not.
    let more = [header("More"), file("c.txt", b"3")];
    assert_eq!(commit(&server, Actor::Stranger, "refs%2Fpr%2F1", &more).await.status(), StatusCode::OK);
    assert_eq!(
        commit(&server, Actor::Nobody, "refs%2Fpr%2F1", &more).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(server.paths("iris").await, [".gitattributes", "README.md", "a.txt", "b.txt"]);
    server.push("iris", &[("README.md", b"# Changed\n"), ("own.txt", b"own")]).await;

    let refs = server.read(&format!("{REPOSITORY}/refs?include_prs=1")).await;
    assert_eq!(refs["pullRequests"][0]["ref"], "refs/pr/1");
    assert_eq!(details(&server, 1).await["filesWithConflicts"], json!([]));
    let page = server.get(Actor::Session, "/alice/iris/discussions/1").await.text().await.unwrap();
    assert!(page.contains("<del>b.txt</del>") && page.contains(">Merge<"), "{page}");

    assert_eq!(post(&server, Actor::Stranger, "/1/merge", json!({})).await, StatusCode::FORBIDDEN);
    assert_eq!(post(&server, Actor::Owner, "/1/merge", json!({})).await, StatusCode::OK);
    assert_eq!(server.paths("iris").await, [".gitattributes", "README.md", "a.txt", "c.txt", "own.txt"]);
    let readme = server.get(Actor::Nobody, "/alice/iris/resolve/main/README.md").await;
    assert_eq!(readme.text().await.unwrap(), "# Changed\n");
    let found = details(&server, 1).await;
    assert_eq!(found["status"], "merged");
    let head = server.read(REPOSITORY).await["sha"].clone();
    assert_eq!(found["changes"]["mergeCommitId"], head);
    // This is final.
    assert_eq!(post(&server, Actor::Owner, "/1/merge", json!({})).await, StatusCode::BAD_REQUEST);
    let reopen = json!({ "status": "open" });
    assert_eq!(post(&server, Actor::Owner, "/1/status", reopen).await, StatusCode::BAD_REQUEST);
    assert_eq!(
        commit(&server, Actor::Stranger, "refs%2Fpr%2F1", &more).await.status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn two_changes_of_one_file_are_not_mixed() {
    let server = with_repository().await;
    offer(&server).await;
    server.push("iris", &[("a.txt", b"another")]).await;
    assert_eq!(details(&server, 1).await["filesWithConflicts"], json!(["a.txt"]));
    assert_eq!(post(&server, Actor::Owner, "/1/merge", json!({})).await, StatusCode::CONFLICT);
    let kept = server.get(Actor::Nobody, "/alice/iris/resolve/main/a.txt").await;
    assert_eq!(kept.text().await.unwrap(), "another");
    assert_eq!(details(&server, 1).await["status"], "open");
}

#[tokio::test]
async fn a_change_of_a_private_repository_is_offered_by_nobody_else() {
    let server = Server::start().await;
    server.create("iris", "private").await;
    let lines = [header("x"), file("a.txt", b"2")];
    let refused = commit(&server, Actor::Stranger, "main?create_pr=1", &lines).await;
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    let new = json!({ "title": "x", "description": "x" });
    assert_eq!(post(&server, Actor::Stranger, "", new).await, StatusCode::NOT_FOUND);
}
