//! The door to web apps: requests of an app's own pages, handed on to its process, and what it answers, handed back.
//!
//! The app is foreign, and so is every page it serves: those run in an origin of their own, in which our cookies and pages
//! do not exist. Invariants: whatever leaves through here says so to the browser; the app is told nothing of who visits, and
//! sets nothing in their browser; an error tells no more than that there is no such app.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{OriginalUri, Path, Request, State};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use store::clock;
use tokio::net::UnixStream;

use self::headers::Place;
use super::address::Base;
use crate::app::App;
use crate::error::Error;
use crate::ops::apps::{self, Guest};
use crate::settings::{Bytes, Seconds};

mod document;
mod headers;
mod tunnel;

/// How long what stays open goes on before it is asked again whether it may.
const ASKED_AGAIN: Duration = Duration::from_secs(10);

/// How long an app that answers nobody any more may take until it is seen to have ended.
const LAST_MOMENT: Duration = Duration::from_secs(1);

/// Where the pages of all apps are.
pub const ROOT: &str = "/app-of";

/// `/app-of/{key}`: an app's own addresses are relative to what ends in a slash.
pub async fn enter(Path(key): Path<String>, OriginalUri(uri): OriginalUri) -> Response {
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let to = HeaderValue::from_str(&format!("{ROOT}/{key}/{query}"));
    let mut response = StatusCode::PERMANENT_REDIRECT.into_response();
    response.headers_mut().insert(LOCATION, to.unwrap_or(HeaderValue::from_static("/")));
    response
}

/// `/app-of/{key}/…`, whatever the method.
pub async fn forward(
    State(app): State<Arc<App>>,
    Path(path): Path<std::collections::BTreeMap<String, String>>,
    base: Base,
    request: Request,
) -> Response {
    let key = path.get("key").cloned().unwrap_or_default();
    let place = Place { base: base.as_str().to_owned(), prefix: format!("{ROOT}/{key}") };
    let from = headers::Asking::of(request.headers());
    let mut response = match *request.method() {
        // The browser's question whether a page in an origin of its own may ask; the app has no say in it.
        Method::OPTIONS => StatusCode::NO_CONTENT.into_response(),
        _ => match pass(&app, (&key, &place), request).await {
            Ok(response) => response,
            Err(error) => {
                super::report(&error);
                refuse(&error)
            }
        },
    };
    headers::harden(response.headers_mut(), &place, &from);
    response
}

/// The answer of the app.
async fn pass(app: &Arc<App>, (key, place): (&str, &Place), mut request: Request) -> Result<Response, Error> {
    let (guest, mut sender) = reach(app, key).await?;
    let uri = own_address(place, request.uri());
    let uri = uri.ok_or_else(|| Error::PageNotFound(ROOT.to_owned()))?;
    let is_socket = headers::is_socket(request.method(), request.headers());
    let upgrade = is_socket.then(|| hyper::upgrade::on(&mut request));
    let asked = ask(app, (place, uri), request)?;
    let patience = app.settings.predict_timeout.0;
    let answered = tokio::time::timeout(patience, sender.send_request(asked)).await;
    let answered = answered.map_err(|_| Error::PredictTimeout(Seconds(patience).to_string()))?;
    let mut answered = match answered {
        Ok(answered) => answered,
        Err(error) => {
            // An app that fell over this is known to be gone before anybody is told, and so before they come again.
            guest.visit.has_ended(LAST_MOMENT).await;
            return Err(down(&guest, &error));
        }
    };
    let end = end(app, key.to_owned(), guest.expires_ms);
    if answered.status() == StatusCode::SWITCHING_PROTOCOLS {
        let upgrade = upgrade.ok_or_else(|| down(&guest, &"it opened a socket without being asked"))?;
        let theirs = hyper::upgrade::on(&mut answered);
        tunnel::begin(guest.visit, (upgrade, theirs), end);
        let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
        headers::copy_answer(answered.headers(), response.headers_mut(), &headers::SOCKET);
        return Ok(response);
    }
    answer(place, (answered, guest), end).await
}

/// The end of whatever stays open: of the address, of the right to use the app, of the server.
fn end(app: &Arc<App>, key: String, expires_ms: i64) -> impl Future<Output = ()> + Send + 'static {
    let app = Arc::clone(app);
    async move {
        let unwelcome = async {
            while clock::now_ms() < expires_ms && apps::is_welcome(&app, &key).await {
                tokio::time::sleep(ASKED_AGAIN).await;
            }
        };
        tokio::select! {
            () = unwelcome => {}
            () = app.closing.cancelled() => {}
        }
    }
}

