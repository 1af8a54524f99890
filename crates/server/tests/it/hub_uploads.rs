//! Large files sent ahead of their commit: what is taken, by whom, and what wrong bytes leave behind.

use std::io::{Read, Write};

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use spec::digest::Sha256;

use crate::server::{Actor, Server, header};

const BATCH: &str = "/alice/iris.git/info/lfs/objects/batch";

/// Parts of ten bytes, so that thirty are three.
async fn with_repository() -> Server {
    let server = Server::start_with(&[("upload_part", "10 B"), ("commit_limit", "1 KiB")]).await;
    server.create("iris", "private").await;
    server
}

fn oid(bytes: &[u8]) -> String {
    Sha256::of(bytes).to_string()
}

async fn announce(server: &Server, bytes: &[u8], transfers: Value) -> Value {
    let object = json!({ "oid": oid(bytes), "size": bytes.len() });
    let body = json!({ "operation": "upload", "transfers": transfers, "objects": [object] });
    let response = server.post(Actor::Owner, BATCH, &body).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()["content-type"], "application/vnd.git-lfs+json");
    response.json::<Value>().await.unwrap()["objects"][0].clone()
}

/// Sends bytes as those clients do, without any token.
async fn put(server: &Server, address: &str, bytes: &[u8]) -> Response {
    server.http.put(address).body(bytes.to_vec()).send().await.unwrap()
}

async fn whole_address(server: &Server, bytes: &[u8]) -> String {
    let object = announce(server, bytes, json!(["basic"])).await;
    object["actions"]["upload"]["href"].as_str().unwrap().to_owned()
}

fn lfs_file(path: &str, bytes: &[u8]) -> Value {
    let value = json!({ "path": path, "algo": "sha256", "oid": oid(bytes), "size": bytes.len() });
    json!({ "key": "lfsFile", "value": value })
}

async fn commit(server: &Server, bytes: &[u8]) -> StatusCode {
    server.commit("iris", &[header("large"), lfs_file("w.bin", bytes)]).await.status()
}

#[tokio::test]
async fn a_file_is_sent_whole_and_committed() {
    let server = with_repository().await;
    let content = b"ten bytes!";
    let object = announce(&server, content, json!(["basic", "multipart"])).await;
    assert_eq!(commit(&server, content).await, StatusCode::BAD_REQUEST, "nothing was sent yet");
    let address = object["actions"]["upload"]["href"].as_str().unwrap();
    assert!(object["actions"]["upload"].get("header").is_none());
    assert_eq!(put(&server, address, content).await.status(), StatusCode::OK);
    let verify = object["actions"]["verify"]["href"].as_str().unwrap();
    let verify = verify.strip_prefix(&server.url).unwrap();
    let of = |size: usize| json!({ "oid": oid(content), "size": size });
    assert_eq!(server.post(Actor::Owner, verify, &of(10)).await.status(), StatusCode::OK);
    assert_eq!(server.post(Actor::Owner, verify, &of(11)).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(commit(&server, content).await, StatusCode::OK);
    let back = server.get(Actor::Owner, "/alice/iris/resolve/main/w.bin").await;
    assert_eq!(back.bytes().await.unwrap(), content.as_slice());
    // The second time there is nothing to send.
    assert!(announce(&server, content, json!(["basic"])).await.get("actions").is_none());
}

#[tokio::test]
async fn a_file_is_sent_in_parts_in_any_order() {
    let server = with_repository().await;
    let content = b"0123456789abcdefghijABCDEFG";
    let object = announce(&server, content, json!(["basic", "multipart"])).await;
    let upload = &object["actions"]["upload"];
    let (join, header) = (upload["href"].as_str().unwrap(), upload["header"].as_object().unwrap());
    assert_eq!((header["chunk_size"].as_str(), header.len()), (Some("10"), 4));
    let part = |number: &str| header[number].as_str().unwrap();
    let finish = async || {
        let body = json!({ "oid": oid(content), "parts": [{ "partNumber": 1, "etag": "\"part-1\"" }] });
        server.http.post(join).json(&body).send().await.unwrap()
    };
    for (number, bytes) in [("00003", &content[20..]), ("00001", &content[..10])] {
        let sent = put(&server, part(number), bytes).await;
        assert_eq!(sent.status(), StatusCode::OK);
        assert!(!sent.headers()["etag"].is_empty());
    }
    assert_eq!(finish().await.status(), StatusCode::BAD_REQUEST, "one part is missing");
    assert_eq!(put(&server, part("00002"), b"too short").await.status(), StatusCode::BAD_REQUEST);
    assert_eq!(put(&server, part("00002"), b"WRONG BYTE").await.status(), StatusCode::OK);
    let refused = finish().await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "the whole has another digest");
    assert!(refused.headers()["x-error-message"].to_str().unwrap().contains(&oid(content)));
    assert_eq!(put(&server, part("00002"), &content[10..20]).await.status(), StatusCode::OK);
    assert_eq!(finish().await.status(), StatusCode::OK);
    // A client that lost the answer asks again.
    assert_eq!(finish().await.status(), StatusCode::OK);
    assert_eq!(commit(&server, content).await, StatusCode::OK);
    let back = server.get(Actor::Owner, "/alice/iris/resolve/main/w.bin").await;
    assert_eq!(back.bytes().await.unwrap(), content.as_slice());
}

