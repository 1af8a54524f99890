//! Errors as pages: what went wrong, what to do next, a way back.
//!
//! A handler knows the error and not who asked for what; the layer over all pages knows the rest and completes
//! the page. Invariants: nothing of the inside is shown; clients of an API never get a page.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};

use super::views::frame::Frame;
use super::views::message::ErrorPage;
use super::visitor::Visitor;
use super::{embed, go_to, protection, show};
use crate::app::App;
use crate::doors::api::Api;
use crate::doors::trace::RequestId;
use crate::doors::{Dialect, Refusal, identity};
use crate::error::{Code, Error};
use crate::ops::access::Actor;

/// How pages write an error.
#[derive(Debug)]
pub struct Html;

/// An error that waits for its page.
#[derive(Debug, Clone)]
struct Waiting {
    code: Code,
    detail: String,
}

impl Dialect for Html {
    fn write(error: &Error) -> Response {
        let mut response = error.detail().into_response();
        response.extensions_mut().insert(Waiting { code: error.code(), detail: error.detail() });
        response
    }
}

/// What the layer remembers of a request while it is answered.
#[derive(Debug)]
pub struct Asked {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    id: Option<String>,
    /// Whether the page stands in a frame of another site's.
    is_framed: bool,
}

impl Asked {
    pub fn of(request: &Request) -> Self {
        let route = request.extensions().get::<MatchedPath>();
        Self {
            is_framed: route.is_some_and(|route| route.as_str().ends_with(embed::ROUTE)),
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
            id: request.extensions().get::<RequestId>().map(|id| id.0.clone()),
        }
    }

    fn here(&self) -> &str {
        self.uri.path_and_query().map_or("/", |here| here.as_str())
    }
}

/// Every address without a page.
pub async fn not_found(State(app): State<Arc<App>>, request: Request) -> Response {
    let asked = Asked::of(&request);
    let error = Error::PageNotFound(asked.uri.path().to_owned());
    let mut response = complete(&app, &asked, Refusal::<Html>::from(error).into_response()).await;
    protection::harden(&mut response);
    response
}

/// Puts the page in the place of an error that waits for one.
pub async fn complete(app: &App, asked: &Asked, mut response: Response) -> Response {
    let waiting = response.extensions_mut().remove::<Waiting>().or_else(|| unread(app, &response));
    let Some(waiting) = waiting else { return response };
    if waiting.code == Code::Moved {
        // Nobody reads this: the browser goes on.
        return response;
    }
    if asked.uri.path().starts_with("/api/") || asked.uri.path().starts_with("/endpoints/") {
        return Refusal::<Api>::from(Error::PageNotFound(asked.uri.path().to_owned())).into_response();
    }
    if waiting.code == Code::NotSignedIn && asked.method.is_safe() && !asked.is_framed {
        return go_to(&format!("/sign-in?next={}", super::place::encode(asked.here())));
    }
    let visitor = visitor(app, asked).await;
    let entry = waiting.code.entry();
    let page = ErrorPage {
        frame: Frame { is_embedded: asked.is_framed, ..visitor.frame(entry.title) },
        status: entry.status,
        title: entry.title.to_owned(),
        detail: sentence(&waiting.detail),
        hint: entry.hint.to_owned(),
        request_id: asked.id.clone(),
        can_sign_in: visitor.name().is_none() && matches!(entry.status, 401 | 403 | 404),
    };
    match show(&page) {
        Ok(shown) => {
            let mut shown = if asked.is_framed { embed::framed(shown) } else { shown };
            *shown.status_mut() = response.status();
            if let Some(after) = response.headers().get("retry-after") {
                shown.headers_mut().insert("retry-after", after.clone());
            }
            shown
        }
        Err(_) => response,
    }
}

/// Who is greeted; whoever it was may be unknown by now, and a forged form is nobody's. In a frame nobody is known.
async fn visitor(app: &App, asked: &Asked) -> Visitor {
    let actor = match asked.is_framed {
        true => Actor::Nobody,
        false => identity::recognise(app, &Method::GET, &asked.headers).await.unwrap_or(Actor::Nobody),
    };
    Visitor { actor, here: asked.here().to_owned() }
}

/// What was wrong with a form that could not be read at all. No handler saw it, so no error of ours was written.
fn unread(app: &App, response: &Response) -> Option<Waiting> {
    let error = match response.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Error::TooLarge { limit: app.settings.request_limit.to_string() },
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            Error::BadRequest("the form could not be read".to_owned())
        }
        _ => return None,
    };
    let media_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_plain = media_type.is_none_or(|media_type| media_type.starts_with("text/plain"));
    is_plain.then(|| Waiting { code: error.code(), detail: error.detail() })
}

/// A message as a sentence: with a capital at its start and a full stop at its end.
pub(super) fn sentence(message: &str) -> String {
    let mut characters = message.chars();
    let Some(first) = characters.next() else { return String::new() };
    let stop = if message.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{}{}{stop}", first.to_uppercase(), characters.as_str())
}
