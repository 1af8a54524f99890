//! The door for people: pages rendered by the server, which work without scripts where they can.
//!
//! Translates between forms and the rules; decides nothing. Invariants: every page leaves through [`show`] with
//! the cache policy that stands beside it, every form that changes something is checked for the session's
//! `csrf`, and no text that somebody wrote reaches a page without being escaped or sanitised.

use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, VARY};
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponse, Redirect, Response};

pub mod access_requests;
pub mod accounts;
pub mod answers;
pub mod apps;
pub mod assets;
pub mod changes;
pub mod discussions;
pub mod embed;
pub mod endpoints;
pub mod events;
pub mod files;
pub mod front;
pub mod invitations;
pub mod likes;
pub mod markdown;
pub mod oidc;
pub mod organizations;
pub mod passwords;
pub mod place;
pub mod protection;
pub mod reference;
pub mod refusal;
pub mod repositories;
pub mod review;
pub mod sessions;
pub mod sharing;
pub mod sign_up;
pub mod tokens;
pub mod training;
pub mod views;
pub mod visitor;
pub mod web_app;
pub mod webhooks;

pub use protection::protect;
pub use refusal::{Html, not_found};

use super::Answer;
use crate::error::Error;
use crate::text;
use views::front::When;
use views::{Cache, Page};

/// What a handler of a page returns.
type Shown = Answer<Response, Html>;

/// Renders a page.
fn show<P: Page>(page: &P) -> Shown {
    let html = page.render().map_err(|_| Error::Internal("render a page"))?;
    let cache = match P::CACHE {
        Cache::Ask => "private, no-cache",
        Cache::Never => "no-store",
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CACHE_CONTROL, HeaderValue::from_static(cache)),
        (VARY, HeaderValue::from_static("cookie")),
    ];
    Ok((headers, html).into_response())
}

/// Sends the browser on after a form was taken, so that loading the page again does not send it twice.
fn go_to(path: &str) -> Response {
    Redirect::to(path).into_response()
}

/// A file for the browser to save.
fn save_as(name: &str, media_type: &'static str, content: Vec<u8>) -> Response {
    let disposition =
        super::header_value(&format!("attachment; filename=\"{}\"", name.replace(['"', '\\'], "")));
    let headers: [(HeaderName, HeaderValue); 3] = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CONTENT_DISPOSITION, disposition),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, content).into_response()
}

/// A time for people and for machines.
fn when(ms: i64) -> When {
    When { text: text::day(ms), exact: text::rfc3339(ms) }
}
