//! Sessions, sign-up, rates, what is kept about an account, and its end.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::server::{Actor, Server};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// A form as a page of ours sends it, by whoever has this cookie.
fn form(server: &Server, path: &str, cookie: Option<&str>, fields: &str) -> RequestBuilder {
    let request = server.request(Actor::Nobody, Method::POST, path);
    let request = request.header("origin", &server.url).header("user-agent", FIREFOX);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(fields.to_owned());
    match cookie {
        Some(cookie) => request.header("cookie", cookie),
        None => request,
    }
}

/// The cookie of a session that an answer begins.
fn cookie(response: &reqwest::Response) -> Option<String> {
    let line = response.headers().get("set-cookie")?.to_str().unwrap();
    Some(line.split(';').next().unwrap().to_owned())
}

/// Makes an account on a server that is open to all; its cookie and what its forms carry.
async fn sign_up(server: &Server, name: &str) -> (String, String) {
    let made = form(server, "/sign-up", None, &format!("name={name}&password=correct+horse")).send().await;
    let cookie = cookie(&made.unwrap()).expect("no session began");
    let page = server.request(Actor::Nobody, Method::GET, "/settings").header("cookie", &cookie);
    let html = page.send().await.unwrap().text().await.unwrap();
    let csrf = html.split("name=\"csrf\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    (cookie, csrf)
}

async fn sign_in(server: &Server, name: &str, password: &str) -> reqwest::Response {
    form(server, "/sign-in", None, &format!("name={name}&password={password}")).send().await.unwrap()
}

async fn get(server: &Server, cookie: &str, path: &str) -> reqwest::Response {
    server.request(Actor::Nobody, Method::GET, path).header("cookie", cookie).send().await.unwrap()
}

#[tokio::test]
async fn nobody_makes_an_account_where_that_is_closed() {
    let server = Server::start().await;
    let made = form(&server, "/sign-up", None, "name=eve&password=correct+horse").send().await.unwrap();
    assert_eq!(made.status(), StatusCode::FORBIDDEN);
    assert_eq!(server.get(Actor::Nobody, "/sign-up").await.status(), StatusCode::FORBIDDEN);
    let page = server.get(Actor::Nobody, "/sign-in").await.text().await.unwrap();
    assert!(!page.contains("/sign-up") && !page.contains("/sign-in/oidc"));
    assert_eq!(server.get(Actor::Nobody, "/eve").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn an_account_is_made_where_that_is_open_with_a_name_that_is_free() {
    let server = Server::start_with(&[("sign_up", "open")]).await;
    assert!(server.get(Actor::Nobody, "/sign-in").await.text().await.unwrap().contains("href=\"/sign-up?"));
    let (cookie, _) = sign_up(&server, "eve").await;
    let me: Value = get(&server, &cookie, "/api/v1/me").await.json().await.unwrap();
    assert_eq!((me["name"].as_str(), me["is_admin"].as_bool()), (Some("eve"), Some(false)));
    for (fields, status, said) in [
        ("name=EVE&password=correct+horse", 409, "already"),
        ("name=sign-up&password=correct+horse", 400, "reserved"),
        ("name=a--b&password=correct+horse", 400, "a--b"),
        ("name=frank&password=short", 400, "8 to 1,024"),
    ] {
        let refused = form(&server, "/sign-up", None, fields).send().await.unwrap();
        assert_eq!(refused.status(), status, "{fields}");
        assert!(refused.text().await.unwrap().contains(said), "{fields}");
    }
    // A form of another site makes none.
    let forged = form(&server, "/sign-up", None, "name=mallory&password=correct+horse");
    let forged = forged.header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert_eq!(forged.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let server = Server::start_with(&[("sign_up", "open")]).await;
    let (first, csrf) = sign_up(&server, "eve").await;
    let second = cookie(&sign_in(&server, "eve", "correct+horse").await).unwrap();
    let page: Value = get(&server, &first, "/api/v1/sessions").await.json().await.unwrap();
    let sessions = page["items"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session["label"] == "Firefox on Linux"));
    let current: Vec<_> = sessions.iter().filter(|session| session["is_current"] == true).collect();
    assert_eq!(current.len(), 1);
    let fields = format!("csrf={csrf}&password=battery+staple&again=battery+staple");
    let set = form(&server, "/settings/password", Some(&first), &fields).send().await.unwrap();
    assert_eq!(set.status(), StatusCode::SEE_OTHER);
    assert_eq!(get(&server, &second, "/api/v1/me").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(get(&server, &first, "/api/v1/me").await.status(), StatusCode::OK);
    assert_eq!(sign_in(&server, "eve", "correct+horse").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_session_is_ended_from_another_and_by_nobody_else() {
    let server = Server::start_with(&[("sign_up", "open")]).await;
    let (first, csrf) = sign_up(&server, "eve").await;
    let second = cookie(&sign_in(&server, "eve", "correct+horse").await).unwrap();
    let page: Value = get(&server, &first, "/api/v1/sessions").await.json().await.unwrap();
    let other = page["items"].as_array().unwrap().iter().find(|session| session["is_current"] == false);
    let id = other.unwrap()["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/sessions/{id}");
    let stranger = server.request(Actor::Stranger, Method::DELETE, &path).send().await.unwrap();
    assert_eq!(stranger.status(), StatusCode::NOT_FOUND);
    assert_eq!(get(&server, &second, "/api/v1/me").await.status(), StatusCode::OK);
    for wrong in ["", "%25", "0", &id[..8]] {
        let path = format!("/settings/sessions/{wrong}x/end");
        let refused = form(&server, &path, Some(&first), &format!("csrf={csrf}")).send().await.unwrap();
        assert_eq!(refused.status(), StatusCode::NOT_FOUND, "{wrong}");
    }
    let path = format!("/settings/sessions/{id}/end");
    let ended = form(&server, &path, Some(&first), &format!("csrf={csrf}")).send().await.unwrap();
    assert_eq!(ended.status(), StatusCode::SEE_OTHER);
    assert_eq!(get(&server, &second, "/api/v1/me").await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn too_many_attempts_wait() {
    let rates = [("sign_in_rate", "3"), ("guess_rate", "2"), ("sign_up_rate", "1"), ("sign_up", "open")];
    let server = Server::start_with(&rates).await;
    for _ in 0..3 {
        assert_eq!(sign_in(&server, "alice", "wrong").await.status(), StatusCode::UNAUTHORIZED);
    }
    let refused = sign_in(&server, "alice", "wrong").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(refused.text().await.unwrap().contains("too fast"));

    let (_, _) = sign_up(&server, "eve").await;
    let second = form(&server, "/sign-up", None, "name=frank&password=correct+horse").send().await.unwrap();
    assert_eq!(second.status(), StatusCode::TOO_MANY_REQUESTS);

    for path in ["/api/v1/me", "/r/not-a-link"] {
        let wrong = server.get(Actor::BadToken, path).await;
        assert!(matches!(wrong.status().as_u16(), 401 | 404), "{path}: {}", wrong.status());
    }
    for path in [
        "/api/v1/me",
        "/r/not-a-link",
        "/r/not-a-link/v2/models/model",
        "/endpoints/alice/x/v2/models/x",
        "/settings",
    ] {
        let refused = server.get(Actor::BadToken, path).await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{path}");
        assert!(refused.headers().contains_key("retry-after"), "{path}");
    }
    // Who comes with a right one goes on.
    assert_eq!(server.get(Actor::Owner, "/api/v1/me").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn only_a_proxy_that_is_trusted_says_where_a_request_comes_from() {
    let attempt = async |server: &Server, from: &str| {
        let request = form(server, "/sign-in", None, "name=nobody&password=wrong");
        request.header("x-forwarded-for", from).send().await.unwrap().status().as_u16()
    };
    let server = Server::start_with(&[("sign_in_rate", "20"), ("guess_rate", "1")]).await;
    let guess = async |server: &Server, from: &str| {
        let request = server.request(Actor::BadToken, Method::GET, "/api/v1/me");
        request.header("x-forwarded-for", from).send().await.unwrap().status().as_u16()
    };
    assert_eq!(guess(&server, "203.0.113.1").await, 401);
    assert_eq!(guess(&server, "203.0.113.2").await, 429);
    assert_eq!(attempt(&server, "203.0.113.3").await, 401);

    let server = Server::start_with(&[("guess_rate", "1"), ("trusted_proxies", "127.0.0.1")]).await;
    assert_eq!(guess(&server, "203.0.113.1").await, 401);
    assert_eq!(guess(&server, "203.0.113.2").await, 401);
    // What stands before the last address was said by whoever sent it.
    assert_eq!(guess(&server, "198.51.100.7, 203.0.113.1").await, 429);
    assert_eq!(guess(&server, "2001:db8:1:2::1").await, 401);
    assert_eq!(guess(&server, "2001:db8:1:2:ffff::9").await, 429);
}

#[tokio::test]
async fn what_is_made_is_limited_for_each_account() {
    let server = Server::start_with(&[("making_rate", "4")]).await;
    let make = async |actor, name: &str| {
        let body = json!({ "name": name, "visibility": "private" });
        server.post(actor, "/api/repos/create", &body).await.status().as_u16()
    };
    assert_eq!([make(Actor::Owner, "a").await, make(Actor::Owner, "b").await], [200, 200]);
    assert_eq!([make(Actor::Owner, "c").await, make(Actor::Owner, "d").await], [200, 200]);
    assert_eq!(make(Actor::Owner, "e").await, 429);
    assert_eq!(make(Actor::Stranger, "a").await, 200);
}

#[tokio::test]
async fn what_is_kept_is_handed_out_without_secrets() {
    let server = Server::start_with(&[("sign_up", "open")]).await;
    let (cookie, csrf) = sign_up(&server, "eve").await;
    let profile = format!("csrf={csrf}&full_name=Eve+Moneypenny&email=Eve@Example.org");
    assert_eq!(form(&server, "/settings", Some(&cookie), &profile).send().await.unwrap().status(), 303);
    let token = form(&server, "/settings/tokens", Some(&cookie), &format!("csrf={csrf}&name=ci&scope=write"));
    let html = token.send().await.unwrap().text().await.unwrap();
    let secret = format!("rn_{}", html.split(">rn_").nth(1).unwrap().split('<').next().unwrap());
    let create = server.request(Actor::Nobody, Method::POST, "/api/repos/create").bearer_auth(&secret);
    assert!(
        create.json(&json!({ "name": "tulip", "private": true })).send().await.unwrap().status().is_success()
    );
    let answer = get(&server, &cookie, "/api/v1/me/export").await;
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |what: &str| lines.iter().filter(|line| line["is"] == what).collect::<Vec<_>>();
    assert_eq!((of("account")[0]["email"].as_str(), of("account").len()), (Some("eve@example.org"), 1));
    assert_eq!((of("token")[0]["name"].as_str(), of("session").len()), (Some("ci"), 1));
    assert_eq!(of("repository")[0]["name"], "eve/tulip");
    assert!(!of("event").is_empty());
    for hidden in [&secret[3..], cookie.split('=').nth(1).unwrap(), csrf.as_str(), "argon2", "hash"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    let by_token = server.request(Actor::Nobody, Method::GET, "/api/v1/me/export").bearer_auth(&secret);
    assert_eq!(by_token.send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let anybody = server.get(Actor::Nobody, "/api/v1/me/export").await;
    assert_eq!(anybody.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_token_is_told_nothing_of_the_account_that_it_is_not_for() {
    let server = Server::start().await;
    server.create("iris", "private").await;
    let link = json!({ "files": true });
    let made = server.post(Actor::Owner, "/api/v1/models/alice/iris/links", &link).await;
    assert_eq!(made.status(), StatusCode::CREATED);
    let token = async |what: Value| {
        let made: Value = server.post(Actor::Owner, "/api/v1/tokens", &what).await.json().await.unwrap();
        made["secret"].as_str().unwrap().to_owned()
    };
    let narrow = [
        token(json!({ "name": "asks", "scope": "predict" })).await,
        token(json!({ "name": "reads one", "scope": "read", "repository": "alice/iris" })).await,
    ];
    for path in ["/api/v1/links", "/api/v1/sessions", "/api/v1/tokens"] {
        let told = async |secret: &str| {
            let asked = server.request(Actor::Nobody, Method::GET, path).bearer_auth(secret).send().await;
            asked.unwrap().json::<Value>().await.unwrap()["items"].as_array().unwrap().len()
        };
        assert!(told(server.token(Actor::Reader)).await > 0, "{path}");
        for secret in &narrow {
            assert_eq!(told(secret).await, 0, "{path}");
        }
    }
}

#[tokio::test]
async fn what_one_may_not_see_any_more_is_not_named_to_one() {
    let server = Server::start_with(&[("sign_up", "open")]).await;
    let (cookie, csrf) = sign_up(&server, "eve").await;
    server.create("iris", "public").await;
    let by_eve = |path: &str| {
        let request = server.request(Actor::Nobody, Method::POST, path).header("cookie", &cookie);
        request.header("origin", &server.url).header("x-csrf-token", &csrf)
    };
    assert!(by_eve("/api/models/alice/iris/like").send().await.unwrap().status().is_success());
    let said = json!({ "title": "Question", "description": "Why so?" });
    let said = by_eve("/api/models/alice/iris/discussions").json(&said).send().await.unwrap();
    assert!(said.status().is_success());
    let export = async || get(&server, &cookie, "/api/v1/me/export").await.text().await.unwrap();
    let of = |text: &str, what: &str| {
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["is"] == what).collect::<Vec<_>>()
    };
    let before = export().await;
    assert_eq!(of(&before, "like")[0]["repository"], "alice/iris");
    assert_eq!(of(&before, "discussion")[0]["repository"], "alice/iris");
    let close = server.request(Actor::Owner, Method::PUT, "/api/models/alice/iris/settings");
    assert!(close.json(&json!({ "visibility": "private" })).send().await.unwrap().status().is_success());
    let rename = json!({ "fromRepo": "alice/iris", "toRepo": "alice/secret" });
    assert!(server.post(Actor::Owner, "/api/repos/move", &rename).await.status().is_success());
    let after = export().await;
    assert!(of(&after, "like").is_empty() && !after.contains("secret"), "{after}");
    let said = of(&after, "discussion");
    assert!(said[0]["repository"].is_null() && said[0].to_string().contains("Why so?"), "{after}");
}

#[tokio::test]
async fn a_profile_is_bounded_and_nobody_vouches_for_a_new_address() {
    let server = Server::start().await;
    let put = async |body: Value| {
        let request = server.request(Actor::Owner, Method::PUT, "/api/v1/me").json(&body);
        request.send().await.unwrap().status().as_u16()
    };
    for body in [
        json!({ "full_name": "a".repeat(97) }),
        json!({ "full_name": "a\nb" }),
        json!({ "email": "alice" }),
        json!({ "email": "a b@example.org" }),
        json!({ "email": format!("{}@example.org", "a".repeat(300)) }),
        json!({ "is_admin": true }),
    ] {
        assert_eq!(put(body.clone()).await, 400, "{body}");
    }
    server::ops::accounts::set_verified_email(&server.app, "alice", "alice@example.org").await.unwrap();
    assert_eq!(server.read("/api/v1/me").await["email_is_verified"], true);
    assert_eq!(put(json!({ "full_name": "Alice", "email": "ALICE@example.org" })).await, 200);
    assert_eq!(server.read("/api/v1/me").await["email_is_verified"], true);
    assert_eq!(put(json!({ "email": "other@example.org" })).await, 200);
    let me = server.read("/api/v1/me").await;
    assert_eq!(
        (me["email"].as_str(), me["email_is_verified"].as_bool()),
        (Some("other@example.org"), Some(false))
    );
    assert_eq!(me.get("full_name"), None);
}

#[tokio::test]
async fn an_account_ends_by_name_and_password_and_what_it_said_stays() {
    let server = Server::start_with(&[("sign_up", "open")]).await;
    let (cookie, csrf) = sign_up(&server, "eve").await;
    server.create("iris", "public").await;
    let csrf_header =
        |request: RequestBuilder| request.header("cookie", &cookie).header("x-csrf-token", &csrf);
    let ask = |method, path: &str| csrf_header(server.request(Actor::Nobody, method, path));
    let said = json!({ "title": "Question", "description": "Why so blue?" });
    let open = ask(Method::POST, "/api/models/alice/iris/discussions").json(&said).send().await.unwrap();
    assert!(open.status().is_success());
    let own = json!({ "name": "tulip", "visibility": "public" });
    assert!(ask(Method::POST, "/api/repos/create").json(&own).send().await.unwrap().status().is_success());
    let leave = async |body: Value| {
        ask(Method::DELETE, "/api/v1/me").json(&body).send().await.unwrap().status().as_u16()
    };
    assert_eq!(leave(json!({ "name": "alice", "password": "correct horse" })).await, 400);
    assert_eq!(leave(json!({ "name": "eve" })).await, 401);
    assert_eq!(leave(json!({ "name": "eve", "password": "wrong horse" })).await, 401);
    assert_eq!(leave(json!({ "name": "eve", "password": "correct horse" })).await, 409);
    let lab = json!({ "name": "eves-lab" });
    assert!(
        ask(Method::POST, "/api/v1/organizations").json(&lab).send().await.unwrap().status().is_success()
    );
    let all = json!({ "name": "eve", "password": "correct horse", "with_repositories": true });
    assert_eq!(leave(all.clone()).await, 409);
    assert_eq!(server.get(Actor::Nobody, "/eve/tulip").await.status(), 200);
    let member = "/api/v1/organizations/eves-lab/members/alice";
    let put = ask(Method::PUT, member).json(&json!({ "role": "admin" })).send().await.unwrap();
    assert!(put.status().is_success());
    assert_eq!(leave(all).await, 204);
    assert_eq!(get(&server, &cookie, "/api/v1/me").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.get(Actor::Nobody, "/eve/tulip").await.status(), StatusCode::NOT_FOUND);
    let page = server.get(Actor::Nobody, "/alice/iris/discussions/1").await.text().await.unwrap();
    assert!(page.contains("Why so blue?") && !page.contains(">eve<"));
    let events = server.request(Actor::Admin, Method::GET, "/api/v1/events?actor=eve").send().await.unwrap();
    let events: Value = events.json().await.unwrap();
    assert_eq!(events["items"][0]["verb"], "account.delete");
}

#[tokio::test]
async fn the_last_admin_stays() {
    let server = Server::start().await;
    let root = server::ops::accounts::by_name(&server.app, "root").await.unwrap();
    let actor = server::ops::access::Actor::Account(server::ops::accounts::known(&root));
    let leave =
        spec::api::Leave { name: "root".to_owned(), password: String::new(), with_repositories: true };
    let first = server::ops::accounts::ensure_admin(&server.app).await.unwrap();
    assert!(first.is_none());
    // The first admin, whom the server made, goes first.
    let admin = server::ops::accounts::by_name(&server.app, "admin").await.unwrap();
    let by_admin = server::ops::access::Actor::Account(server::ops::accounts::known(&admin));
    let gone = spec::api::Leave { name: "admin".to_owned(), ..leave.clone() };
    server::ops::accounts::leave(&server.app, &by_admin, &gone).await.unwrap();
    let refused = server::ops::accounts::leave(&server.app, &actor, &leave).await.unwrap_err();
    assert!(matches!(refused, server::error::Error::LastServerAdmin), "{refused}");
}
