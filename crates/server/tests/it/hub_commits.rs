//! Commits by the Hub protocol: what is taken, what is refused, and what a refusal leaves behind.

use std::io::{Read, Write};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::server::{Actor, Server, file, header, ndjson};

async fn with_repository() -> Server {
    let server = Server::start().await;
    server.create("iris", "private").await;
    server
}

async fn message(response: Response) -> String {
    response.json::<Value>().await.unwrap()["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn files_are_put_and_deleted() {
    let server = with_repository().await;
    let commit = server.push("iris", &[("a.txt", b"a"), ("sub/b.txt", b"b"), ("sub/deep/c.txt", b"c")]).await;
    assert_eq!(
        server.paths("iris").await,
        [".gitattributes", "a.txt", "sub", "sub/b.txt", "sub/deep", "sub/deep/c.txt"]
    );
    let deleted = json!({ "key": "deletedFile", "value": { "path": "a.txt" } });
    let folder = json!({ "key": "deletedFolder", "value": { "path": "sub/deep/" } });
    let response = server.commit("iris", &[header("tidy"), deleted, folder, file("sub/b.txt", b"new")]).await;
    let answer: Value = response.json().await.unwrap();
    let oid = answer["commitOid"].as_str().unwrap();
    assert_ne!(oid, commit);
    assert_eq!(answer["commitUrl"], format!("{}/alice/iris/commit/{oid}", server.url));
    assert_eq!(server.paths("iris").await, [".gitattributes", "sub", "sub/b.txt"]);
    // The earlier commit is as it was.
    let old = server.get(Actor::Owner, &format!("/alice/iris/resolve/{commit}/sub/b.txt")).await;
    assert_eq!(old.text().await.unwrap(), "b");
}

#[tokio::test]
async fn a_commit_that_changes_nothing_is_none() {
    let server = with_repository().await;
    let commit = server.push("iris", &[("a.txt", b"a")]).await;
    assert_eq!(server.push("iris", &[("a.txt", b"a")]).await, commit);
    assert_eq!(server.push("iris", &[]).await, commit);
}

#[tokio::test]
async fn every_length_of_content_arrives_as_it_was() {
    let server = with_repository().await;
    // Around the blocks of base64 (64 KiB of text) and of the storage (256 KiB), and with every padding.
    let lengths = [0, 1, 2, 3, 49_150, 49_151, 49_152, 49_153, 262_143, 262_144, 262_145, 3_000_001];
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let names: Vec<String> = lengths.iter().map(|n| format!("{n}.bin")).collect();
    let files: Vec<(&str, &[u8])> =
        names.iter().zip(lengths).map(|(name, n)| (name.as_str(), &bytes[..n])).collect();
    server.push("iris", &files).await;
    for (name, n) in names.iter().zip(lengths) {
        let back = server.get(Actor::Owner, &format!("/alice/iris/resolve/main/{name}")).await;
        assert_eq!(back.headers()["content-length"], n.to_string().as_str());
        assert!(back.bytes().await.unwrap() == bytes[..n], "{name}");
    }
}

#[tokio::test]
async fn more_files_than_wait_at_a_time_are_all_there() {
    let server = with_repository().await;
    let names: Vec<String> = (0..100).map(|i| format!("{i:03}")).collect();
    let files: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), name.as_bytes())).collect();
    server.push("iris", &files).await;
    assert_eq!(server.paths("iris").await[1..], names);
}

#[tokio::test]
async fn keys_of_a_file_come_in_any_order_and_slashes_may_be_escaped() {
    let server = with_repository().await;
    let first = header("order");
    let body = format!(
        "{first}\n\n{}\n{}",
        r#"{"key":"file","value":{"path":"a","encoding":"base64","content":"aGk/"}}"#,
        r#" { "key" : "file" , "value" : { "encoding" : "base64", "content" : "aGk\/" , "path" : "b" } } "#,
    );
    assert_eq!(server.commit_text("iris", &body).await.status(), StatusCode::OK);
    for path in ["a", "b"] {
        let back = server.get(Actor::Owner, &format!("/alice/iris/resolve/main/{path}")).await;
        assert_eq!(back.text().await.unwrap(), "hi?");
    }
}

