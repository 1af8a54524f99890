//! Which headers pass between a browser and an app, and which every answer bears.
//!
//! Invariants: no credential, origin or address of a visitor reaches the app; of what the app says only what describes its
//! bytes reaches the browser; every answer is for an origin of its own, that can reach nothing but its own address.

use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, HOST, UPGRADE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};

/// Where an app is, for those who visit it.
#[derive(Debug)]
pub struct Place {
    /// `http://host`
    pub base: String,
    /// `/app-of/key`
    pub prefix: String,
}

/// What the browser says of the page that asks.
#[derive(Debug, Default)]
pub struct Asking {
    /// Whether it is in an origin of its own, as the app's pages are.
    is_opaque: bool,
    /// Headers that it means to send.
    wanted: Option<HeaderValue>,
}

/// Headers of an answer that pass.
pub const ANSWER: [&str; 11] = [
    "accept-ranges",
    "cache-control",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-range",
    "content-type",
    "etag",
    "last-modified",
    "retry-after",
];
/// Headers of an answer that opens a web socket.
pub const SOCKET: [&str; 5] =
    ["connection", "upgrade", "sec-websocket-accept", "sec-websocket-extensions", "sec-websocket-protocol"];

/// Headers of a question that do not pass: credentials, where it comes from, and what is between two programs only.
const KEPT_BACK: [&str; 20] = [
    "accept-encoding",
    "authorization",
    "connection",
    "cookie",
    "forwarded",
    "host",
    "keep-alive",
    "origin",
    "proxy-authorization",
    "proxy-connection",
    "referer",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-csrf-token",
    "x-real-ip",
    "content-length",
    "expect",
];
const KEPT_BACK_FAMILIES: [&str; 3] = ["x-forwarded-", "sec-fetch-", "cf-"];

impl Asking {
    pub fn of(headers: &HeaderMap) -> Self {
        let is_opaque = headers.get("origin").is_some_and(|origin| origin == "null");
        Self { is_opaque, wanted: headers.get("access-control-request-headers").cloned() }
    }
}

