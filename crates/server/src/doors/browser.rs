//! Where a request comes from, and what sent it: its address and what the browser calls itself.
//!
//! Decides nothing; the rates do. Invariants: another's word for an address is taken only from proxies that the
//! operator named; what a program calls itself is never kept as it came, only what it is known for.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use axum::response::{IntoResponse, Response};

use super::{Dialect, Refusal};
use crate::app::App;
use crate::error::{Code, Error};
use crate::ops::sessions::Browser;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The address that a request comes from, put on it where it arrives.
#[derive(Debug, Clone, Copy)]
pub struct Address(pub IpAddr);

/// On an answer that a secret was none: how its door says that too many were tried.
#[derive(Debug, Clone, Copy)]
pub struct Guess(pub fn(Error) -> Response);

/// Systems and browsers by what they call themselves, the more special ones first.
const SYSTEMS: [(&str, &str); 7] = [
    ("Android", "Android"),
    ("iPhone", "iOS"),
    ("iPad", "iPadOS"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];
const BROWSERS: [(&str, &str); 7] = [
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
];

impl FromRequestParts<Arc<App>> for Browser {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<Address>();
        let agent = parts.headers.get(USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self {
            address: address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.0),
            label: label(agent.unwrap_or_default()),
        })
    }
}

/// Where a request comes from that this peer sent. Behind proxies it is the last address that none of ours wrote.
pub fn address(app: &App, peer: IpAddr, headers: &HeaderMap) -> Address {
    let proxies = &app.settings.trusted_proxies;
    if proxies.is_empty() || !proxies.contains(peer.to_canonical()) {
        return Address(peer);
    }
    let lines = headers.get_all(FORWARDED_FOR).into_iter().filter_map(|value| value.to_str().ok());
    let said: Vec<&str> = lines.flat_map(|line| line.split(',')).map(str::trim).collect();
    let mut nearest = peer;
    for text in said.into_iter().rev() {
        // What cannot be read was not written by a proxy that can be trusted with the rest.
        let Ok(found) = text.parse::<IpAddr>() else { break };
        nearest = found;
        if !proxies.contains(found.to_canonical()) {
            break;
        }
    }
    Address(nearest)
}

/// Whether an error of this kind says that a secret was none.
pub fn is_guess(code: Code) -> bool {
    matches!(code, Code::BadToken | Code::LinkNotFound | Code::BadInvitation | Code::BadSignInLink)
}

/// How a door says that too many secrets were tried.
pub fn too_fast<D: Dialect>(error: Error) -> Response {
    Refusal::<D>::from(error).into_response()
}

/// Counts an answer that says that a secret was none; when there were too many, it becomes another answer.
pub fn count_guess(app: &App, address: Address, mut response: Response) -> Response {
    let Some(Guess(too_fast)) = response.extensions_mut().remove::<Guess>() else { return response };
    match app.rates.guesses.take(&Browser { address: address.0, label: String::new() }.key()) {
        Ok(()) => response,
        Err(error) => too_fast(error),
    }
}

/// What a browser is, in two words: `Firefox on Linux`.
fn label(agent: &str) -> String {
    let find = |names: &[(&str, &'static str)]| {
        names.iter().find(|(sign, _)| agent.contains(sign)).map(|(_, name)| *name)
    };
    match (find(&BROWSERS), find(&SYSTEMS)) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_known_by_two_words() {
        let chrome = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
        assert_eq!(label(chrome), "Chrome on Linux");
        let safari =
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari/604.1";
        assert_eq!(label(safari), "Safari on iOS");
        assert_eq!(
            label("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on Windows"
        );
        assert_eq!(label("curl/8.5 <script>"), "");
    }
}
