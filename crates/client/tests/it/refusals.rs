//! How a server's no is told, and what is tried again.

use client::credentials::{Server, parse_url};
use client::error::Error;
use client::http::Client;
use client::{api, hub};
use serde_json::json;

use crate::listener::{Listener, Reply};

#[tokio::test]
async fn a_refusal_names_operation_status_code_and_hint() {
    let problem = json!({
        "type": "t", "title": "t", "status": 404, "detail": "`alice/iris` has no endpoint",
        "hint": "deploy it first", "code": "endpoint-not-found",
    });
    let listener = Listener::start(move |_, _| Reply::json(404, &problem)).await;
    let error = api::endpoint(&listener.client(), &"alice/iris".parse().unwrap()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not look up the endpoint of `alice/iris`: `alice/iris` has no endpoint (HTTP 404, endpoint-not-found)"
    );
    assert_eq!(error.hint().as_deref(), Some("deploy it first"));
}

#[tokio::test]
async fn a_busy_server_is_asked_again_after_the_time_it_names() {
    let listener = Listener::start(|_, n_before| match n_before {
        0 => Reply::Whole(503, vec![("retry-after", "0".into())], Vec::new()),
        1 => Reply::Silence,
        _ => Reply::json(200, &json!({ "name": "alice" })),
    });
    let listener = listener.await;
    assert_eq!(hub::whoami(&listener.client()).await.unwrap().name, "alice");
    assert_eq!(listener.lines().len(), 3);
}

#[tokio::test]
async fn a_prediction_is_asked_again_only_where_the_server_wants_it() {
    let listener = Listener::start(|_, n_before| match n_before {
        0 => Reply::Whole(503, vec![("retry-after", "0".into())], Vec::new()),
        _ => Reply::json(504, &json!({ "error": "it took too long" })),
    });
    let listener = listener.await;
    let rows = json!({ "instances": [[1]] });
    let error = api::predict(&listener.client(), &"alice/iris".parse().unwrap(), &rows).await.unwrap_err();
    assert_eq!((error.status(), listener.lines().len()), (Some(504), 2));
}

#[tokio::test]
async fn a_refusal_that_will_not_change_is_not_repeated() {
    let listener = Listener::start(|_, _| Reply::json(401, &json!({ "error": "unknown token" }))).await;
    let error = hub::whoami(&listener.client()).await.unwrap_err();
    assert_eq!((error.status(), listener.lines().len()), (Some(401), 1));
    assert!(error.hint().unwrap().contains("reenact login"));
}

#[tokio::test]
async fn where_nothing_listens_the_hint_says_how_to_start_a_server() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = parse_url(&format!("http://{free}")).unwrap();
    let client = Client::new(&Server { url, token: None }).unwrap();
    let error = hub::whoami(&client).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error:?}");
    assert!(error.hint().unwrap().contains("reenact serve"));
}

#[tokio::test]
async fn an_answer_of_another_kind_is_said_to_be_one() {
    let listener = Listener::start(|_, _| Reply::Whole(200, Vec::new(), b"<html>".to_vec())).await;
    let error = hub::whoami(&listener.client()).await.unwrap_err();
    assert!(matches!(error, Error::Answer { .. }), "{error:?}");
}
