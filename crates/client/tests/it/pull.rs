//! What a pull writes, and what it refuses to write.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use client::error::Error;
use client::hub::trees::Snapshot;
use client::progress::Silent;
use client::pull::{self, Pulled};
use serde_json::{Value, json};
use spec::git;
use spec::name::RepositoryKind;

use crate::listener::{Listener, Reply};

const REVISION: &str = "1111111111111111111111111111111111111111";

#[tokio::test]
async fn files_of_all_pages_arrive_and_are_not_fetched_again() {
    let listener = Listener::start(|request, _| match request.line.as_str() {
        line if line.contains("cursor=2") => tree(&[("deep/b.txt", b"bee")]),
        line if line.contains("/tree/") => {
            let Reply::Whole(status, mut headers, body) = tree(&[("a.txt", b"ay")]) else { unreachable!() };
            // The server knows itself by another name; the token must stay with the one asked.
            let next = "<http://elsewhere.invalid/api/models/alice/iris/tree/x?cursor=2>; rel=\"next\"";
            headers.push(("link", next.to_owned()));
            Reply::Whole(status, headers, body)
        }
        line if line.ends_with("a.txt") => whole(b"ay"),
        _ => whole(b"bee"),
    });
    let listener = listener.await;
    let folder = tempfile::tempdir().unwrap();
    let pulled = pull_from(&listener, folder.path()).await.unwrap();
    assert_eq!((pulled.n_files, pulled.n_fetched, pulled.n_bytes), (2, 2, 5));
    assert_eq!(fs::read(folder.path().join("deep/b.txt")).unwrap(), b"bee");
    fs::write(folder.path().join("a.txt"), "ax").unwrap();
    assert_eq!(pull_from(&listener, folder.path()).await.unwrap().n_fetched, 1);
    assert_eq!(fs::read(folder.path().join("a.txt")).unwrap(), b"ay");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[tokio::test]
async fn a_download_that_breaks_off_is_continued_where_it_stopped() {
    let content: &[u8] = b"0123456789";
    let listener = Listener::start(move |request, _| match request.header("range") {
        _ if request.line.contains("/tree/") => tree(&[("w", content)]),
        None => Reply::Broken(content.to_vec(), 4),
        Some("bytes=4-") => {
            Reply::Whole(206, vec![("content-range", "bytes 4-9/10".into())], content[4..].to_vec())
        }
        Some(other) => Reply::Whole(416, Vec::new(), other.as_bytes().to_vec()),
    });
    let listener = listener.await;
    let folder = tempfile::tempdir().unwrap();
    pull_from(&listener, folder.path()).await.unwrap();
    assert_eq!(fs::read(folder.path().join("w")).unwrap(), content);
}

#[tokio::test]
async fn damaged_bytes_never_appear_under_the_files_name() {
    let listener = Listener::start(|request, _| match request.line.contains("/tree/") {
        true => tree(&[("w", b"good")]),
        false => whole(b"evil"),
    });
    let listener = listener.await;
    let folder = tempfile::tempdir().unwrap();
    let error = pull_from(&listener, folder.path()).await.unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
    assert!(!folder.path().join("w").exists());
}

#[tokio::test]
async fn a_path_that_leaves_the_folder_is_refused_before_anything_is_fetched() {
    for path in ["../escaped", "/etc/escaped", "a/../../escaped", "a\\b"] {
        let listener = Listener::start(move |_, _| tree(&[("fine", b"x"), (path, b"x")])).await;
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("inside");
        let error = pull_from(&listener, &inside).await.unwrap_err();
        assert!(matches!(error, Error::UnsafePath { .. }), "`{path}`: {error:?}");
        assert_eq!((listener.lines().len(), folder.path().join("escaped").exists()), (1, false));
    }
}

#[tokio::test]
async fn nothing_is_written_through_a_link() {
    let listener = Listener::start(|request, _| match request.line.contains("/tree/") {
        true => tree(&[("sub/w", b"x")]),
        false => whole(b"x"),
    });
    let listener = listener.await;
    let outside = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    symlink(outside.path(), folder.path().join("sub")).unwrap();
    let error = pull_from(&listener, folder.path()).await.unwrap_err();
    assert!(matches!(error, Error::LinkInTheWay { .. }), "{error:?}");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_file_that_is_a_link_is_replaced_and_its_target_left_alone() {
    let listener = Listener::start(|request, _| match request.line.contains("/tree/") {
        true => tree(&[("w", b"new")]),
        false => whole(b"new"),
    });
    let listener = listener.await;
    let outside = tempfile::NamedTempFile::new().unwrap();
    let folder = tempfile::tempdir().unwrap();
    symlink(outside.path(), folder.path().join("w")).unwrap();
    pull_from(&listener, folder.path()).await.unwrap();
    assert_eq!(fs::read(folder.path().join("w")).unwrap(), b"new");
    assert_eq!(fs::read(outside.path()).unwrap(), b"");
}

async fn pull_from(listener: &Listener, folder: &Path) -> Result<Pulled, Error> {
    let snapshot = Snapshot {
        kind: RepositoryKind::Model,
        repository: "alice/iris".parse().unwrap(),
        revision: REVISION.parse().unwrap(),
    };
    pull::pull(&listener.client(), &snapshot, folder, Arc::new(Silent)).await
}

fn tree(files: &[(&str, &[u8])]) -> Reply {
    let entry = |(path, bytes): &(&str, &[u8])| json!({ "type": "file", "path": path, "size": bytes.len(), "oid": git::blob(bytes) });
    let mut entries: Vec<Value> = files.iter().map(entry).collect();
    entries.push(json!({ "type": "directory", "path": "deep", "oid": REVISION, "size": 0 }));
    Reply::json(200, &Value::Array(entries))
}

fn whole(bytes: &[u8]) -> Reply {
    Reply::Whole(200, Vec::new(), bytes.to_vec())
}
