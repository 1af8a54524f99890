//! Every route, tried by every kind of actor, on a public and on a private repository.
//!
//! The routes are read from the page of all routes itself, so that none can be left out. A change of the snapshot
//! is a change of who may do what: look at each line of it.
//!
//! There is no worker among the actors, because a worker has nothing to come with: runtimes and what computes in them
//! are given a stream to the server and no address, token or key of it. `what_computes_holds_no_credential` in
//! `provider` keeps this.

use std::collections::BTreeMap;
use std::fmt::Write;

use reqwest::Method;
use serde_json::json;
use server::ops::access::Actor as Asking;
use server::ops::repositories::Visibility;
use server::ops::{apps, facts};
use spec::attestation::Attestation;
use spec::digest::Sha256;
use spec::name::{RepositoryKind, RepositoryName};
use store::db::answers::{self, By, NewAnswer};
use store::db::apps::{self as app_rows, NewApp};
use store::db::attestations::{self, NewAttestation};
use store::db::endpoints::{self, NewEndpoint, NewState};
use store::db::{accounts, links, repositories, revisions};

use crate::attestations::{push_capsule, signed, statement};
use crate::server::{Actor, Server, file, header, ndjson};

const ROUTER: &str = include_str!("../../src/router.rs");

/// Functions of the router whose routes lie below other addresses, and below which.
const NESTED: [(&str, &[&str]); 7] = [
    ("our_endpoint", &["/api/v1/endpoints/{owner}/{name}"]),
    ("our_repository", &["/api/v1/models/{owner}/{name}", "/api/v1/datasets/{owner}/{name}"]),
    ("hub_lfs", &["/{owner}/{name}/info/lfs", "/datasets/{owner}/{name}/info/lfs"]),
    ("hub_repository", &["/api/models/{owner}/{name}", "/api/datasets/{owner}/{name}"]),
    ("repository_pages", &["/{owner}/{name}", "/datasets/{owner}/{name}"]),
    ("xet_realm", &["/api/xet/{realm}"]),
    ("inference_below", &["/endpoints/{owner}/{name}", "/r/{link}"]),
];

#[tokio::test]
async fn who_may_do_what() {
    // Nobody waits here for what webhooks are sent.
    let server = Server::start_with(&[("webhook_retry", "1h")]).await;
    for visibility in ["public", "private"] {
        for kind in ["model", "dataset"] {
            prepare(&server, visibility, (kind, visibility)).await;
        }
    }
    let lab = json!({ "name": "alices-lab" });
    assert!(server.post(Actor::Owner, "/api/v1/organizations", &lab).await.status().is_success());
    let mut fresh = Fresh::default();
    let mut table = String::new();
    let columns: Vec<String> = Actor::ALL.iter().map(|actor| format!("{actor:?}")).collect();
    writeln!(table, "{:8} {:75} {}", "", "", columns.join(" ")).unwrap();
    for (method, path) in routes() {
        for visibility in ["public", "private"] {
            write!(table, "{visibility:8} {:75}", format!("{method} {path}")).unwrap();
            for actor in Actor::ALL {
                let status = ask(&server, &mut fresh, actor, (&method, &path), visibility).await;
                write!(table, " {status:<width$}", width = format!("{actor:?}").len()).unwrap();
            }
            table.truncate(table.trim_end().len());
            table.push('\n');
        }
    }
    insta::assert_snapshot!(table);
}

#[test]
fn every_route_of_the_page_is_read() {
    assert_eq!(
        ROUTER.matches(".nest(").count() + ROUTER.matches("_below(\"").count(),
        NESTED.iter().map(|(_, prefixes)| prefixes.len()).sum::<usize>()
    );
    let n_nested: usize = NESTED
        .iter()
        .map(|(name, prefixes)| (prefixes.len() - 1) * function(name).matches(".route(").count())
        .sum();
    let mut paths: Vec<String> = routes().into_iter().map(|(_, path)| path).collect();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), ROUTER.matches(".route(").count() + n_nested);
    for (_, prefixes) in NESTED {
        assert!(
            prefixes.iter().all(|prefix| {
                ["nest", "below"].iter().any(|word| ROUTER.contains(&format!("{word}(\"{prefix}\"")))
            }),
            "{prefixes:?}"
        );
    }
}

