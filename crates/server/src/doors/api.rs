//! The door of our own API under `/api/v1/`: JSON in and out, errors as RFC 9457 problem details.
//!
//! Translates only. Invariant: what a handler takes and gives is a type of `spec::api`, and so stands in the
//! OpenAPI document.

use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use spec::api::{Page, Problem};
use spec::limits;

use super::Dialect;
use crate::error::Error;

pub mod accounts;
pub mod apps;
pub mod attestations;
pub mod endpoints;
pub mod events;
pub mod files;
pub mod grants;
pub mod invitations;
pub mod links;
pub mod openapi;
pub mod organizations;
pub mod repositories;
pub mod sessions;
pub mod tokens;
pub mod webhooks;

/// How our API writes an error.
#[derive(Debug)]
pub struct Api;

impl Dialect for Api {
    fn write(error: &Error) -> Response {
        let mut response = axum::Json(problem(error)).into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response
    }
}

/// An error as RFC 9457 has it.
pub fn problem(error: &Error) -> Problem {
    let entry = error.entry();
    Problem {
        kind: format!("/api/v1/#{}", entry.name),
        title: entry.title.to_owned(),
        status: entry.status,
        detail: error.detail(),
        hint: entry.hint.to_owned(),
        code: entry.name.to_owned(),
    }
}

/// Which page of a list is asked for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
    /// Most entries to return, 1 to 1,000; 100 where it is left out.
    #[serde(default)]
    pub limit: Option<u32>,
}

impl PageQuery {
    pub fn limit(&self) -> u32 {
        let most = u32::try_from(limits::PAGE_ENTRIES).unwrap_or(u32::MAX);
        self.limit.unwrap_or(100).clamp(1, most)
    }
}

/// Reads a JSON body.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(body).map_err(|error| Error::BadRequest(error.to_string()))
}

fn map_page<T, U>(page: Page<T>, each: impl FnMut(T) -> U) -> Page<U> {
    Page { items: page.items.into_iter().map(each).collect(), next: page.next }
}
