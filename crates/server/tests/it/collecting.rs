//! Collecting what nothing names: what goes and when, and that nothing goes which somebody names.

use reqwest::{Method, StatusCode};
use serde_json::json;
use server::ops::storage::{Collected, Deed, check, collect, count};
use store::clock;

use crate::server::{Actor, Server, file, header};
use crate::xet::{Client, Sample, keep_whole, lfs_file, push, walk};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

async fn gc(server: &Server) -> Collected {
    collect(&server.app, Deed::Collect).await.unwrap()
}

async fn delete(server: &Server, name: &str) {
    let body = json!({ "name": name, "organization": "alice" });
    let request = server.request(Actor::Owner, Method::DELETE, "/api/repos/delete").json(&body);
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
}

async fn read(server: &Server, name: &str) -> Vec<u8> {
    let path = format!("/alice/{name}/resolve/main/w.bin");
    server.get(Actor::Owner, &path).await.bytes().await.unwrap().to_vec()
}

async fn n_findings(server: &Server) -> u64 {
    check(&server.app, None, |finding| panic!("{finding:?}")).await.unwrap().n_findings
}

#[tokio::test]
async fn what_a_deleted_repository_left_goes_once_its_clients_forgot_it() {
    let server = Server::start().await;
    for name in ["iris", "lily", "rose"] {
        server.create(name, "private").await;
    }
    let (shared, alone) = (Sample::new(1), Sample::new(2));
    push(&server, "iris", &shared).await;
    push(&server, "lily", &shared).await;
    push(&server, "rose", &alone).await;
    for name in ["iris", "rose"] {
        server.push(name, &[("small.txt", name.as_bytes())]).await;
        delete(&server, name).await;
    }
    assert_eq!(gc(&server).await, Collected::default(), "all of it is young");
    clock::advance_ms(31 * DAY_MS);
    let counted = collect(&server.app, Deed::Count).await.unwrap();
    assert_eq!(collect(&server.app, Deed::Count).await.unwrap(), counted, "counting removes nothing");
    assert_eq!(gc(&server).await, counted);
    assert!(counted.n_files > 0 && counted.n_xorbs > 0 && counted.n_xorb_bytes > 0, "{counted:?}");
    assert_eq!(gc(&server).await, Collected::default());
    assert!(read(&server, "lily").await == shared.bytes());
    assert_eq!(n_findings(&server).await, 0);
    // Nothing tells its sender any more that the xorb is here.
    server.create("rose", "private").await;
    let alice = Client::new(&server, Actor::Owner, "alice/rose", "write").await;
    assert!(!alice.is_sent(alone.xorb_hash()).await);
    assert_eq!(alice.send_shard(&alone.told()).await, StatusCode::BAD_REQUEST);
    push(&server, "rose", &alone).await;
    assert!(read(&server, "rose").await == alone.bytes());
}

#[tokio::test]
async fn commits_that_nothing_leads_to_go_with_what_only_they_had() {
    let server = Server::start().await;
    server.create("iris", "private").await;
    let sample = Sample::new(9);
    push(&server, "iris", &sample).await;
    let before = server.push("iris", &[("w.bin", b"small")]).await;
    let message = json!({ "message": "All" });
    let squashed = server.post(Actor::Owner, "/api/models/alice/iris/super-squash/main", &message).await;
    assert_eq!(squashed.status(), StatusCode::OK);
    let old = format!("/alice/iris/resolve/{before}/w.bin");
    clock::advance_ms(31 * DAY_MS);
    assert_eq!(gc(&server).await.n_revisions, 0, "it was only now seen that nothing leads there");
    assert_eq!(server.get(Actor::Owner, &old).await.status(), StatusCode::OK);
    clock::advance_ms(31 * DAY_MS);
    let counted = collect(&server.app, Deed::Count).await.unwrap();
    let collected = gc(&server).await;
    assert_eq!((counted.n_revisions, collected.n_revisions), (3, 3));
    assert_eq!((collected.n_files, collected.n_xorbs), (1, 1));
    assert_eq!(server.get(Actor::Owner, &old).await.status(), StatusCode::NOT_FOUND);
    assert!(read(&server, "iris").await == b"small");
    assert_eq!((gc(&server).await, n_findings(&server).await), (Collected::default(), 0));
}