/// The address within the app: what follows its own place, and the query.
fn own_address(place: &Place, uri: &Uri) -> Option<Uri> {
    let path = uri.path().strip_prefix(&place.prefix).filter(|path| path.starts_with('/'))?;
    match uri.query() {
        Some(query) => format!("{path}?{query}").parse().ok(),
        None => path.parse().ok(),
    }
}

/// The request as the app sees it.
fn ask(
    app: &App,
    (place, uri): (&Place, Uri),
    request: Request,
) -> Result<hyper::Request<Limited<Body>>, Error> {
    let limit = app.settings.predict_limit.0;
    let announced =
        request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|n| n > limit) {
        return Err(Error::TooLarge { limit: Bytes(limit).to_string() });
    }
    let mut asked = hyper::Request::new(());
    *asked.method_mut() = request.method().clone();
    *asked.uri_mut() = uri;
    headers::copy_question(request.headers(), asked.headers_mut(), place);
    let body = Limited::new(request.into_body(), usize::try_from(limit).unwrap_or(usize::MAX));
    Ok(asked.map(|()| body))
}

type Sender = hyper::client::conn::http1::SendRequest<Limited<Body>>;

/// A stream to the app; to the one that is started in the place of an app that has just ended.
async fn reach(app: &Arc<App>, key: &str) -> Result<(Guest, Sender), Error> {
    let guest = apps::admit(app, key).await?;
    match connect(&guest).await {
        Ok(sender) => Ok((guest, sender)),
        Err(_) if guest.visit.has_ended(LAST_MOMENT).await => {
            let guest = apps::admit(app, key).await?;
            let sender = connect(&guest).await?;
            Ok((guest, sender))
        }
        Err(error) => Err(error),
    }
}

/// A stream to the app for one request.
async fn connect(guest: &Guest) -> Result<Sender, Error> {
    let stream = UnixStream::connect(guest.visit.socket()).await.map_err(|error| down(guest, &error))?;
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (sender, connection) = shaken.map_err(|error| down(guest, &error))?;
    tokio::spawn(async move {
        // What breaks it off is seen by whoever reads the answer.
        let _ = connection.with_upgrades().await;
    });
    Ok(sender)
}

/// The answer for the browser: a page with what its scripts miss in an origin of its own, all else as it comes.
async fn answer(
    place: &Place,
    (answered, guest): (hyper::Response<Incoming>, Guest),
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<Response, Error> {
    let (parts, body) = answered.into_parts();
    let mut response = parts.status.into_response();
    headers::copy_answer(&parts.headers, response.headers_mut(), &headers::ANSWER);
    if let Some(to) = parts.headers.get(LOCATION).and_then(|to| headers::own_location(to, place)) {
        response.headers_mut().insert(LOCATION, to);
    }
    if is_page(&parts.headers) && parts.status != StatusCode::NOT_MODIFIED {
        let whole = Limited::new(body, document::PAGE_BYTES).collect().await;
        let whole = whole.map_err(|error| down(&guest, &error))?.to_bytes();
        response.headers_mut().remove(CONTENT_LENGTH);
        *response.body_mut() = Body::from(document::complete(&whole));
        return Ok(response);
    }
    // Whoever reads visits the app.
    let bytes = body.into_data_stream().take_until(Box::pin(end)).map(move |part| {
        let _visits = &guest.visit;
        part
    });
    *response.body_mut() = Body::from_stream(bytes);
    Ok(response)
}

fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_start().to_ascii_lowercase().starts_with("text/html")
}

fn down(guest: &Guest, reason: &dyn std::fmt::Display) -> Error {
    let (repository, reason) = (guest.repository.clone(), reason.to_string());
    Error::AppDown { repository, state: "not answering", reason }
}

/// An error as the frame shows it, in which no page of ours can stand.
fn refuse(error: &Error) -> Response {
    let entry = error.entry();
    let status = StatusCode::from_u16(entry.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, document::refusal(entry.title, &error.detail())).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    if status == StatusCode::SERVICE_UNAVAILABLE {
        headers.insert(RETRY_AFTER, HeaderValue::from_static("5"));
    }
    response
}
