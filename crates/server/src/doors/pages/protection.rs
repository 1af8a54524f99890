//! What every page tells browsers to refuse: scripts, styles and frames that are not ours.
//!
//! Knows no page. Invariant: no page allows a script or style that stands within it, so a card that slipped past
//! the sanitiser still runs nothing.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

use super::embed::Framed;
use super::refusal;
use crate::app::App;
use crate::doors::browser::{self, Address};

/// What a page may load, and who may frame it.
macro_rules! policy {
    ($framed_by:literal) => {
        concat!(
            "default-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; object-src 'none'; ",
            "base-uri 'none'; form-action 'self'; frame-ancestors ",
            $framed_by
        )
    };
}

const HEADERS: [(&str, &str); 5] = [
    ("content-security-policy", policy!("'none'")),
    ("x-content-type-options", "nosniff"),
    // Forms of ours must still say where they come from.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    (PERMISSIONS, "camera=(), microphone=(), geolocation=()"),
];
const PERMISSIONS: &str = "permissions-policy";

/// The policy of a page that others may frame.
const FRAMED: &str = policy!("*");

/// Puts the error page in the place of a refusal, and the headers on everything.
pub async fn protect(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let asked = refusal::Asked::of(&request);
    let from = request.extensions().get::<Address>().copied();
    let mut response = next.run(request).await;
    if let Some(from) = from {
        response = browser::count_guess(&app, from, response);
    }
    let mut response = refusal::complete(&app, &asked, response).await;
    harden(&mut response);
    response
}

/// Sets the headers.
pub(super) fn harden(response: &mut Response) {
    let is_framed = response.extensions().get::<Framed>().is_some();
    let headers = response.headers_mut();
    let is_recording = headers.contains_key(PERMISSIONS);
    for (name, value) in HEADERS.into_iter().filter(|(name, _)| !is_recording || *name != PERMISSIONS) {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if is_framed {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(FRAMED));
        headers.remove("cross-origin-opener-policy");
    }
}

/// Lets a page of ours ask for the camera and the microphone, of which the browser asks whoever looks.
pub(super) fn allow_recording(response: &mut Response) {
    let value = HeaderValue::from_static("camera=(self), microphone=(self), geolocation=()");
    response.headers_mut().insert(HeaderName::from_static(PERMISSIONS), value);
}
