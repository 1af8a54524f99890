//! Signing in with a provider of sign-ins: out to the provider and back.
//!
//! Invariant: what a sign-in has begun with is kept by the browser alone, in a cookie that only these two addresses
//! see and that is gone once it was used; a sign-in that another browser began is never finished here.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::place::local;
use super::visitor::Visitor;
use super::{Answer, Html, go_to, sessions};
use crate::app::App;
use crate::doors::address::Base;
use crate::doors::cookies::{self, Cookie, SameSite};
use crate::doors::identity;
use crate::error::Error;
use crate::oidc::Attempt;
use crate::ops::identities::{self, Returned};
use crate::ops::sessions::Browser;

const COOKIE_NAME: &str = "reenact_oidc";
/// How long somebody may take at the provider.
const COOKIE_S: u64 = 600;

/// What the link to the provider says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    next: String,
    /// Whether it is to be connected to the account of whoever is signed in.
    connect: String,
}

/// `/sign-in/oidc`
pub async fn begin(
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
    (base, browser): (Base, Browser),
    headers: HeaderMap,
    visitor: Visitor,
) -> Answer<Response, Html> {
    let purpose = if wanted.connect.is_empty() { Purpose::SignIn } else { Purpose::Connect };
    if purpose == Purpose::Connect {
        // A link of another site's would begin what its reader did not want.
        if !identity::is_same_origin(&headers) {
            return Err(Error::BadCsrf.into());
        }
        visitor.name().ok_or(Error::NotSignedIn)?;
    }
    let (url, attempt) = identities::begin(&app, &redirect(&base), &browser).await?;
    let mut response = go_to(&url);
    let next = local(&wanted.next);
    keep(&mut response, (&write(&attempt, purpose, next), COOKIE_S), &base);
    Ok(response)
}

/// What the browser brings back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Brought {
    state: String,
    code: String,
    error: String,
}

/// `/sign-in/oidc/callback`
pub async fn finish(
    State(app): State<Arc<App>>,
    Query(query): Query<Brought>,
    (base, browser): (Base, Browser),
    headers: HeaderMap,
    visitor: Visitor,
) -> Answer<Response, Html> {
    let (attempt, purpose, next) = kept(&headers).ok_or(Error::BadSignIn)?;
    let returned = Returned { state: query.state, code: query.code, error: query.error };
    let redirect = redirect(&base);
    let mut response = match purpose {
        Purpose::SignIn => {
            let session = identities::sign_in(&app, &attempt, returned, &redirect, &browser).await?;
            sessions::begin(&app, &base, &session, local(&next))
        }
        Purpose::Connect => {
            identities::connect(&app, &visitor.actor, &attempt, returned, &redirect).await?;
            go_to("/settings?done=1")
        }
    };
    keep(&mut response, ("", 0), &base);
    Ok(response)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    SignIn,
    Connect,
}

fn redirect(base: &Base) -> String {
    format!("{}/sign-in/oidc/callback", base.as_str())
}

/// The cookie's value: what was begun, and where it leads.
fn write(attempt: &Attempt, purpose: Purpose, next: &str) -> String {
    let purpose = if purpose == Purpose::Connect { "connect" } else { "sign-in" };
    let Attempt { state, nonce, verifier } = attempt;
    format!("{state}.{nonce}.{verifier}.{purpose}.{}", URL_SAFE_NO_PAD.encode(next))
}

fn kept(headers: &HeaderMap) -> Option<(Attempt, Purpose, String)> {
    let value = cookies::read(headers, COOKIE_NAME)?;
    let [state, nonce, verifier, purpose, next] = value.split('.').collect::<Vec<_>>().try_into().ok()?;
    let [state, nonce, verifier] = [state, nonce, verifier].map(str::to_owned);
    // Two empty states are equal, and prove nothing.
    let is_whole = !state.is_empty() && !nonce.is_empty() && !verifier.is_empty();
    let purpose = if purpose == "connect" { Purpose::Connect } else { Purpose::SignIn };
    let next = String::from_utf8(URL_SAFE_NO_PAD.decode(next).ok()?).ok()?;
    is_whole.then_some((Attempt { state, nonce, verifier }, purpose, next))
}

fn keep(response: &mut Response, (value, max_age_s): (&str, u64), base: &Base) {
    let (name, path, same_site) = (COOKIE_NAME, "/sign-in/oidc", SameSite::Lax);
    cookies::set(response, &Cookie { name, value, path, same_site, max_age_s }, base);
}

#[cfg(test)]
mod tests {
    use axum::http::header::COOKIE;

    use super::*;

    #[test]
    fn what_was_begun_is_read_back_and_nothing_else_is() {
        let attempt = Attempt { state: "s".to_owned(), nonce: "n".to_owned(), verifier: "v".to_owned() };
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, format!("a=b; {COOKIE_NAME}={value}").parse().unwrap());
            kept(&headers)
        };
        let value = write(&attempt, Purpose::Connect, "/settings");
        assert_eq!(read(&value), Some((attempt, Purpose::Connect, "/settings".to_owned())));
        for broken in ["", "s.n.v.sign-in", "..v.sign-in.Lw", "s.n.v.sign-in.%%%"] {
            assert_eq!(read(broken), None, "{broken}");
        }
        assert_eq!(kept(&HeaderMap::new()), None);
    }
}
