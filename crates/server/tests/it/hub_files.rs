//! Files by the Hub protocol: trees, and bytes with the headers from which clients build their caches.

use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::server::{Actor, Server};

const HELLO: &str = "/alice/iris/resolve/main/sub/hello.txt";
/// Printed by git for a blob of `hello` and a line end.
const HELLO_OID: &str = "ce013625030ba8dba906f756967f9e9ca394464a";

async fn with_files() -> (Server, String) {
    let server = Server::start().await;
    server.create("iris", "public").await;
    let commit = server
        .push("iris", &[("sub/hello.txt", b"hello\n"), ("page.html", b"<script>"), ("empty", b"")])
        .await;
    (server, commit)
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn head_and_get_describe_a_file_alike() {
    let (server, commit) = with_files().await;
    for method in [Method::HEAD, Method::GET] {
        let response = server.request(Actor::Nobody, method.clone(), HELLO).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(header(&response, "x-repo-commit"), commit);
        assert_eq!(header(&response, "etag"), format!("\"{HELLO_OID}\""));
        assert_eq!(header(&response, "content-length"), "6");
        assert_eq!(header(&response, "accept-ranges"), "bytes");
        assert_eq!(header(&response, "x-content-type-options"), "nosniff");
        assert!(header(&response, "content-disposition").starts_with("attachment; filename=\"hello.txt\""));
        assert_eq!(header(&response, "content-type"), "text/plain; charset=utf-8");
        let body = response.bytes().await.unwrap();
        assert_eq!(&body[..], if method == Method::GET { &b"hello\n"[..] } else { b"" });
    }
    let page = server.get(Actor::Nobody, "/alice/iris/resolve/main/page.html").await;
    assert_eq!(header(&page, "content-type"), "application/octet-stream");
    let empty = server.get(Actor::Nobody, "/alice/iris/resolve/main/empty").await;
    assert_eq!((empty.status(), header(&empty, "content-length")), (StatusCode::OK, "0"));
}

#[tokio::test]
async fn a_range_is_answered_with_that_part() {
    let (server, _) = with_files().await;
    let get = |range: &str| {
        let request = server.request(Actor::Nobody, Method::GET, HELLO).header("range", range);
        async move {
            let response = request.send().await.unwrap();
            let (status, range) = (response.status().as_u16(), header(&response, "content-range").to_owned());
            (status, range, response.text().await.unwrap())
        }
    };
    let answer = |status: u16, range: &str, body: &str| (status, range.to_owned(), body.to_owned());
    assert_eq!(get("bytes=1-3").await, answer(206, "bytes 1-3/6", "ell"));
    assert_eq!(get("bytes=4-").await, answer(206, "bytes 4-5/6", "o\n"));
    assert_eq!(get("bytes=-2").await, answer(206, "bytes 4-5/6", "o\n"));
    assert_eq!(get("bytes=0-1,3-4").await, answer(200, "", "hello\n"));
    let (status, range, _) = get("bytes=6-").await;
    assert_eq!((status, range.as_str()), (416, "bytes */6"));
}

#[tokio::test]
async fn a_client_that_has_the_file_gets_no_bytes() {
    let (server, commit) = with_files().await;
    let ask = |method, name: &'static str, value: String| {
        let request =
            server.request(Actor::Nobody, method, HELLO).header(name, value).header("range", "bytes=1-");
        async move { request.send().await.unwrap() }
    };
    for method in [Method::HEAD, Method::GET] {
        let known = ask(method, "if-none-match", format!("\"x\", W/\"{HELLO_OID}\"")).await;
        assert_eq!(
            (known.status(), header(&known, "x-repo-commit")),
            (StatusCode::NOT_MODIFIED, commit.as_str())
        );
    }
    let changed = ask(Method::GET, "if-range", "\"another\"".to_owned()).await;
    assert_eq!(changed.status(), StatusCode::OK);
    let same = ask(Method::GET, "if-range", format!("\"{HELLO_OID}\"")).await;
    assert_eq!(same.status(), StatusCode::PARTIAL_CONTENT);
}

#[tokio::test]
async fn what_is_missing_says_so_in_headers() {
    let (server, commit) = with_files().await;
    let check = |path: &'static str, code: &'static str, found: &str| {
        let (server, found) = (&server, found.to_owned());
        async move {
            for method in [Method::HEAD, Method::GET] {
                let response = server.request(Actor::Nobody, method, path).send().await.unwrap();
                assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
                assert_eq!(
                    (header(&response, "x-error-code"), header(&response, "x-repo-commit")),
                    (code, found.as_str())
                );
                assert!(!header(&response, "x-error-message").is_empty());
            }
        }
    };
    check("/alice/iris/resolve/main/sub/none.txt", "EntryNotFound", &commit).await;
    check("/alice/iris/resolve/main/sub", "EntryNotFound", &commit).await;
    check("/alice/iris/resolve/main/..%2F..%2Fetc%2Fpasswd", "EntryNotFound", &commit).await;
    check("/alice/iris/resolve/main/%00", "EntryNotFound", &commit).await;
    check("/alice/iris/resolve/v9/sub/hello.txt", "RevisionNotFound", "").await;
    check("/alice/none/resolve/main/a", "RepoNotFound", "").await;
    check("/datasets/alice/iris/resolve/main/sub/hello.txt", "RepoNotFound", "").await;
}