/// Whether it asks for a web socket.
pub fn is_socket(method: &Method, headers: &HeaderMap) -> bool {
    let upgrade = headers.get(UPGRADE).and_then(|value| value.to_str().ok());
    *method == Method::GET && upgrade.is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

/// Copies what of a question passes, and says where the app is.
pub fn copy_question(from: &HeaderMap, to: &mut HeaderMap, place: &Place) {
    for (name, value) in from {
        let text = name.as_str();
        let is_kept_back =
            KEPT_BACK.contains(&text) || KEPT_BACK_FAMILIES.iter().any(|f| text.starts_with(f));
        if !is_kept_back {
            to.append(name.clone(), value.clone());
        }
    }
    if let Some(length) = from.get(CONTENT_LENGTH) {
        to.insert(CONTENT_LENGTH, length.clone());
    }
    if is_socket(&Method::GET, from) {
        to.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        to.insert(UPGRADE, HeaderValue::from_static("websocket"));
    }
    let (scheme, host) = place.base.split_once("://").unwrap_or(("http", &place.base));
    for (name, value) in [(HOST, host), (FORWARDED_PREFIX, place.prefix.as_str()), (FORWARDED_PROTO, scheme)]
    {
        if let Ok(value) = HeaderValue::from_str(value) {
            to.insert(name, value);
        }
    }
}

const FORWARDED_PREFIX: HeaderName = HeaderName::from_static("x-forwarded-prefix");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Copies what of an answer passes.
pub fn copy_answer(from: &HeaderMap, to: &mut HeaderMap, passing: &[&'static str]) {
    for name in passing {
        if let Some(value) = from.get(*name) {
            to.insert(HeaderName::from_static(name), value.clone());
        }
    }
}

/// Where an answer sends the browser, if that is within the app.
pub fn own_location(to: &HeaderValue, place: &Place) -> Option<HeaderValue> {
    let text = to.to_str().ok()?;
    let path = text.strip_prefix(&place.base).unwrap_or(text);
    let is_own = path.strip_prefix(&place.prefix).is_some_and(|rest| rest.starts_with('/'));
    let is_clean = !path.contains("..") && !path.contains('\\');
    if is_own && is_clean {
        return HeaderValue::from_str(path).ok();
    }
    // A path that the app believes to be a whole one.
    let is_path = path.starts_with('/') && !path.starts_with("//") && is_clean;
    is_path.then(|| HeaderValue::from_str(&format!("{}{path}", place.prefix)).ok()).flatten()
}

/// Puts on what every answer bears.
pub fn harden(headers: &mut HeaderMap, place: &Place, from: &Asking) {
    let mut set = |name: &'static str, value: HeaderValue| {
        headers.insert(HeaderName::from_static(name), value);
    };
    let policy = HeaderValue::from_str(&policy(place));
    // An address that no header holds has let nobody in.
    set("content-security-policy", policy.unwrap_or(HeaderValue::from_static("sandbox; default-src 'none'")));
    set("x-content-type-options", HeaderValue::from_static("nosniff"));
    set("referrer-policy", HeaderValue::from_static("no-referrer"));
    set("x-robots-tag", HeaderValue::from_static("noindex"));
    set("vary", HeaderValue::from_static("origin"));
    if from.is_opaque {
        set("access-control-allow-origin", HeaderValue::from_static("null"));
        set("access-control-allow-credentials", HeaderValue::from_static("true"));
        set("access-control-allow-methods", HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE"));
        set("access-control-max-age", HeaderValue::from_static("600"));
        set(
            "access-control-expose-headers",
            HeaderValue::from_static("content-disposition, content-length, etag"),
        );
        if let Some(wanted) = &from.wanted {
            set("access-control-allow-headers", wanted.clone());
        }
    }
    // Whoever keeps a copy keeps it for one visitor.
    let kept = headers.get(CACHE_CONTROL).and_then(|value| value.to_str().ok()).unwrap_or("no-cache");
    let kept = if kept.contains("private") {
        kept.to_owned()
    } else {
        format!("private, {}", kept.replace("public", "").trim_matches([',', ' ']))
    };
    if let Ok(value) = HeaderValue::from_str(&kept) {
        headers.insert(CACHE_CONTROL, value);
    }
}

/// What a page of an app may do: run its own scripts in an origin of its own, and reach its own address.
fn policy(place: &Place) -> String {
    let Place { base, prefix } = place;
    let own = format!("{base}{prefix}/");
    let socket = own.replacen("http", "ws", 1);
    format!(
        "sandbox allow-scripts allow-forms allow-downloads allow-popups allow-modals; \
         default-src {own} 'unsafe-inline' 'unsafe-eval' data: blob:; connect-src {own} {socket} data: blob:; \
         form-action {own}; base-uri {own}; object-src 'none'; frame-ancestors {base}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { base: "http://host:1".to_owned(), prefix: "/app-of/key".to_owned() }
    }

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn an_app_learns_nothing_of_who_asks() {
        let asked = headers(&[
            ("cookie", "reenact_session=s"),
            ("authorization", "Bearer s"),
            ("origin", "null"),
            ("referer", "http://host:1/alice/iris/app"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("content-type", "application/json"),
            ("x-gradio-user", "app"),
        ]);
        let mut told = HeaderMap::new();
        copy_question(&asked, &mut told, &place());
        let mut names: Vec<_> = told.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["content-type", "host", "x-forwarded-prefix", "x-forwarded-proto", "x-gradio-user"]
        );
        assert_eq!(
            (&told["host"], &told["x-forwarded-prefix"]),
            (&"host:1".parse().unwrap(), &"/app-of/key".parse().unwrap())
        );
    }

    #[test]
    fn an_app_sets_nothing_in_the_browser() {
        let said = headers(&[
            ("set-cookie", "reenact_session=mine"),
            ("clear-site-data", "\"*\""),
            ("access-control-allow-origin", "*"),
            ("content-security-policy", "default-src *"),
            ("content-type", "text/html"),
            ("cache-control", "public, max-age=60"),
        ]);
        let mut told = HeaderMap::new();
        copy_answer(&said, &mut told, &ANSWER);
        harden(&mut told, &place(), &Asking::default());
        assert!(told.get("set-cookie").is_none() && told.get("clear-site-data").is_none());
        assert!(told.get("access-control-allow-origin").is_none());
        let policy = told["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("sandbox allow-scripts") && !policy.contains("allow-same-origin"),
            "{policy}"
        );
        assert!(policy.contains("connect-src http://host:1/app-of/key/ ws://host:1/app-of/key/"), "{policy}");
        assert_eq!(told["cache-control"], "private, max-age=60");
    }

    #[test]
    fn only_a_page_in_an_origin_of_its_own_may_read_an_answer() {
        let mut told = HeaderMap::new();
        harden(&mut told, &place(), &Asking::of(&headers(&[("origin", "https://evil.example")])));
        assert!(told.get("access-control-allow-origin").is_none());
        harden(&mut told, &place(), &Asking::of(&headers(&[("origin", "null")])));
        assert_eq!(told["access-control-allow-origin"], "null");
    }

    #[test]
    fn an_app_sends_nobody_out_of_itself() {
        let to = |text: &str| {
            own_location(&text.parse().unwrap(), &place()).map(|to| to.to_str().unwrap().to_owned())
        };
        assert_eq!(to("/page").as_deref(), Some("/app-of/key/page"));
        assert_eq!(to("http://host:1/app-of/key/x").as_deref(), Some("/app-of/key/x"));
        for text in
            ["https://evil.example/", "//evil.example", "/../alice", "/\\evil.example", "javascript:alert(1)"]
        {
            assert_eq!(to(text), None, "{text}");
        }
        assert_eq!(to("http://host:1/settings").as_deref(), Some("/app-of/key/settings"));
    }
}
