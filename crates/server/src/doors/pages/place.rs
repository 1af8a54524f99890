//! Addresses of pages: reading the parts of one, writing one, and telling a local one from another.
//!
//! Invariant: whatever is put into an address here is encoded, and a path that [`local`] lets pass leads to this
//! server.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri, Path};
use axum::http::request::Parts;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use spec::name::{RepositoryKind, RepositoryName};

use super::Html;
use crate::app::App;
use crate::doors::Refusal;
use crate::error::Error;
use crate::ops::revisions::At;

const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &SEGMENT.remove(b'/');

/// The repository that an address names, with what stands behind it.
#[derive(Debug, Clone)]
pub struct Place {
    pub kind: RepositoryKind,
    pub name: RepositoryName,
    /// `main` where the address says nothing.
    pub revision: String,
    /// A file or folder; empty where the address says nothing.
    pub path: String,
}

impl FromRequestParts<Arc<App>> for Place {
    type Rejection = Refusal<Html>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        // The whole address: of a nested route `parts` has only the rest.
        let Ok(OriginalUri(uri)) = OriginalUri::from_request_parts(parts, app).await;
        let asked = uri.path().to_owned();
        let is_dataset = asked.starts_with("/datasets/");
        let found = Path::<BTreeMap<String, String>>::from_request_parts(parts, app).await;
        let Ok(Path(mut found)) = found else { return Err(Error::PageNotFound(asked).into()) };
        let mut take = |name: &str| found.remove(name).unwrap_or_default();
        // A name that cannot be is no page, rather than a wrong request.
        let name =
            RepositoryName::new(&take("owner"), &take("name")).map_err(|_| Error::PageNotFound(asked))?;
        let kind = if is_dataset { RepositoryKind::Dataset } else { RepositoryKind::Model };
        let revision = Some(take("revision")).filter(|revision| !revision.is_empty());
        let path = take("path").trim_end_matches('/').to_owned();
        Ok(Self { kind, name, revision: revision.unwrap_or_else(|| "main".to_owned()), path })
    }
}

impl Place {
    pub fn at(&self) -> At<'_> {
        At { kind: self.kind, name: &self.name, revision: &self.revision }
    }
}

/// A text as one segment of a path or one value of a query.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// A path of several segments.
pub fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// A path with a query; values that are empty are left out.
pub fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let said: Vec<String> = (pairs.iter().filter(|(_, value)| !value.is_empty()))
        .map(|(name, value)| format!("{name}={}", encode(value)))
        .collect();
    if said.is_empty() { path.to_owned() } else { format!("{path}?{}", said.join("&")) }
}

/// Where to go after signing in: what was asked for if it is a path on this server, else the front page.
pub fn local(next: &str) -> &str {
    // Browsers read a backslash as a slash, drop tabs and line breaks, and take `//host` for an address.
    let is_path = next.starts_with('/') && !next.starts_with("//") && !next.starts_with("/\\");
    let is_clean = next.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if is_path && is_clean && next.len() < 2048 { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_path_on_this_server_is_gone_to() {
        for fine in ["/", "/settings/tokens", "/alice/iris/try?example=2", "/?q=a%20b&sort=new"] {
            assert_eq!(local(fine), fine);
        }
        let foreign = [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "javascript:alert(1)",
            " /x",
            "evil",
            "/a\\b",
            "/ü",
        ];
        for next in foreign {
            assert_eq!(local(next), "/", "`{next}`");
        }
    }

    #[test]
    fn what_is_put_into_an_address_is_encoded() {
        assert_eq!(encode("feat/x y"), "feat%2Fx%20y");
        assert_eq!(encode_path("a b/c?d#e.txt"), "a%20b/c%3Fd%23e.txt");
        assert_eq!(with_query("/models", &[("q", "a&b"), ("task", "")]), "/models?q=a%26b");
    }
}