/// Method and address of every route, in the order of the page.
fn routes() -> Vec<(Method, String)> {
    let mut routes = Vec::new();
    for function in functions() {
        let name = function.split('(').next().unwrap_or_default();
        let prefixes =
            NESTED.iter().find(|(nested, _)| *nested == name).map_or(&[""][..], |(_, prefixes)| prefixes);
        for prefix in prefixes {
            for route in function.split(".route(").skip(1) {
                let (path, handlers) = route.split_once('"').unwrap().1.split_once('"').unwrap();
                // The root of what is nested is answered without a slash at its end.
                let path = if prefix.is_empty() || path != "/" {
                    format!("{prefix}{path}")
                } else {
                    (*prefix).to_owned()
                };
                let methods = methods(handlers, function);
                assert!(!methods.is_empty(), "no method of {path} was read");
                routes.extend(methods.into_iter().map(|method| (method, path.clone())));
            }
        }
    }
    routes
}

/// The methods of handlers such as `get(a).post(b)`, or of a variable that holds some.
fn methods(handlers: &str, function: &str) -> Vec<Method> {
    let handlers = handlers.trim_start_matches([',', ' ', '\n']);
    let variable: String = handlers.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    let handlers = match function.split_once(&format!("let {variable} = ")) {
        Some((_, value)) if !variable.is_empty() => value.split(';').next().unwrap_or_default(),
        _ => handlers,
    };
    let all = [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let is_there = |method: &Method| {
        let call = format!("{}(", method.as_str().to_lowercase());
        handlers
            .match_indices(&call)
            .any(|(at, _)| !handlers[..at].ends_with(|c: char| c.is_alphanumeric() || "_:".contains(c)))
    };
    all.into_iter().filter(is_there).collect()
}

fn functions() -> impl Iterator<Item = &'static str> {
    ROUTER.split("\nfn ").flat_map(|part| part.split("\npub fn ")).skip(1)
}

fn function(name: &str) -> &'static str {
    functions().find(|function| function.starts_with(&format!("{name}("))).unwrap()
}

/// Makes a repository of Alice's with something of everything. A model's endpoint is stopped, so that who may ask it
/// is told that and not a prediction.
async fn prepare(server: &Server, name: &str, (kind, visibility): (&str, &str)) {
    let body = json!({ "name": name, "visibility": visibility, "type": kind });
    assert!(server.post(Actor::Owner, "/api/repos/create", &body).await.status().is_success());
    let base = format!("/api/{kind}s/alice/{name}");
    let lines = ndjson(&[header("begin"), file("README.md", b"# Iris\n"), file("sub/a.txt", b"a")]);
    let commit = server.request(Actor::Owner, Method::POST, &format!("{base}/commit/main")).body(lines);
    assert!(commit.send().await.unwrap().status().is_success());
    let discussion = json!({ "title": "Question", "description": "Why?", "pullRequest": true });
    for (path, body) in
        [("discussions", discussion), ("branch/dev", json!({})), ("tag/main", json!({ "tag": "v1" }))]
    {
        assert!(server.post(Actor::Owner, &format!("{base}/{path}"), &body).await.status().is_success());
    }
    for (who, action) in [("carol", "predict"), ("dave", "write")] {
        let path = format!("/api/v1/{kind}s/alice/{name}/grants/{who}");
        let put = server.request(Actor::Owner, Method::PUT, &path).json(&json!({ "action": action }));
        assert!(put.send().await.unwrap().status().is_success());
    }
    if kind == "model" {
        stop_endpoint(server, name).await;
    }
}