#[tokio::test]
async fn a_private_repository_is_not_there_by_any_address() {
    let server = Server::start().await;
    server.create("iris", "private").await;
    server.push("iris", &[("a.txt", b"secret")]).await;
    let paths = [
        "/api/models/alice/iris",
        "/api/models/alice/iris/revision/main",
        "/api/models/alice/iris/tree/main",
        "/api/models/alice/iris/refs",
        "/api/models/alice/iris/commits/main",
        "/api/models/alice/iris/auth-check",
        "/alice/iris/resolve/main/a.txt",
        "/alice/iris/resolve/main/none.txt",
    ];
    for actor in [Actor::Nobody, Actor::Stranger] {
        for path in paths {
            let hidden = server.get(actor, path).await;
            let absent = server.get(actor, &path.replace("iris", "none")).await;
            assert_eq!(hidden.status(), StatusCode::NOT_FOUND, "{actor:?} {path}");
            assert_eq!(header(&hidden, "x-error-code"), "RepoNotFound", "{actor:?} {path}");
            // Nothing tells it from one that was never made.
            let (hidden, absent) = (hidden.text().await.unwrap(), absent.text().await.unwrap());
            assert_eq!(hidden.replace("iris", "none"), absent, "{actor:?} {path}");
        }
        let list: Value = server.get(actor, "/api/models").await.json().await.unwrap();
        assert_eq!(list, json!([]));
    }
    assert_eq!(
        server.get(Actor::Reader, "/alice/iris/resolve/main/a.txt").await.text().await.unwrap(),
        "secret"
    );
    assert_eq!(server.get(Actor::Admin, "/alice/iris/resolve/main/a.txt").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_folder_is_listed_with_what_changed_it_last() {
    let (server, commit) = with_files().await;
    let tree = "/api/models/alice/iris/tree/main";
    let entry = json!({ "type": "file", "oid": HELLO_OID, "size": 6, "path": "sub/hello.txt" });
    assert_eq!(server.read(&format!("{tree}/sub")).await, json!([entry]));
    let root = server.read(tree).await;
    let kinds: Vec<_> =
        root.as_array().unwrap().iter().map(|entry| (&entry["path"], &entry["type"])).collect();
    let (file, folder) = (json!("file"), json!("directory"));
    let names = [".gitattributes", "empty", "page.html", "sub"].map(Value::from);
    assert_eq!(kinds, [(&names[0], &file), (&names[1], &file), (&names[2], &file), (&names[3], &folder)]);
    let expanded = server.read(&format!("{tree}/sub?expand=True")).await;
    assert_eq!(expanded[0]["lastCommit"]["id"], json!(commit));
    assert!(expanded[0]["lastCommit"]["date"].as_str().unwrap().ends_with('Z'));
    let missing =
        server.get(Actor::Owner, &format!("{tree}/additional_chat_templates?recursive=false")).await;
    assert_eq!(
        (missing.status(), header(&missing, "x-error-code")),
        (StatusCode::NOT_FOUND, "EntryNotFound")
    );
}

#[tokio::test]
async fn a_long_tree_comes_in_pages_that_lead_on() {
    let server = Server::start().await;
    server.create("iris", "private").await;
    let paths: Vec<String> = (0..7).map(|i| format!("a b/{i}.txt")).collect();
    let files: Vec<(&str, &[u8])> = paths.iter().map(|path| (path.as_str(), path.as_bytes())).collect();
    server.push("iris", &files).await;
    let mut next = Some(format!("{}/api/models/alice/iris/tree/main/a%20b?limit=3", server.url));
    let mut seen = Vec::new();
    while let Some(url) = next {
        let page = server.get(Actor::Owner, url.strip_prefix(&server.url).unwrap()).await;
        let link = header(&page, "link").to_owned();
        next =
            link.strip_suffix(">; rel=\"next\"").and_then(|link| link.strip_prefix('<')).map(str::to_owned);
        let entries: Vec<Value> = page.json().await.unwrap();
        assert!(entries.len() <= 3);
        seen.extend(entries.iter().map(|entry| entry["path"].as_str().unwrap().to_owned()));
    }
    assert_eq!(seen, paths);
}

#[tokio::test]
async fn paths_are_looked_up_by_form_and_the_missing_left_out() {
    let (server, _) = with_files().await;
    let request = server.request(Actor::Nobody, Method::POST, "/api/models/alice/iris/paths-info/main");
    let form = [("paths", "sub"), ("paths", "none"), ("paths", "sub/hello.txt"), ("expand", "false")];
    let found: Vec<Value> = request.form(&form).send().await.unwrap().json().await.unwrap();
    let found: Vec<_> =
        found.iter().map(|entry| (entry["path"].as_str().unwrap(), entry["size"].as_i64())).collect();
    assert_eq!(found, [("sub", Some(0)), ("sub/hello.txt", Some(6))]);
}

#[tokio::test]
async fn downloads_are_counted_where_the_client_says_it_is_one() {
    let (server, _) = with_files().await;
    // Of these files `empty` is the first, which stands for all.
    let empty = "/alice/iris/resolve/main/empty";
    for (path, counter) in [(empty, None), (empty, Some("1")), (HELLO, Some("1")), (empty, Some("1"))] {
        let mut request = server.request(Actor::Nobody, Method::GET, path);
        if let Some(counter) = counter {
            request = request.header("x-hf-download-counter", counter);
        }
        request.send().await.unwrap();
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let n = server.read("/api/models/alice/iris").await["downloads"].as_i64().unwrap();
        if n == 2 {
            break;
        }
        assert!(n < 2 && std::time::Instant::now() < deadline, "{n} downloads were counted");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}