#[tokio::test]
async fn wrong_bytes_are_refused_and_leave_nothing() {
    let server = with_repository().await;
    let n_before = server.n_stored_files();
    let address = whole_address(&server, b"announced").await;
    for wrong in [&b"announcex"[..], b"announce", b"announced and more", b""] {
        let refused = put(&server, &address, wrong).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert_eq!(server.n_stored_files(), n_before);
    }
    assert_eq!(commit(&server, b"announced").await, StatusCode::BAD_REQUEST);
    let large = vec![0; 2000];
    let object = announce(&server, &large, json!(["basic"])).await;
    assert_eq!((&object["error"]["code"], object.get("actions")), (&json!(413), None));
}

#[tokio::test]
async fn an_altered_address_is_good_for_nothing() {
    let server = with_repository().await;
    server.create("other", "private").await;
    let address = whole_address(&server, b"announced").await;
    let other = server.read("/api/models/alice/other").await["_id"].as_str().unwrap().to_owned();
    let altered = |name: &str, value: &str| {
        let mut url = reqwest::Url::parse(&address).unwrap();
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let pairs = pairs.into_iter().map(|(k, v)| if k == name { (k, value.to_owned()) } else { (k, v) });
        let pairs: Vec<_> = pairs.collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        url.to_string()
    };
    let foreign_digest = address.replace(&oid(b"announced"), &oid(b"something"));
    let addresses = [
        altered("repository", &other),
        altered("size", "8"),
        altered("deed", "part-1"),
        altered("deed", "join-1"),
        altered("upload", "../../blobs"),
        altered("expires", "99999999999999"),
        altered("signature", &oid(b"guess")),
        altered("signature", ""),
        foreign_digest,
        format!("{}/api/uploads/{}", server.url, oid(b"announced")),
    ];
    for address in addresses {
        let refused = put(&server, &address, b"announced").await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{address}");
        assert_eq!(server.http.post(&address).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    }
    // What was left alone still works.
    assert_eq!(put(&server, &altered("none", ""), b"announced").await.status(), StatusCode::OK);
    assert_eq!(commit(&server, b"announced").await, StatusCode::OK);
    // What one repository was sent is none of the other's.
    let copied = server.commit("other", &[header("steal"), lfs_file("w.bin", b"announced")]).await;
    assert_eq!(copied.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_address_ends_with_its_time() {
    let server = Server::start_with(&[("upload_lifetime", "0s")]).await;
    server.create("iris", "private").await;
    let address = whole_address(&server, b"late").await;
    assert_eq!(put(&server, &address, b"late").await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_address_ends_with_its_repository() {
    let server = with_repository().await;
    let address = whole_address(&server, b"gone").await;
    let body = json!({ "name": "iris", "organization": "alice" });
    let deleted = server.request(Actor::Owner, Method::DELETE, "/api/repos/delete").json(&body).send().await;
    assert_eq!(deleted.unwrap().status(), StatusCode::OK);
    server.create("iris", "private").await;
    assert_eq!(put(&server, &address, b"gone").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(commit(&server, b"gone").await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn the_same_file_is_sent_twice_at_once() {
    let server = with_repository().await;
    let content = b"at once";
    let (one, two) = (whole_address(&server, content).await, whole_address(&server, content).await);
    assert_ne!(one, two);
    let (one, two) = tokio::join!(put(&server, &one, content), put(&server, &two, content));
    assert_eq!((one.status(), two.status()), (StatusCode::OK, StatusCode::OK));
    assert_eq!(commit(&server, content).await, StatusCode::OK);
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let server = with_repository().await;
    let n_before = server.n_stored_files();
    let address = whole_address(&server, b"broken off").await;
    let path = address.strip_prefix(&server.url).unwrap().to_owned();
    let host = server.url.strip_prefix("http://").unwrap().to_owned();
    let mut answer = String::new();
    tokio::task::spawn_blocking(move || {
        let mut stream = std::net::TcpStream::connect(&host).unwrap();
        write!(stream, "PUT {path} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 10\r\n\r\nbroke").unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        // Whatever the server says, it has then let go of what came.
        let _ = stream.read_to_string(&mut answer);
    })
    .await
    .unwrap();
    assert_eq!(server.n_stored_files(), n_before);
    assert_eq!(put(&server, &address, b"broken off").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_batch_that_is_no_upload_is_refused() {
    let server = with_repository().await;
    let object = json!({ "oid": oid(b"x"), "size": 1 });
    let many = vec![object.clone(); 1001];
    for body in [
        json!({ "operation": "download", "objects": [object] }),
        json!({ "operation": "upload", "objects": [object], "hash_algo": "md5" }),
        json!({ "operation": "upload", "objects": many }),
        json!({ "operation": "upload", "objects": [{ "oid": "abc", "size": 1 }] }),
        json!({ "operation": "upload", "objects": [{ "oid": oid(b"x"), "size": -1 }] }),
        json!({ "operation": "upload" }),
    ] {
        let refused = server.post(Actor::Owner, BATCH, &body).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn only_clients_known_to_take_it_are_asked_to_send_files_apart() {
    let server = Server::start_with(&[("large_file", "100 B")]).await;
    server.create("iris", "private").await;
    let mode_of = async |agent: &str, path: &str, size: u64| {
        let body = json!({ "files": [{ "path": path, "size": size, "sample": "" }] });
        let address = "/api/models/alice/iris/preupload/main";
        let request = server.request(Actor::Owner, Method::POST, address).header("user-agent", agent);
        let answer: Value = request.json(&body).send().await.unwrap().json().await.unwrap();
        answer["files"][0]["uploadMode"].as_str().unwrap().to_owned()
    };
    let mode = async |agent: &str, size: u64| mode_of(agent, "notes.txt", size).await;
    let old = "unknown/None; hf_hub/0.36.0; python/3.11.2";
    assert_eq!(mode(old, 100).await, "lfs");
    assert_eq!(mode(old, 99).await, "regular");
    assert_eq!(mode_of(old, "data/train.parquet", 99).await, "lfs");
    assert_eq!(mode("unknown/None; hf_hub/1.4.1; python/3.11.2", 100).await, "lfs");
    assert_eq!(mode("unknown/None; hf_hub/1.20.0; python/3.11.2", 100).await, "lfs");
    assert_eq!(mode("unknown/None; hf_hub/2.4.0; python/3.11.2", 100).await, "lfs");
    assert_eq!(mode("curl/8", 100).await, "regular");
}
