//! Cookies: how one is found in a request, and put on a response.
//!
//! Knows no meaning of what they hold. Invariant: no script reads a cookie of ours, and where the server is reached by
//! HTTPS none goes any other way.

use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;

use super::address::Base;

/// One that a browser is to keep.
#[derive(Debug)]
pub struct Cookie<'a> {
    pub name: &'a str,
    /// Letters, digits, `-`, `_` and `.`; empty for the end of the cookie.
    pub value: &'a str,
    /// Below which it is sent back.
    pub path: &'a str,
    /// Whether links from other sites bring it along.
    pub same_site: SameSite,
    pub max_age_s: u64,
}

/// Which requests bring a cookie along.
#[derive(Debug, Clone, Copy)]
pub enum SameSite {
    /// Those of pages of ours, and links that lead here.
    Lax,
    /// Those of pages of ours alone.
    Strict,
}

/// The value of the cookie of this name, if the request has one.
pub fn read<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// Has the browser keep it.
pub fn set(response: &mut Response, cookie: &Cookie<'_>, base: &Base) {
    // Nothing in it needs an escape.
    if let Ok(text) = HeaderValue::from_str(&written(cookie, base)) {
        response.headers_mut().append(SET_COOKIE, text);
    }
}

fn written(cookie: &Cookie<'_>, base: &Base) -> String {
    let Cookie { name, value, path, same_site, max_age_s } = cookie;
    let same_site = match same_site {
        SameSite::Lax => "Lax",
        SameSite::Strict => "Strict",
    };
    let secure = if base.as_str().starts_with("https://") { "; Secure" } else { "" };
    format!("{name}={value}; Path={path}; HttpOnly; SameSite={same_site}; Max-Age={max_age_s}{secure}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "xa=1; a=2".parse().unwrap());
        headers.append(COOKIE, "b=3".parse().unwrap());
        assert_eq!(
            (read(&headers, "a"), read(&headers, "b"), read(&headers, "c")),
            (Some("2"), Some("3"), None)
        );
    }

    #[test]
    fn a_cookie_is_out_of_reach_for_scripts_and_other_sites() {
        let cookie = Cookie { name: "a", value: "s", path: "/", same_site: SameSite::Lax, max_age_s: 60 };
        let plain = written(&cookie, &Base::new("http://127.0.0.1:8484"));
        assert_eq!(plain, "a=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
        let strict = Cookie { same_site: SameSite::Strict, ..cookie };
        let secure = written(&strict, &Base::new("https://models.example"));
        assert_eq!(secure, "a=s; Path=/; HttpOnly; SameSite=Strict; Max-Age=60; Secure");
    }
}
