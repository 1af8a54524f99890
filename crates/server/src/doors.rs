//! The doors: each speaks HTTP and one protocol, and translates between it and the rules.
//!
//! They know no SQL and decide nothing. Invariant: an error leaves through [`Refusal`], which writes it to the
//! log once and to the client in the door's own dialect.

use std::marker::PhantomData;

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use crate::error::{Code, Error};

pub mod address;
pub mod api;
pub mod apps;
pub mod browser;
pub mod cookies;
pub mod health;
pub mod hub;
pub mod identity;
pub mod infer;
pub mod keys;
pub mod moved;
pub mod pages;
pub mod trace;
pub mod xet;

/// How a door writes an error.
pub trait Dialect {
    fn write(error: &Error) -> Response;
}

/// An error on its way out through a door.
#[derive(Debug)]
pub struct Refusal<D>(Error, PhantomData<D>);

/// What a handler of a door returns.
pub type Answer<T, D> = Result<T, Refusal<D>>;

impl<D, E: Into<Error>> From<E> for Refusal<D> {
    fn from(error: E) -> Self {
        Self(error.into(), PhantomData)
    }
}

impl<D: Dialect> IntoResponse for Refusal<D> {
    fn into_response(self) -> Response {
        report(&self.0);
        let mut response = D::write(&self.0);
        moved::note(&self.0, &mut response);
        let entry = self.0.entry();
        *response.status_mut() =
            StatusCode::from_u16(entry.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if let Error::TooFast { retry_s, .. } = &self.0 {
            response.headers_mut().insert("retry-after", HeaderValue::from(*retry_s));
        }
        if browser::is_guess(self.0.code()) {
            response.extensions_mut().insert(browser::Guess(browser::too_fast::<D>));
        }
        if self.0.code() == Code::LinkTooFast {
            response.headers_mut().insert("retry-after", HeaderValue::from_static("60"));
        }
        if matches!(self.0.code(), Code::Overloaded | Code::EndpointDown | Code::AppDown) {
            response.headers_mut().insert("retry-after", HeaderValue::from_static("1"));
        }
        if self.0.code() == Code::NotSignedIn {
            response.headers_mut().insert("www-authenticate", HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Writes an error of our own making to the log, with its causes; a client's mistake is no event.
fn report(error: &Error) {
    if !matches!(error.code(), Code::Internal | Code::StorageFull | Code::SignInService) {
        return;
    }
    let mut causes = Vec::new();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        causes.push(inner.to_string());
        cause = inner.source();
    }
    tracing::error!(code = error.entry().name, causes = causes.join(": "), "{error}");
}

/// A text as a header's value; what a header cannot hold becomes a space.
pub fn header_value(text: &str) -> HeaderValue {
    let clean: String = text.chars().map(|c| if (' '..='~').contains(&c) { c } else { ' ' }).collect();
    HeaderValue::from_str(&clean).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// A signed statement as a file to keep.
pub fn statement(name: &str, text: String) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_DISPOSITION, header_value(&format!("attachment; filename=\"{name}\"")));
    response
}
