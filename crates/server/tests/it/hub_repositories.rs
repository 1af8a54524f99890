//! Repositories by the Hub protocol: making, finding, closing and deleting them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::server::{Actor, Server};

#[tokio::test]
async fn whoami_names_the_account_and_what_its_token_may() {
    let server = Server::start().await;
    let me = server.read("/api/whoami-v2").await;
    assert_eq!((&me["name"], &me["orgs"], &me["type"]), (&json!("alice"), &json!([]), &json!("user")));
    assert_eq!(me["auth"]["accessToken"]["role"], "write");
    let refused = server.get(Actor::BadToken, "/api/whoami-v2").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(refused.headers()["x-error-message"], "Invalid credentials in Authorization header");
    assert_eq!(server.get(Actor::Nobody, "/api/whoami-v2").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_new_repository_is_private_and_has_one_commit() {
    let server = Server::start().await;
    let made = server
        .post(Actor::Owner, "/api/repos/create", &json!({ "name": "iris", "organization": null }))
        .await;
    let made: Value = made.json().await.unwrap();
    assert_eq!(made["url"], format!("{}/alice/iris", server.url));
    let info = server.read("/api/models/alice/iris").await;
    assert_eq!((&info["id"], &info["private"]), (&json!("alice/iris"), &json!(true)));
    assert_eq!(info["siblings"], json!([{ "rfilename": ".gitattributes" }]));
    let history = server.read("/api/models/alice/iris/commits/main").await;
    assert_eq!(history.as_array().unwrap().len(), 1);
    assert_eq!(history[0]["id"], info["sha"]);
}

#[tokio::test]
async fn a_name_that_is_taken_is_answered_with_its_address() {
    let server = Server::start().await;
    server.create("Iris", "public").await;
    for body in [json!({ "name": "iris" }), json!({ "name": "IRIS", "organization": "Alice" })] {
        let again = server.post(Actor::Owner, "/api/repos/create", &body).await;
        assert_eq!(again.status(), StatusCode::CONFLICT);
        let again: Value = again.json().await.unwrap();
        assert_eq!(again["url"], format!("{}/alice/Iris", server.url));
    }
    // A data set may be called like a model.
    let dataset = json!({ "name": "iris", "type": "dataset" });
    let made: Value = server.post(Actor::Owner, "/api/repos/create", &dataset).await.json().await.unwrap();
    assert_eq!(made["url"], format!("{}/datasets/alice/iris", server.url));
}

#[tokio::test]
async fn a_repository_is_found_in_any_case_of_its_letters() {
    let server = Server::start().await;
    server.create("Iris", "public").await;
    let info: Value = server.get(Actor::Nobody, "/api/models/ALICE/iris").await.json().await.unwrap();
    assert_eq!(info["id"], "alice/Iris");
}

#[tokio::test]
async fn nobody_makes_repositories_of_another() {
    let server = Server::start().await;
    let create = |actor, owner: &str| {
        let body = json!({ "name": "iris", "organization": owner });
        let server = &server;
        async move { server.post(actor, "/api/repos/create", &body).await.status() }
    };
    assert_eq!(create(Actor::Stranger, "alice").await, StatusCode::FORBIDDEN);
    // Nor is a stranger told who there is.
    assert_eq!(create(Actor::Stranger, "nobody-here").await, StatusCode::FORBIDDEN);
    assert_eq!(create(Actor::Reader, "alice").await, StatusCode::FORBIDDEN);
    assert_eq!(create(Actor::Admin, "nobody-here").await, StatusCode::NOT_FOUND);
    assert_eq!(create(Actor::Admin, "alice").await, StatusCode::OK);
}

#[tokio::test]
async fn names_that_cannot_be_are_refused() {
    let server = Server::start().await;
    for name in ["", "..", "a--b", "-a", "a b", "iris.git", "a/b/c"] {
        let refused = server.post(Actor::Owner, "/api/repos/create", &json!({ "name": name })).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{name}");
    }
    let space = json!({ "name": "iris", "type": "space" });
    let refused = server.post(Actor::Owner, "/api/repos/create", &space).await;
    assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
    assert!(refused.headers()["x-error-message"].to_str().unwrap().contains("`space`"));
}

#[tokio::test]
async fn a_repository_is_closed_and_opened() {
    let server = Server::start().await;
    server.create("iris", "public").await;
    let set = |body: Value| {
        let request = server.request(Actor::Owner, Method::PUT, "/api/models/alice/iris/settings");
        async move { request.json(&body).send().await.unwrap().status() }
    };
    assert_eq!(set(json!({ "visibility": "private" })).await, StatusCode::OK);
    assert_eq!(server.get(Actor::Nobody, "/api/models/alice/iris").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(set(json!({ "private": false })).await, StatusCode::OK);
    assert_eq!(server.get(Actor::Nobody, "/api/models/alice/iris").await.status(), StatusCode::OK);
    assert_eq!(set(json!({ "gated": "sometimes" })).await, StatusCode::BAD_REQUEST);
    assert_eq!(set(json!({ "gated": true })).await, StatusCode::BAD_REQUEST);
    assert_eq!(set(json!({ "visibility": "secret" })).await, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_deleted_repository_is_gone_and_its_name_free() {
    let server = Server::start().await;
    server.create("iris", "public").await;
    server.push("iris", &[("a.txt", b"a")]).await;
    let delete = |actor| {
        let request = server.request(actor, Method::DELETE, "/api/repos/delete");
        let body = json!({ "name": "iris", "organization": "alice" });
        async move { request.json(&body).send().await.unwrap() }
    };
    assert_eq!(delete(Actor::Stranger).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(delete(Actor::Owner).await.status(), StatusCode::OK);
    let gone = delete(Actor::Owner).await;
    assert_eq!(
        (gone.status(), gone.headers()["x-error-code"].to_str().unwrap()),
        (StatusCode::NOT_FOUND, "RepoNotFound")
    );
    server.create("iris", "private").await;
    assert_eq!(server.paths("iris").await, [".gitattributes"]);
}

#[tokio::test]
async fn branches_and_tags_come_and_go() {
    let server = Server::start().await;
    server.create("iris", "public").await;
    let first = server.push("iris", &[("a.txt", b"1")]).await;
    let refs = "/api/models/alice/iris";
    let post = |path: &str, body: Value| {
        let (server, path) = (&server, format!("{refs}/{path}"));
        async move { server.post(Actor::Owner, &path, &body).await.status() }
    };
    assert_eq!(post("branch/feat%2Fx", json!({})).await, StatusCode::OK);
    assert_eq!(post("branch/feat%2Fx", json!({})).await, StatusCode::CONFLICT);
    assert_eq!(post("branch/old", json!({ "startingPoint": &first[..7] })).await, StatusCode::OK);
    assert_eq!(post("branch/new", json!({ "startingPoint": "nowhere" })).await, StatusCode::NOT_FOUND);
    assert_eq!(post("tag/feat%2Fx", json!({ "tag": "v1", "message": "first" })).await, StatusCode::OK);
    assert_eq!(post("tag/main", json!({ "tag": "v1" })).await, StatusCode::CONFLICT);
    assert_eq!(post("tag/main", json!({ "tag": "a b" })).await, StatusCode::BAD_REQUEST);

    let listed = server.read(&format!("{refs}/refs?include_prs=1")).await;
    let branch =
        |name: &str| json!({ "name": name, "ref": format!("refs/heads/{name}"), "targetCommit": first });
    assert_eq!(listed["branches"], json!([branch("feat/x"), branch("main"), branch("old")]));
    assert_eq!(listed["tags"], json!([{ "name": "v1", "ref": "refs/tags/v1", "targetCommit": first }]));
    assert_eq!((&listed["converts"], &listed["pullRequests"]), (&json!([]), &json!([])));
    for revision in ["feat%2Fx", "refs%2Fheads%2Ffeat%2Fx", "v1", &first, &first[..6]] {
        let info = server.read(&format!("{refs}/revision/{revision}")).await;
        assert_eq!(info["sha"], json!(first), "{revision}");
    }

    let delete = |path: &str| {
        let request = server.request(Actor::Owner, Method::DELETE, &format!("{refs}/{path}"));
        async move { request.send().await.unwrap() }
    };
    assert_eq!(delete("branch/feat%2Fx").await.status(), StatusCode::OK);
    assert_eq!(delete("tag/v1").await.status(), StatusCode::OK);
    assert_eq!(delete("tag/v1").await.headers()["x-error-code"], "RevisionNotFound");
    assert_eq!(delete("branch/main").await.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_card_is_checked_before_it_is_committed() {
    let server = Server::start().await;
    let check = |content: &str| {
        let body = json!({ "content": content, "repoType": "model" });
        let server = &server;
        async move {
            let response = server.post(Actor::Owner, "/api/validate-yaml", &body).await;
            (response.status(), response.json::<Value>().await.unwrap())
        }
    };
    let (status, good) = check("---\nlicense: mit\n---\n# Iris\n").await;
    assert_eq!((status, good), (StatusCode::OK, json!({ "errors": [], "warnings": [] })));
    let (status, bad) = check("---\nlicense: [\n---\n").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(bad["errors"][0]["message"].as_str().unwrap().contains("the card"));
}

#[tokio::test]
async fn a_part_of_the_protocol_we_do_not_speak_is_not_found() {
    let server = Server::start().await;
    server.create("iris", "public").await;
    for path in ["/api/models/alice/iris/treesize/main"] {
        let response = server.get(Actor::Owner, path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(response.json::<Value>().await.unwrap()["error"].is_string());
    }
}

#[tokio::test]
async fn a_repository_that_moved_is_found_under_its_old_name() {
    let server = Server::start().await;
    server.create("iris", "public").await;
    server.push("iris", &[("a b.txt", b"a")]).await;
    let rename = async |actor, from: &str, to: &str| {
        server.post(actor, "/api/repos/move", &json!({ "fromRepo": from, "toRepo": to })).await.status()
    };
    assert_eq!(rename(Actor::Stranger, "alice/iris", "bob/iris").await, StatusCode::FORBIDDEN);
    assert_eq!(rename(Actor::Owner, "alice/iris", "bob/iris").await, StatusCode::FORBIDDEN);
    assert_eq!(rename(Actor::Owner, "alice/iris", "alice/lily").await, StatusCode::OK);
    let location = async |actor, method: Method, path: &str| {
        let response = server.request(actor, method, path).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::TEMPORARY_REDIRECT, "{path}");
        response.headers()["location"].to_str().unwrap().to_owned()
    };
    for (method, path, wanted) in [
        (Method::GET, "/alice/iris", "/alice/lily"),
        (Method::GET, "/Alice/IRIS/tree/main?after=x", "/alice/lily/tree/main?after=x"),
        (Method::GET, "/api/models/alice/iris", "/api/models/alice/lily"),
        (Method::POST, "/api/models/alice/iris/preupload/main", "/api/models/alice/lily/preupload/main"),
        (Method::HEAD, "/alice/iris/resolve/main/a%20b.txt", "/alice/lily/resolve/main/a%20b.txt"),
        (Method::GET, "/api/v1/models/alice/iris", "/api/v1/models/alice/lily"),
    ] {
        assert_eq!(location(Actor::Nobody, method, path).await, wanted);
    }
    // An admin hands it over; nobody who may not see it learns where it went.
    assert_eq!(rename(Actor::Admin, "alice/lily", "bob/lily").await, StatusCode::OK);
    assert_eq!(location(Actor::Owner, Method::GET, "/alice/iris").await, "/bob/lily");
    let hide = server.request(Actor::Stranger, Method::PUT, "/api/models/bob/lily/settings");
    assert_eq!(hide.json(&json!({ "private": true })).send().await.unwrap().status(), StatusCode::OK);
    for path in ["/alice/iris", "/api/models/alice/iris", "/alice/lily/resolve/main/a%20b.txt"] {
        let refused = server.get(Actor::Owner, path).await;
        assert_eq!(refused.status(), StatusCode::NOT_FOUND, "{path}");
        assert!(!refused.headers().contains_key("location"));
        assert!(!refused.text().await.unwrap().contains("bob"));
    }
    // A new repository takes the name.
    server.create("iris", "public").await;
    assert_eq!(server.get(Actor::Nobody, "/api/models/alice/iris").await.status(), StatusCode::OK);
}
