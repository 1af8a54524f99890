//! What a push sends, and what it does when the answer is not the one hoped for.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use client::error::Error;
use client::hub::repositories::Visibility;
use client::progress::Silent;
use client::push::{self, Push, Pushed};
use serde_json::{Value, json};
use spec::git;
use spec::name::RepositoryKind;

use crate::listener::{Listener, Reply, Request};

const OLD: &str = "1111111111111111111111111111111111111111";
const NEW: &str = "2222222222222222222222222222222222222222";

#[tokio::test]
async fn changed_files_are_streamed_as_one_commit_on_the_revision_seen() {
    let folder = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..500_000_u32).map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1]).collect();
    fs::write(folder.path().join("same.txt"), "same").unwrap();
    fs::write(folder.path().join("quote \" é.bin"), &large).unwrap();
    fs::write(folder.path().join("empty"), "").unwrap();
    let listener = Listener::start(|request, _| hub(request, &Reply::json, OLD)).await;
    let pushed = push_to(&listener, folder.path()).await.unwrap();
    assert_eq!((pushed.revision.to_string().as_str(), pushed.n_files, pushed.n_sent), (NEW, 3, 2));

    let requests = listener.requests();
    let commit = requests.iter().find(|request| request.line.contains("/commit/")).unwrap();
    assert_eq!(commit.line, "POST /api/models/alice/iris/commit/main");
    assert_eq!(commit.header("authorization"), Some("Bearer rn_secret"));
    assert_eq!(commit.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(commit.header("transfer-encoding"), Some("chunked"));
    let lines: Vec<Value> =
        commit.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(parse).collect();
    let header = json!({ "summary": "Train", "description": "On cleaned rows", "parentCommit": OLD });
    assert_eq!(lines[0], json!({ "key": "header", "value": header }));
    let content = |line: &Value| STANDARD.decode(line["value"]["content"].as_str().unwrap()).unwrap();
    let sent: Vec<(&str, Vec<u8>)> =
        lines[1..].iter().map(|line| (line["value"]["path"].as_str().unwrap(), content(line))).collect();
    assert_eq!(sent, [("empty", Vec::new()), ("quote \" é.bin", large)]);
}

#[tokio::test]
async fn a_push_that_was_overtaken_begins_again_on_the_new_head() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let listener =
        Listener::start(|request, n_before| match request.line.contains("/commit/") && n_before < 5 {
            true => Reply::json(412, &json!({ "error": "the branch moved on" })),
            false => hub(request, &Reply::json, OLD),
        });
    let listener = listener.await;
    push_to(&listener, folder.path()).await.unwrap();
    let commits = listener.lines().into_iter().filter(|line| line.contains("/commit/")).count();
    assert_eq!(commits, 2);
}

#[tokio::test]
async fn a_commit_whose_answer_was_lost_is_not_sent_twice() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "a").unwrap();
    let has_it = std::sync::atomic::AtomicBool::new(false);
    let listener = Listener::start(move |request, _| {
        use std::sync::atomic::Ordering::SeqCst;
        if request.line.contains("/commit/") {
            has_it.store(true, SeqCst);
            return Reply::Silence;
        }
        if request.line.contains("/preupload/") && has_it.load(SeqCst) {
            let oid = git::blob(b"a").to_string();
            let file = json!({ "path": "a", "uploadMode": "regular", "shouldIgnore": false, "oid": oid });
            return Reply::json(200, &json!({ "files": [file] }));
        }
        hub(request, &Reply::json, if has_it.load(SeqCst) { NEW } else { OLD })
    });
    let listener = listener.await;
    let pushed = push_to(&listener, folder.path()).await.unwrap();
    assert_eq!(pushed.revision.to_string(), NEW);
    assert_eq!(listener.lines().into_iter().filter(|line| line.contains("/commit/")).count(), 1);
}

#[tokio::test]
async fn many_files_are_asked_about_in_batches() {
    let folder = tempfile::tempdir().unwrap();
    for n in 0..300 {
        fs::write(folder.path().join(format!("{n:03}")), "x").unwrap();
    }
    let listener = Listener::start(|request, _| hub(request, &Reply::json, OLD)).await;
    push_to(&listener, folder.path()).await.unwrap();
    let requests = listener.requests();
    let batches = requests.iter().filter(|request| request.line.contains("/preupload/"));
    let sizes: Vec<usize> =
        batches.map(|request| parse(&request.body)["files"].as_array().unwrap().len()).collect();
    assert_eq!(sizes, [256, 44]);
}

#[tokio::test]
async fn a_card_that_is_refused_stops_the_push_before_anything_is_made() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("README.md"), "---\n: :\n---\n").unwrap();
    let refused = json!({ "errors": [{ "message": "not YAML" }], "warnings": [] });
    let listener = Listener::start(move |_, _| Reply::json(400, &refused)).await;
    let error = push_to(&listener, folder.path()).await.unwrap_err();
    assert!(matches!(&error, Error::Card(reason) if reason == "not YAML"), "{error:?}");
    assert_eq!(listener.lines(), ["POST /api/validate-yaml"]);
}

async fn push_to(listener: &Listener, folder: &Path) -> Result<Pushed, Error> {
    let repository = "alice/iris".parse().unwrap();
    let request = Push {
        source: folder,
        kind: RepositoryKind::Model,
        repository: &repository,
        visibility: Visibility::Private,
        message: "Train\n\nOn cleaned rows",
    };
    push::push(&listener.client(), &request, Arc::new(Silent)).await
}

/// A hub that has `same.txt` and takes every commit.
fn hub(request: &Request, json: &dyn Fn(u16, &Value) -> Reply, head: &str) -> Reply {
    if request.line.contains("/repos/create") {
        return json(409, &json!({ "url": "ignored", "error": "it exists" }));
    }
    if request.line.contains("/preupload/") {
        let answer = |file: &Value| {
            let is_same = file["path"] == "same.txt";
            let oid = is_same.then(|| git::blob(b"same").to_string());
            json!({ "path": file["path"], "uploadMode": "regular", "shouldIgnore": false, "oid": oid })
        };
        let asked = parse(&request.body);
        let files: Vec<Value> = asked["files"].as_array().unwrap().iter().map(answer).collect();
        return json(200, &json!({ "files": files }));
    }
    if request.line.contains("/commit/") {
        return json(200, &json!({ "commitOid": NEW, "commitUrl": "http://h/alice/iris/commit/x" }));
    }
    json(200, &json!({ "id": "alice/iris", "sha": head, "private": true }))
}

fn parse(bytes: impl AsRef<[u8]>) -> Value {
    serde_json::from_slice(bytes.as_ref()).unwrap()
}