#[tokio::test]
async fn what_was_sent_and_never_committed_goes() {
    let server = Server::start().await;
    server.create("iris", "private").await;
    let sample = Sample::new(3);
    let alice = Client::new(&server, Actor::Owner, "alice/iris", "write").await;
    alice.send_xorb(sample.xorb_hash(), sample.xorb()).await.error_for_status().unwrap();
    assert_eq!(alice.send_shard(&sample.told()).await, StatusCode::OK);
    clock::advance_ms(20 * DAY_MS);
    // Whoever asks is told that it is here, and will not send it again.
    let alice = Client::new(&server, Actor::Owner, "alice/iris", "write").await;
    assert!(alice.is_sent(sample.xorb_hash()).await);
    clock::advance_ms(20 * DAY_MS);
    let collected = gc(&server).await;
    assert_eq!((collected.n_uploads, collected.n_files, collected.n_xorbs), (1, 1, 0));
    clock::advance_ms(20 * DAY_MS);
    assert_eq!(gc(&server).await.n_xorbs, 1);
    let commit = server.commit("iris", &[header("too late"), lfs_file(&sample)]).await;
    assert_eq!(commit.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn bytes_that_no_row_names_go_after_a_day() {
    let server = Server::start().await;
    let blobs = server.folder.path().join("blobs");
    server.create("iris", "private").await;
    let n_before = walk(&blobs).len();
    server.app.store.blobs.put(b"of a server that was killed").await.unwrap();
    assert_eq!(gc(&server).await.n_unnamed, 0, "somebody may be about to name them");
    clock::advance_ms(2 * DAY_MS);
    assert_eq!(gc(&server).await.n_unnamed, 1);
    assert_eq!(walk(&blobs).len(), n_before);
}

#[tokio::test]
async fn files_that_were_kept_whole_go_with_the_last_repository_that_has_them() {
    let server = Server::start().await;
    server.create("iris", "private").await;
    keep_whole(&server, "old.txt", b"kept whole").await;
    clock::advance_ms(31 * DAY_MS);
    assert_eq!(gc(&server).await, Collected::default());
    let back = server.get(Actor::Owner, "/alice/iris/resolve/main/old.txt").await;
    assert_eq!(back.text().await.unwrap(), "kept whole");
    delete(&server, "iris").await;
    assert_eq!(gc(&server).await.n_unnamed, 1);
}

#[tokio::test]
async fn what_is_stored_is_counted() {
    let server = Server::start().await;
    for name in ["iris", "lily"] {
        server.create(name, "private").await;
        push(&server, name, &Sample::new(6)).await;
    }
    let n_bytes = i64::try_from(Sample::new(6).bytes().len()).unwrap();
    let counted = count(&server.app).await.unwrap();
    // The sample, and what a repository begins with.
    assert_eq!((counted.n_files, counted.n_xorbs, counted.n_stored), (2, 2, 2));
    assert_eq!(counted.logical_bytes, 2 * counted.file_bytes);
    assert_eq!(counted.file_bytes, counted.unique_bytes);
    assert!(counted.stored_bytes > 0 && counted.file_bytes > n_bytes);
    let names: Vec<(&str, i64, i64)> =
        counted.repositories.iter().map(|of| (of.name.as_str(), of.logical_bytes, of.own_bytes)).collect();
    let all = counted.file_bytes;
    assert_eq!(names, [("alice/iris", all, 0), ("alice/lily", all, 0)]);
}

#[tokio::test]
async fn an_account_has_room_for_its_quota_and_no_more() {
    let server = Server::start_with(&[("account_quota", "100 KiB"), ("large_file", "1 KiB")]).await;
    server.create("iris", "private").await;
    push(&server, "iris", &Sample::new(7)).await;
    // The same in the same repository takes no room, in another one it does.
    server.push("iris", &[("again.bin", &Sample::new(7).bytes())]).await;
    server.create("lily", "private").await;
    let lines = [header("small"), file("a.bin", &[7; 40_000])];
    assert_eq!(server.commit("lily", &lines).await.status(), StatusCode::OK);
    let refused = server.commit("lily", &[header("more"), file("b.bin", &[8; 40_000])]).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.text().await.unwrap().contains("do not fit"));
    let object = json!({ "oid": "0".repeat(64), "size": 40_000 });
    let batch = json!({ "operation": "upload", "transfers": ["basic"], "objects": [object] });
    let path = "/alice/lily.git/info/lfs/objects/batch";
    assert_eq!(server.post(Actor::Owner, path, &batch).await.status(), StatusCode::FORBIDDEN);
    let page = server.get(Actor::Session, "/settings").await.text().await.unwrap();
    assert!(page.contains("of 102.4 kB"), "{page}");
    // Room comes back with the repository's end.
    delete(&server, "iris").await;
    let lines = [header("more"), file("b.bin", &[8; 40_000])];
    assert_eq!(server.commit("lily", &lines).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_push_of_many_small_files_is_one_write_to_the_storage() {
    let server = Server::start().await;
    server.create("iris", "private").await;
    let n_before = server.n_stored_files();
    let files: Vec<(String, Vec<u8>)> =
        (0..300_u32).map(|n| (format!("{n}.bin"), n.to_le_bytes().repeat(500))).collect();
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice())).collect();
    server.push("iris", &files).await;
    assert_eq!(server.n_stored_files(), n_before + 1);
    let back = server.get(Actor::Owner, "/alice/iris/resolve/main/299.bin").await;
    assert!(back.bytes().await.unwrap() == files[299].1);
    assert_eq!(n_findings(&server).await, 0);
}

#[tokio::test]
async fn the_cache_forgets_what_nobody_uses_and_what_is_gone() {
    let server = Server::start().await;
    for name in ["iris", "lily"] {
        server.create(name, "private").await;
    }
    let (kept, gone) = (Sample::new(4), Sample::new(5));
    push(&server, "iris", &kept).await;
    push(&server, "lily", &gone).await;
    let contents = &server.app.store.contents;
    let sha256 = |sample: &Sample| spec::digest::Sha256::of(&sample.bytes());
    for sample in [&kept, &gone] {
        contents.local_path(&sha256(sample)).await.unwrap();
    }
    delete(&server, "lily").await;
    clock::advance_ms(29 * DAY_MS);
    let path = contents.local_path(&sha256(&kept)).await.unwrap();
    clock::advance_ms(2 * DAY_MS);
    assert_eq!(gc(&server).await.n_cached, 1);
    assert!(path.exists());
    clock::advance_ms(31 * DAY_MS);
    assert_eq!(gc(&server).await.n_cached, 1);
    assert!(!path.exists() && read(&server, "iris").await == kept.bytes());
}

/// With no time at all between the last use and the collecting, which no server should be told.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pushes_beside_a_collector_that_never_rests_keep_what_they_were_promised() {
    let server = Server::start_with(&[("unused_after", "0s")]).await;
    let pushing = async |pusher: u8| {
        for round in 0..6 {
            let name = format!("model-{pusher}-{round}");
            let new = json!({ "name": name, "visibility": "private" });
            // The first file of a repository may be collected before its first commit names it.
            while server.post(Actor::Owner, "/api/repos/create", &new).await.status() != StatusCode::OK {}
            // Some of it is what others push and delete meanwhile.
            let sample = Sample::new(round % 2);
            while !try_push(&server, &name, &sample).await {}
            assert!(read(&server, &name).await == sample.bytes(), "{name}");
            if round % 3 != 2 {
                delete(&server, &name).await;
            }
        }
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let collecting = async {
        let mut n_xorbs = 0;
        while !stop.is_cancelled() {
            n_xorbs += gc(&server).await.n_xorbs;
        }
        n_xorbs
    };
    let pushes = async {
        futures_util::join!(pushing(0), pushing(1), pushing(2));
        stop.cancel();
    };
    let (n_xorbs, ()) = futures_util::join!(collecting, pushes);
    assert!(n_xorbs > 0, "it never met anything");
    assert_eq!(n_findings(&server).await, 0);
}

/// False where the collector was faster, which is told by a status that clients try again after.
async fn try_push(server: &Server, name: &str, sample: &Sample) -> bool {
    let alice = Client::new(server, Actor::Owner, &format!("alice/{name}"), "write").await;
    let sent = alice.send_xorb(sample.xorb_hash(), sample.xorb()).await.status().is_success();
    if !sent || alice.send_shard(&sample.told()).await != StatusCode::OK {
        return false;
    }
    let committed = server.commit(name, &[header("beside a collector"), lfs_file(sample)]).await;
    committed.status() == StatusCode::OK
}