#[tokio::test]
async fn a_body_that_is_not_well_formed_changes_nothing() {
    let server = with_repository().await;
    let n_before = server.n_stored_files();
    let first = header("bad");
    let good = file("good.txt", b"good");
    let long = "x".repeat(100_000);
    let check = async |lines: &str, wanted: &str| {
        let response = server.commit_text("iris", lines).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{wanted}");
        let message = message(response).await;
        assert!(message.contains(wanted), "`{message}` does not say `{wanted}`");
    };
    check("", "empty").await;
    check(&good.to_string(), "begins with its one line `header`").await;
    check(&format!("{first}\n{first}\n"), "begins with its one line `header`").await;
    check(&format!("{first}\n{good}\nnot json\n"), "a line of the commit").await;
    check(
        &format!("{first}\n{good}\n{{\"key\":\"file\",\"value\":{{\"path\":\"x\",\"content\":\"AA"),
        "ends inside",
    )
    .await;
    check(
        &format!("{first}\n{good}\n{{\"key\":\"file\",\"value\":{{\"path\":\"x\",\"content\":\"AAAA\""),
        "a line",
    )
    .await;
    let value = |content: &str| {
        format!(
            "{first}\n{good}\n{{\"key\":\"file\",\"value\":{{\"path\":\"x\",\"encoding\":\"base64\",\"content\":\"{content}\"}}}}\n"
        )
    };
    for content in ["A", "AAA", "AA=A", "AA==AAAA", "AA A", "AA\\nAA", "é", "AAA\\u0041"] {
        check(&value(content), "not base64").await;
    }
    check(&format!("{first}\n{{\"value\":{{\"path\":\"x\",\"content\":\"AAAA\",\"encoding\":\"base64\"}},\"key\":\"file\"}}\n"), "`key`").await;
    check(&format!("{first}\n{{\"value\":{{\"path\":\"x\",\"content\":\"{long}\",\"encoding\":\"base64\"}},\"key\":\"file\"}}\n"), "`key`").await;
    check(
        &format!("{first}\n{{\"key\":\"deletedFile\",\"value\":{{\"path\":\"{long}\"}}}}\n"),
        "longer than",
    )
    .await;
    check(&format!("{first}\n{{\"key\":\"rename\",\"value\":{{}}}}\n"), "rename").await;
    check(&json!({ "key": "header", "value": { "summary": " " } }).to_string(), "a message").await;
    assert_eq!(server.paths("iris").await, [".gitattributes"]);
    assert_eq!(server.n_stored_files(), n_before);
}

#[tokio::test]
async fn a_path_that_leaves_the_repository_is_refused() {
    let server = with_repository().await;
    for path in ["../x", "/etc/passwd", "a/../../x", "a//b", ".git/config", "a/.git/x", "a\\b", "a\0b", ""] {
        for line in [
            file(path, b"x"),
            json!({ "key": "deletedFile", "value": { "path": path } }),
            json!({ "key": "deletedFolder", "value": { "path": path } }),
        ] {
            let response = server.commit("iris", &[header("out"), line]).await;
            assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path:?}");
        }
    }
    assert_eq!(server.paths("iris").await, [".gitattributes"]);
}