/// A link of Alice's to that model: its number and its secret.
async fn link(server: &Server, name: &str) -> (String, String) {
    let path = format!("/api/v1/models/alice/{name}/links");
    let made = server.post(Actor::Owner, &path, &json!({ "files": true })).await;
    let made: serde_json::Value = made.json().await.unwrap();
    let secret = made["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    (made["link"]["id"].to_string(), secret)
}

/// An answer that Bob shared, or somebody who holds a link: the secret part of its address.
async fn answer(server: &Server, name: &str, link: Option<&str>) -> String {
    let db = &server.app.store.db;
    let secret = format!("answer-{}", server.next_number());
    let full_name = format!("alice/{name}").parse().unwrap();
    let model = repositories::by_name(db, RepositoryKind::Model, &full_name).await.unwrap().unwrap();
    let bob = accounts::by_name(db, "bob").await.unwrap().unwrap();
    let by = match link {
        Some(link) => {
            let hash = Sha256::of(link.as_bytes()).to_string();
            By::Link(links::by_hash(db, &hash).await.unwrap().unwrap().id, "")
        }
        None => By::Account(bob.id),
    };
    let hash = Sha256::of(secret.as_bytes()).to_string();
    let (schema, input, output) = ("{}", "{\"inputs\":[]}", "{\"outputs\":[]}");
    let (revision, created_ms) = ("0a", model.created_ms);
    let new =
        NewAnswer { hash: &hash, repository: model.id, by, revision, schema, input, output, created_ms };
    answers::create(db, &new).await.unwrap();
    secret
}

/// An invitation to Alice's organisation: its number and its secret.
async fn invitation(server: &Server) -> (String, String) {
    let path = "/api/v1/organizations/alices-lab/invitations";
    let made = server.post(Actor::Owner, path, &json!({ "role": "read" })).await;
    let made: serde_json::Value = made.json().await.unwrap();
    (made["id"].to_string(), made["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned())
}

/// A webhook of that repository, and something that is sent to it.
async fn webhook(server: &Server, path: &str) -> (String, String) {
    let there = server.read(path).await;
    let new = json!({ "url": "https://hooks.example.invalid/" });
    let made: serde_json::Value = match there["items"].get(0) {
        Some(webhook) => webhook.clone(),
        None => server.post(Actor::Owner, path, &new).await.json().await.unwrap(),
    };
    let id = made["id"].to_string();
    let sent = server.post(Actor::Owner, &format!("{path}/{id}/test"), &json!({})).await;
    let sent: serde_json::Value = sent.json().await.unwrap();
    (id, sent["id"].to_string())
}

/// An attestation of Bob's of that model, and a body with which this actor would make another.
async fn attestation(server: &Server, actor: Actor, name: &str) -> (String, String) {
    let db = &server.app.store.db;
    let full_name = format!("alice/{name}").parse().unwrap();
    let model = repositories::by_name(db, RepositoryKind::Model, &full_name).await.unwrap().unwrap();
    let bob = accounts::by_name(db, "bob").await.unwrap().unwrap();
    let revision = push_capsule(server, name).await;
    let by = match actor {
        Actor::Asker => "carol",
        Actor::Writer => "dave",
        Actor::Admin => "root",
        Actor::Reader | Actor::Owner | Actor::Session | Actor::Forged => "alice",
        Actor::Nobody | Actor::BadToken | Actor::Stranger => "bob",
    };
    let said = statement(name, &revision, &format!("replay {}", server.next_number()));
    let said = Attestation { by: Some(by.to_owned()), ..said };
    let summary = json!({
        "capsule": "5ebddfb4f2e8", "sha256": "", "revision": "", "verdict": "bitwise", "criteria": {}, "machine": {},
        "stated": "",
    });
    let new = NewAttestation {
        repository: model.id,
        account: bob.id,
        key: "a key",
        jwk: r#"{"kty":"OKP","crv":"Ed25519","x":""}"#,
        capsule: "",
        replay: &server.next_number().to_string(),
        is_same: true,
        is_independent: true,
        summary: &summary.to_string(),
        statement: "{}",
        now_ms: model.created_ms,
    };
    let made = attestations::create(db, &new, i64::MAX).await.unwrap();
    (made.id.to_string(), signed(said, by.as_bytes()[0]).to_string())
}

/// Gives a model of Alice's an endpoint and an app that are stopped.
async fn stop_endpoint(server: &Server, name: &str) {
    let db = &server.app.store.db;
    let full_name = format!("alice/{name}").parse().unwrap();
    let model = repositories::by_name(db, RepositoryKind::Model, &full_name).await.unwrap().unwrap();
    let main = revisions::resolve(db, model.id, "main").await.unwrap().unwrap();
    // Whether it can be served is known from here on, whatever the server's own job is at.
    facts::ensure(&server.app, main.id).await.unwrap();
    let now_ms = model.created_ms;
    let endpoint =
        NewEndpoint { repository_id: model.id, revision_id: main.id, percent: 100, state: "pending", now_ms };
    endpoints::put(db, &endpoint).await.unwrap();
    let stopped = NewState { state: "stopped", reason: "", now_ms };
    endpoints::stop(db, model.id, &stopped).await.unwrap();
    let app = NewApp { repository_id: model.id, revision_id: main.id, state: "pending", now_ms };
    app_rows::put(db, &app).await.unwrap();
    let stopped = app_rows::NewState { state: "stopped", reason: "", is_stopped: true, now_ms };
    app_rows::set_state(db, model.id, &stopped).await.unwrap();
}

/// The secret part of an app's address as somebody who is not signed in was given it while the model was public. Who asks
/// by it makes no difference: the address says who it is for.
async fn app_address(server: &Server, name: &str) -> String {
    let full_name: RepositoryName = format!("alice/{name}").parse().unwrap();
    let alice = accounts::by_name(&server.app.store.db, "alice").await.unwrap().unwrap();
    let owner = Asking::Account(server::ops::accounts::known(&alice));
    let set = async |visibility| {
        let kind = RepositoryKind::Model;
        server::ops::repositories::set_visibility(&server.app, &owner, kind, &full_name, visibility)
            .await
            .unwrap();
    };
    let is_private = name.starts_with("private");
    if is_private {
        set(Visibility::Public).await;
    }
    let (_, key) = apps::issue(&server.app, &Asking::Nobody, &full_name).await.unwrap();
    if is_private {
        set(Visibility::Private).await;
    }
    key
}

/// Repositories that nobody has changed yet, by kind and visibility.
///
/// What is refused changes nothing, so the next actor tries the same one. Only what was taken uses it up.
type Fresh = BTreeMap<(&'static str, String), String>;

/// The status with which this actor's request is answered. What changes something does so to a repository of its own.
async fn ask(
    server: &Server,
    fresh: &mut Fresh,
    actor: Actor,
    route: (&Method, &str),
    visibility: &str,
) -> u16 {
    let (method, path) = route;
    let kind = if path.contains("/datasets/") { "dataset" } else { "model" };
    let name = match method.is_safe() {
        true => visibility.to_owned(),
        false => unchanged(server, fresh, (kind, visibility)).await,
    };
    let mut filled = fill(method, path, &name);
    let mut secret = String::new();
    if path.starts_with("/r/") || path.starts_with("/api/v1/links/") {
        let (id, link) = link(server, &name).await;
        filled = filled.replace("{link}", &link).replace("999999", &id);
    }
    if path.contains("{answer}") {
        let link = path.starts_with("/r/").then(|| filled.split('/').nth(2).unwrap_or_default());
        filled = filled.replace("{answer}", &answer(server, &name, link).await);
    }
    if path.contains("invitations") {
        let id;
        (id, secret) = invitation(server).await;
        // An invitation to the server is another's.
        if path.contains("/organizations/") {
            filled = filled.replace("999999", &id);
        }
        filled = filled.replace("{secret}", &secret);
    }
    if path.contains("{key}") {
        filled = filled.replace("{key}", &app_address(server, &name).await);
    }
    if kind == "model" && (path.contains("attestation") || (path.ends_with("/training") && !method.is_safe()))
    {
        let id;
        (id, secret) = attestation(server, actor, &name).await;
        filled = filled.replace("{attestation}", &id);
        if path.ends_with("/training") {
            secret = id;
        }
    }
    if path.contains("{webhook}") {
        let (webhook, delivery) = webhook(server, &format!("/api/v1/{kind}s/alice/{name}/webhooks")).await;
        filled = filled.replace("{webhook}", &webhook).replace("{delivery}", &delivery);
    }
    let request = server.request(actor, method.clone(), &filled);
    let csrf = if actor == Actor::Session { server.csrf().await } else { String::new() };
    let meant = if path.ends_with("/training") { &secret } else { &name };
    let request = match body(method, path, (&name, &secret)).or_else(|| form(method, path, (meant, &csrf))) {
        Some((content_type, body)) => request.header("content-type", content_type).body(body),
        None => request,
    };
    let response = request.send().await.unwrap();
    let status = if is_rpc(path) { rpc_status(&response) } else { response.status().as_u16() };
    assert_ne!(status, 500, "{actor:?} {method} {path}");
    let is_refused = if is_rpc(path) { status != 0 } else { status >= 400 };
    if !method.is_safe() && !is_refused {
        fresh.remove(&(kind, visibility.to_owned()));
    }
    let is_own = matches!(actor, Actor::Session | Actor::Forged) || path.contains("/sessions");
    if !method.is_safe() && is_own {
        // It may have ended itself.
        server.renew_session().await;
    }
    status
}

/// A repository that nobody has changed.
async fn unchanged(server: &Server, fresh: &mut Fresh, (kind, visibility): (&'static str, &str)) -> String {
    let of = (kind, visibility.to_owned());
    if let Some(name) = fresh.get(&of) {
        return name.clone();
    }
    let name = format!("{visibility}-{}", server.next_number());
    prepare(server, &name, (kind, visibility)).await;
    fresh.insert(of, name.clone());
    name
}

/// Whether it is the address of a gRPC method, whose answers have a status of their own, below 17.
fn is_rpc(path: &str) -> bool {
    path.starts_with("/inference.") || path.starts_with("/grpc.")
}

/// The status of a gRPC answer. One without a body has it among its headers, and only errors have none.
fn rpc_status(response: &reqwest::Response) -> u16 {
    assert_eq!(response.status(), 200);
    let status = response.headers().get("grpc-status").and_then(|status| status.to_str().ok());
    let status = status.map_or(0, |status| status.parse().unwrap());
    if status == 13 { 500 } else { status }
}

/// A message that names a model: of all methods this is the first field.
fn rpc_body(name: &str) -> String {
    let model = format!("alice/{name}");
    let message = format!("\n{}{model}", char::from(u8::try_from(model.len()).unwrap()));
    format!("\0\0\0\0{}{message}", char::from(u8::try_from(message.len()).unwrap()))
}

fn fill(method: &Method, path: &str, name: &str) -> String {
    let revision = match (method.as_str(), path.rsplit('/').nth(1)) {
        ("POST", Some("branch")) => "fresh",
        ("DELETE", Some("branch")) => "dev",
        ("DELETE", Some("tag")) => "v1",
        _ => "main",
    };
    let file = if path.contains("/tree/") { "sub" } else { "README.md" };
    let model = if path.starts_with("/r/") { "model" } else { name };
    let verb = if path.contains("/repository/") { "load" } else { &format!("{model}:predict") };
    path.replace("{owner}", "alice")
        .replace("{name}", name)
        .replace("{revision}", revision)
        .replace("{*path}", file)
        .replace("{model}", model)
        .replace("{verb}", if *method == Method::GET { model } else { verb })
        .replace("{version}", "1")
        .replace("{digest}", "0")
        .replace("{id}", "999999")
        .replace("{index}", "0")
        .replace("{organization}", "alices-lab")
        .replace("{member}", "bob")
        .replace("{who}", "carol")
        .replace("{number}", "1")
        .replace("{status}", "pending")
        .replace("{user}", "alice")
        .replace("{session}", "0123456789abcdef")
        .replace("{realm}", "1")
        .replace("{prefix}", "default")
        .replace("{oid}", &"00".repeat(32))
}

/// A body that would do what the route is for.
fn body(method: &Method, path: &str, of: (&str, &str)) -> Option<(&'static str, String)> {
    let (name, secret) = of;
    let json = |body: serde_json::Value| Some(("application/json", body.to_string()));
    match (method.as_str(), path) {
        ("POST", "/api/v1/organizations") => json(json!({ "name": format!("lab-of-{name}") })),
        ("POST", "/api/v1/invitations/accept") => json(json!({ "secret": secret })),
        ("POST", path) if path.ends_with("/invitations") => json(json!({ "email": "grace@example.org" })),
        ("PUT", path) if path.ends_with("/members/{member}") => json(json!({ "role": "read" })),
        ("PUT", path) if path.ends_with("/grants/{who}") => json(json!({ "action": "read" })),
        ("POST", path) if path.ends_with("/attestations") => Some(("application/json", secret.to_owned())),
        ("POST", path) if path.ends_with("/files") => json(json!({ "paths": ["README.md"] })),
        ("POST", path) if path.ends_with("/links") => json(json!({ "files": true })),
        ("PUT", "/api/v1/links/{id}") => json(json!({ "calls": 5 })),
        ("PUT", "/api/v1/me") => json(json!({ "full_name": "Alice Liddell" })),
        // What the account owns keeps it.
        ("DELETE", "/api/v1/me") => json(json!({ "name": "alice" })),
        ("POST" | "PUT", path)
            if path.starts_with("/api/") && (path.ends_with("/webhooks") || path.ends_with("/{webhook}")) =>
        {
            json(json!({ "url": "https://hooks.example.invalid/" }))
        }
        ("POST", "/api/v1/tokens") => json(json!({ "name": "another", "scope": "read" })),
        ("PATCH", "/api/v1/endpoints/{owner}/{name}") => json(json!({ "concurrency": 5 })),
        ("PUT", path) if path.ends_with("/targets") => {
            json(json!({ "targets": [{ "revision": "main", "percent": 100 }] }))
        }
        ("POST", "/api/v1/endpoints") => json(json!({ "repository": format!("alice/{name}") })),
        ("POST", "/api/repos/create") => {
            json(json!({ "name": format!("{name}-new"), "organization": "alice" }))
        }
        ("POST", "/api/repos/move") => {
            json(json!({ "fromRepo": format!("alice/{name}"), "toRepo": format!("alice/{name}-new") }))
        }
        ("POST", path) if path.ends_with("/lfs-files/duplicate") => {
            let kind = if path.contains("/datasets/") { "dataset" } else { "model" };
            json(json!({ "target": { "type": kind, "name": format!("alice/{name}") }, "files": [] }))
        }
        ("POST", path) if path.ends_with("/duplicate") => {
            json(json!({ "repository": format!("alice/{name}-copy") }))
        }
        ("DELETE", "/api/repos/delete") => json(json!({ "name": name, "organization": "alice" })),
        ("POST", "/api/validate-yaml") => json(json!({ "content": "# Iris", "repoType": "model" })),
        ("PUT", path) if path.ends_with("/settings") => json(json!({ "visibility": "private" })),
        ("POST", path) if path.contains("/tag/") => json(json!({ "tag": "v2" })),
        ("POST", path) if path.contains("/preupload/") => json(json!({ "files": [{ "path": "a.txt" }] })),
        ("POST", path) if path.contains("/paths-info/") => {
            Some(("application/x-www-form-urlencoded", "paths=README.md".to_owned()))
        }
        ("POST", path) if path.contains("/discussions") && path.starts_with("/api/") => json(json!({
            "title": "t", "description": "d", "comment": "c", "status": "closed", "pullRequest": path.ends_with("s")
        })),
        ("POST", path) if path.contains("/user-access-request/") => {
            json(json!({ "user": "alice", "status": "accepted" }))
        }
        ("POST", path) if path.contains("/commit/") => {
            Some(("application/x-ndjson", ndjson(&[header("x"), file("b.txt", b"b")])))
        }
        ("POST", path) if path.ends_with("/objects/batch") => {
            json(json!({ "operation": "upload", "objects": [{ "oid": "00".repeat(32), "size": 1 }] }))
        }
        ("POST", path) if path.ends_with("/objects/verify") => {
            json(json!({ "oid": "00".repeat(32), "size": 1 }))
        }
        ("POST", path) if is_rpc(path) => Some(("application/grpc", rpc_body(name))),
        ("POST", path) if path.starts_with("/endpoints/") => json(json!({ "inputs": [] })),
        ("POST", path) if path.starts_with("/r/") && !path.ends_with("/try") => json(json!({ "inputs": [] })),
        _ => None,
    }
}

/// The same for the forms of pages, with what proves that a page of ours sent it.
fn form(method: &Method, path: &str, of: (&str, &str)) -> Option<(&'static str, String)> {
    if *method != Method::POST || path.starts_with("/api/") {
        return None;
    }
    let (name, csrf) = of;
    let fields = match path.rsplit('/').next() {
        Some("sign-in") => "name=alice&password=wrong-password".to_owned(),
        Some("sign-up") => format!("name=grace-{name}&password=long-enough"),
        Some("settings") => "full_name=Alice+Liddell".to_owned(),
        Some("webhooks") => "action=create&url=https://hooks.example.invalid/".to_owned(),
        Some("password") => "password=long-enough&again=long-enough".to_owned(),
        Some("{secret}") => format!("name=grace-{name}&password=long-enough"),
        Some("tokens") => "name=another&scope=read".to_owned(),
        Some("endpoint" | "app") => "action=stop".to_owned(),
        Some("options") => "concurrency=5".to_owned(),
        Some("targets") => "revision=main&percent=100".to_owned(),
        Some("visibility") => "visibility=private".to_owned(),
        Some("new") => format!("title=t&text=x&name=lab-of-{name}"),
        Some("sharing") => "action=grant&who=bob&right=see".to_owned(),
        Some("{organization}") => "action=put&who=bob&right=read".to_owned(),
        Some("{number}") => "action=comment&text=x".to_owned(),
        Some("access") => "action=manual".to_owned(),
        Some("like") => "action=like".to_owned(),
        Some("training") => format!("attestation={name}"),
        Some("move") => format!("name=alice/{name}-new"),
        Some("delete") => format!("name=alice/{name}"),
        _ => String::new(),
    };
    Some(("application/x-www-form-urlencoded", format!("csrf={csrf}&{fields}")))
}
