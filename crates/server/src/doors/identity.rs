//! Who asks: from a bearer token, Basic authentication or a session's cookie.
//!
//! Recognises and decides nothing else, but for one thing that only HTTP knows: a request that a browser was
//! tricked into sending is nobody's. Invariant: credentials that are there and wrong are an error, never
//! silently nobody.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{Dialect, Refusal, cookies};
use crate::app::App;
use crate::error::Error;
use crate::ops::access::{Actor, By};
use crate::ops::{sessions, tokens};
use crate::secrets::{self, Secret};

/// The cookie that holds a session's secret.
pub const SESSION_COOKIE: &str = "reenact_session";
/// The header by which scripts of our own pages prove where they come from.
pub const CSRF_HEADER: &str = "x-csrf-token";

/// Who asks, for a handler of the door `D`.
#[derive(Debug)]
pub struct Asker<D> {
    pub actor: Actor,
    pub door: std::marker::PhantomData<D>,
}

impl<D: Dialect> FromRequestParts<Arc<App>> for Asker<D> {
    type Rejection = Refusal<D>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let actor = recognise(app, &parts.method, &parts.headers).await?;
        Ok(Self { actor, door: std::marker::PhantomData })
    }
}

/// Who sent these headers.
pub async fn recognise(app: &App, method: &Method, headers: &HeaderMap) -> Result<Actor, Error> {
    if let Some(value) = headers.get(AUTHORIZATION) {
        let secret = value.to_str().ok().and_then(token_of).ok_or(Error::BadToken)?;
        return tokens::actor(app, &secret).await;
    }
    let Some(secret) = session_secret(headers) else { return Ok(Actor::Nobody) };
    let actor = sessions::actor(app, &secret).await?;
    if let Actor::Account(known) = &actor
        && let By::Session { csrf, .. } = &known.by
        && !method.is_safe()
    {
        refuse_forged(headers, csrf)?;
    }
    Ok(actor)
}

/// The session's secret, if the request has one.
pub fn session_secret(headers: &HeaderMap) -> Option<Secret> {
    cookies::read(headers, SESSION_COOKIE).map(|value| Secret::new(value.to_owned()))
}

fn token_of(value: &str) -> Option<Secret> {
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Secret::new(rest.trim().to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    // Any user name will do: the token says who it is.
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(_, password)| Secret::new(password.to_owned()))
}

/// A browser says where a request comes from. Whoever says nothing must show the session's own secret: forms
/// carry it as a field, which the pages check themselves.
fn refuse_forged(headers: &HeaderMap, csrf: &str) -> Result<(), Error> {
    let sent = headers.get(CSRF_HEADER).and_then(|value| value.to_str().ok());
    let is_shown = sent.is_some_and(|sent| secrets::equal(sent, csrf));
    if is_shown || is_same_origin(headers) { Ok(()) } else { Err(Error::BadCsrf) }
}

/// Whether the browser says that a page of ours sent this.
pub fn is_same_origin(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    let host = text(HOST.as_str()).unwrap_or_default();
    let origin = text(ORIGIN.as_str()).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, origin)| origin == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_as_bearer_or_as_basic_password() {
        assert_eq!(token_of("Bearer abc").unwrap().expose(), "abc");
        assert_eq!(token_of("basic dXNlcjphYmM=").unwrap().expose(), "abc");
        assert!(token_of("Digest x").is_none() && token_of("Bearer").is_none());
    }

    #[test]
    fn a_form_from_another_site_is_forged() {
        let headers = |pairs: &[(&'static str, &'static str)]| {
            pairs.iter().map(|(k, v)| (k.parse().unwrap(), v.parse().unwrap())).collect::<HeaderMap>()
        };
        let forged = |pairs| refuse_forged(&headers(pairs), "s3cret").is_err();
        assert!(forged(&[("host", "a:1"), ("origin", "http://evil")]));
        assert!(forged(&[("host", "a:1"), ("origin", "http://a:1"), ("sec-fetch-site", "cross-site")]));
        assert!(forged(&[("host", "a:1")]) && forged(&[("host", "a:1"), ("origin", "null")]));
        assert!(!forged(&[("host", "a:1"), ("origin", "http://a:1")]));
        assert!(!forged(&[("x-csrf-token", "s3cret")]));
    }
}
