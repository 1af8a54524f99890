//! The connection to one server: addresses, authorisation, retries, and refusals read into errors.
//!
//! Knows HTTP, not what is asked over it. Invariant: the token goes to the server's own origin only, and
//! only requests that are safe to repeat are repeated.

use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Method, RequestBuilder, Response, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::{Host, Url};

use crate::credentials::Server;
use crate::error::{Error, Refusal};
use crate::secret::Secret;

/// Attempts at a request that is safe to repeat, the first included.
const ATTEMPTS: u32 = 5;
/// Attempts at reaching a server that does not answer: few, since most often it is not running.
const CONNECT_ATTEMPTS: u32 = 3;
/// The wait before the first repetition; it doubles each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// The longest wait that a server can ask for with `Retry-After`.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long the server may say nothing: a first prediction waits for the model to wake.
const SILENCE: Duration = Duration::from_secs(300);
const CONNECT: Duration = Duration::from_secs(10);
/// The longest piece of a foreign error page that is shown, in characters.
const FOREIGN_TEXT: usize = 300;

/// What may stand unescaped in one segment of an address.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A connection to one server. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    /// Without a `/` at its end.
    base: String,
    token: Option<Secret>,
}

impl Client {
    /// Prepares to talk to a server; nothing is sent yet.
    pub fn new(server: &Server) -> Result<Self, Error> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("reenact/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE);
        if is_loopback(&server.url) {
            // A proxy cannot reach this machine's own loopback.
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|source| Error::Setup { source })?;
        let base = server.url.as_str().trim_end_matches('/').to_owned();
        Ok(Self { http, base, token: server.token.clone() })
    }

    /// The server's address, without a `/` at its end.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request to `path`, which begins with `/` and is already encoded.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token.reveal()),
            None => request,
        }
    }

    /// A request to any address, without our token.
    pub(crate) fn request_elsewhere(&self, method: Method, url: &str) -> RequestBuilder {
        self.http.request(method, url)
    }

    /// The address of the next page of a list as a path here. Only path and query are taken from it: a server
    /// that knows itself by another name must not draw the token there.
    pub(crate) fn next_page(&self, response: &Response) -> Option<String> {
        let links = response.headers().get_all(header::LINK);
        let link = links.iter().filter_map(|value| value.to_str().ok()).find_map(next_link)?;
        let own = Url::parse(&self.base).ok()?;
        let next = own.join(link).ok()?;
        let path = next.path().strip_prefix(own.path().trim_end_matches('/')).unwrap_or(next.path());
        Some(next.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")))
    }
}

/// Sends a request that is safe to repeat, and repeats it while connection or server fail for the moment.
/// Its body must be in memory.
pub(crate) async fn send_safe(operation: &str, request: RequestBuilder) -> Result<Response, Error> {
    send_repeating(operation, request, |response| is_passing(response.status())).await
}

/// The same, but of the server's refusals only those are repeated that ask for it with `Retry-After`: others
/// would be the same, and the question was expensive to answer.
pub(crate) async fn send_when_asked(operation: &str, request: RequestBuilder) -> Result<Response, Error> {
    send_repeating(operation, request, |response| retry_after(response).is_some()).await
}

/// Sends a request once.
pub(crate) async fn send_once(operation: &str, request: RequestBuilder) -> Result<Response, Error> {
    judge(operation, request.send().await).await
}

/// Reads an answer's JSON.
pub(crate) async fn read_json<T: DeserializeOwned>(operation: &str, response: Response) -> Result<T, Error> {
    let body = response.bytes().await.map_err(|source| connection(operation, source))?;
    serde_json::from_slice(&body).map_err(|source| Error::Answer { operation: operation.to_owned(), source })
}

/// One segment of an address, every `/` in it escaped.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A path of an address, its `/` kept.
pub(crate) fn path(text: &str) -> String {
    text.split('/').map(segment).collect::<Vec<_>>().join("/")
}

pub(crate) fn connection(operation: &str, source: reqwest::Error) -> Error {
    let operation = operation.to_owned();
    match source.url().filter(|_| source.is_connect()) {
        Some(url) => Error::Unreachable {
            operation,
            url: url.origin().ascii_serialization(),
            source: source.without_url(),
        },
        None => Error::Connection { operation, source: source.without_url() },
    }
}

async fn send_repeating(
    operation: &str,
    request: RequestBuilder,
    may_pass: impl Fn(&Response) -> bool,
) -> Result<Response, Error> {
    let mut wait = FIRST_WAIT;
    for attempt in 1.. {
        let Some(copy) = request.try_clone() else { break };
        let outcome = copy.send().await;
        let (n_attempts, asked) = match &outcome {
            Ok(response) if may_pass(response) => (ATTEMPTS, retry_after(response)),
            Ok(_) => (1, None),
            Err(error) if error.is_connect() => (CONNECT_ATTEMPTS, None),
            Err(error) if error.is_request() => (ATTEMPTS, None),
            Err(_) => (1, None),
        };
        if attempt >= n_attempts {
            return judge(operation, outcome).await;
        }
        tracing::debug!(operation, attempt, "will be repeated");
        tokio::time::sleep(asked.unwrap_or(wait)).await;
        wait *= 2;
    }
    send_once(operation, request).await
}

fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(header::RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

async fn judge(operation: &str, outcome: reqwest::Result<Response>) -> Result<Response, Error> {
    let response = outcome.map_err(|source| connection(operation, source))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let header =
        |name| response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (code, message) = (header("x-error-code").to_owned(), header("x-error-message").to_owned());
    let status = response.status();
    let body = response.bytes().await.unwrap_or_default();
    let refusal = read_refusal(status, &code, &message, &body);
    Err(Error::Refused { operation: operation.to_owned(), refusal })
}

/// Reads a refusal in whichever form it came: RFC 9457 from our API, headers and `error` from the Hub's door,
/// or a page of something that stands between.
fn read_refusal(status: StatusCode, code: &str, message: &str, body: &[u8]) -> Refusal {
    let json: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let text = |key: &str| json.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let listed = |key: &str| match json.get(key) {
        Some(Value::Array(items)) => {
            let text = |item: &Value| item.get("message").unwrap_or(item).as_str().map(str::to_owned);
            items.iter().filter_map(text).collect::<Vec<_>>().join("; ")
        }
        Some(Value::String(text)) => text.clone(),
        _ => String::new(),
    };
    let candidates =
        [text("detail"), listed("error"), listed("errors"), message.to_owned(), foreign_text(&json, body)];
    let reason = || status.canonical_reason().unwrap_or("refused").to_lowercase();
    let said = candidates.into_iter().find(|text| !text.is_empty()).unwrap_or_else(reason);
    // Foreign protocols have no place for hints, so our server puts them behind the sentence.
    let behind = |mark| said.split_once(mark);
    let (detail, hint) = behind(". Hint: ").or_else(|| behind("; hint: ")).unwrap_or((&said, ""));
    Refusal {
        status: status.as_u16(),
        code: Some(text("code")).filter(|code| !code.is_empty()).unwrap_or_else(|| code.to_owned()),
        detail: detail.to_owned(),
        hint: Some(text("hint")).filter(|hint| !hint.is_empty()).unwrap_or_else(|| hint.to_owned()),
    }
}

/// Plain text from a foreign server; a page of HTML says nothing here.
fn foreign_text(json: &Value, body: &[u8]) -> String {
    let text = std::str::from_utf8(body).unwrap_or_default().trim();
    match json.is_null() && !text.starts_with('<') {
        true => text.chars().take(FOREIGN_TEXT).filter(|c| !c.is_control()).collect(),
        false => String::new(),
    }
}

/// The target of `<target>; rel="next"` in a `Link` header (RFC 8288).
fn next_link(value: &str) -> Option<&str> {
    value.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = |parameter: &str| matches!(parameter.trim(), "rel=\"next\"" | "rel=next");
        parameters.split(';').any(is_next).then_some(target)
    })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_read_in_every_form_it_comes_in() {
        let read =
            |code, message, body: &str| read_refusal(StatusCode::NOT_FOUND, code, message, body.as_bytes());
        let problem =
            r#"{"type":"x","title":"t","status":404,"detail":"there is none","hint":"look","code":"gone"}"#;
        let refusal = read("", "", problem);
        assert_eq!((&*refusal.detail, &*refusal.code, &*refusal.hint), ("there is none", "gone", "look"));
        assert_eq!(
            read("RepoNotFound", "no such", r#"{"error":"not here"}"#).to_string(),
            "not here (HTTP 404, RepoNotFound)"
        );
        assert_eq!(read("RepoNotFound", "no such", "").detail, "no such");
        let refusal = read("", "", r#"{"error":"there is none. Hint: look"}"#);
        assert_eq!((&*refusal.detail, &*refusal.hint), ("there is none", "look"));
        let refusal = read("", "", r#"{"error":"there is none; hint: look"}"#);
        assert_eq!((&*refusal.detail, &*refusal.hint), ("there is none", "look"));
        assert_eq!(read("", "", r#"{"errors":[{"message":"a"},{"message":"b"}]}"#).detail, "a; b");
        assert_eq!(read("", "", "<html>nginx</html>").detail, "not found");
        assert_eq!(read("", "", "no route").detail, "no route");
    }

    #[test]
    fn the_next_page_is_found_among_the_links() {
        assert_eq!(
            next_link(r#"<http://h/a?b=1>; rel="prev", <http://h/c>; rel="next""#),
            Some("http://h/c")
        );
        assert_eq!(next_link("<http://h/a>; rel=\"prev\""), None);
    }

    #[test]
    fn a_slash_in_a_segment_is_escaped_and_in_a_path_kept() {
        assert_eq!(segment("feat/x y"), "feat%2Fx%20y");
        assert_eq!(path("a b/c#.txt"), "a%20b/c%23.txt");
    }
}