#[tokio::test]
async fn a_commit_behind_the_branch_is_refused() {
    let server = with_repository().await;
    let old = server.push("iris", &[("a.txt", b"1")]).await;
    let head = server.push("iris", &[("a.txt", b"2")]).await;
    let after = |parent: &str| json!({ "key": "header", "value": { "summary": "x", "description": "", "parentCommit": parent } });
    for parent in [old.as_str(), &old[..8], "0123456789"] {
        let response = server.commit("iris", &[after(parent), file("a.txt", b"3")]).await;
        assert_eq!(response.status(), StatusCode::PRECONDITION_FAILED, "{parent}");
    }
    let response = server.commit("iris", &[after("not hex"), file("a.txt", b"3")]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let response = server.commit("iris", &[after(&head[..7]), file("a.txt", b"3")]).await;
    assert_eq!(response.status(), StatusCode::OK);
}

#[tokio::test]
async fn of_two_commits_at_once_after_the_same_parent_one_is_made() {
    let server = with_repository().await;
    let head = server.push("iris", &[("a.txt", b"0")]).await;
    let commit = |content: &'static [u8]| {
        let first = json!({ "key": "header", "value": { "summary": "race", "parentCommit": head } });
        let server = &server;
        async move { server.commit("iris", &[first, file("a.txt", content)]).await.status() }
    };
    let (a, b, c) = tokio::join!(commit(b"1"), commit(b"2"), commit(b"3"));
    let mut outcomes = [a, b, c];
    outcomes.sort();
    assert_eq!(outcomes, [StatusCode::OK, StatusCode::PRECONDITION_FAILED, StatusCode::PRECONDITION_FAILED]);
    let history = server.read("/api/models/alice/iris/commits/main").await;
    assert_eq!(history.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn what_is_not_there_cannot_be_deleted_or_committed_to() {
    let server = with_repository().await;
    let missing = json!({ "key": "deletedFile", "value": { "path": "none.txt" } });
    let response = server.commit("iris", &[header("x"), missing]).await;
    assert_eq!(
        (response.status(), &response.headers()["x-error-code"]),
        (StatusCode::NOT_FOUND, &"EntryNotFound".parse().unwrap())
    );
    assert!(message(response).await.contains("A file with this name doesn't exist"));

    for branch in ["none", "refs%2Fpr%2F1", "a%20b"] {
        let path = format!("/api/models/alice/iris/commit/{branch}");
        let body = ndjson(&[header("x"), file("a", b"a")]);
        let response = server.request(Actor::Owner, Method::POST, &path).body(body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert_eq!(response.headers()["x-error-code"], "RevisionNotFound");
    }
}

#[tokio::test]
async fn a_path_is_not_both_file_and_folder() {
    let server = with_repository().await;
    server.push("iris", &[("a", b"file")]).await;
    let response = server.commit("iris", &[header("x"), file("a/b", b"x")]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(message(response).await.contains("`a/b`"));
}

#[tokio::test]
async fn bytes_are_copied_only_from_the_branch_itself() {
    let server = with_repository().await;
    server.create("other", "private").await;
    server.push("iris", &[("a.txt", b"mine")]).await;
    server.push("other", &[("b.txt", b"others")]).await;
    let copy = |bytes: &[u8]| {
        let oid = spec::digest::Sha256::of(bytes);
        json!({ "key": "lfsFile", "value": { "path": "copy.txt", "algo": "sha256", "oid": oid } })
    };
    let response = server.commit("iris", &[header("x"), copy(b"mine")]).await;
    assert_eq!(response.status(), StatusCode::OK);
    let response = server.commit("iris", &[header("x"), copy(b"others")]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let back = server.get(Actor::Owner, "/alice/iris/resolve/main/copy.txt").await;
    assert_eq!(back.text().await.unwrap(), "mine");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused_as_it_arrives() {
    let server = Server::start_with(&[("commit_limit", "1 MiB")]).await;
    server.create("iris", "private").await;
    let n_before = server.n_stored_files();
    let response = server.commit("iris", &[header("large"), file("large.bin", &vec![7; 2_000_000])]).await;
    assert_eq!(response.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(message(response).await.contains("in one commit"));
    assert_eq!(server.n_stored_files(), n_before);
}

#[tokio::test]
async fn a_connection_that_breaks_off_leaves_nothing() {
    let server = with_repository().await;
    let n_before = server.n_stored_files();
    let token = server.token(Actor::Owner);
    let address = server.url.strip_prefix("http://").unwrap();
    let lines =
        ndjson(&[header("broken"), file("good.txt", b"good"), file("large.bin", &vec![7; 1_000_000])]);
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /api/models/alice/iris/commit/main HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {token}\r\n\
         Content-Length: {}\r\n\r\n",
        lines.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&lines.as_bytes()[..lines.len() - 10]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    // The server may answer or just close; either way it is done when this returns.
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.starts_with("HTTP/1.1 2"), "{answer}");
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while server.n_stored_files() != n_before {
        assert!(std::time::Instant::now() < deadline, "files were left behind");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert_eq!(server.paths("iris").await, [".gitattributes"]);
}

#[tokio::test]
async fn preupload_tells_what_is_there_already() {
    let server = with_repository().await;
    server.push("iris", &[("a.txt", b"hello\n")]).await;
    let path = "/api/models/alice/iris/preupload/main";
    let files = json!({ "files": [
        { "path": "a.txt", "size": 6, "sample": "aGVsbG8K" },
        { "path": "new.bin", "size": 5_000_000_000_i64, "sample": "" },
    ] });
    let answer: Value = server.post(Actor::Owner, path, &files).await.json().await.unwrap();
    let oid = "ce013625030ba8dba906f756967f9e9ca394464a";
    assert_eq!(
        answer["files"],
        json!([
            { "path": "a.txt", "uploadMode": "regular", "shouldIgnore": false, "oid": oid },
            { "path": "new.bin", "uploadMode": "regular", "shouldIgnore": false },
        ])
    );
    let status = |actor, path: &'static str, body: Value| {
        let server = &server;
        async move { server.post(actor, path, &body).await.status() }
    };
    assert_eq!(status(Actor::Reader, path, files.clone()).await, StatusCode::FORBIDDEN);
    assert_eq!(
        status(Actor::Owner, "/api/models/alice/iris/preupload/none", files).await,
        StatusCode::NOT_FOUND
    );
    assert_eq!(
        status(Actor::Owner, path, json!({ "files": [{ "path": "../x" }] })).await,
        StatusCode::BAD_REQUEST
    );
    let many: Vec<Value> = (0..257).map(|i| json!({ "path": i.to_string() })).collect();
    assert_eq!(status(Actor::Owner, path, json!({ "files": many })).await, StatusCode::BAD_REQUEST);
}
