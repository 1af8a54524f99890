//! Addresses that answers contain, as the client that asked can reach them.
//!
//! Knows every kind of address we give out, so that a page's address is written in one place. Invariant: an
//! address begins with the configured public one, or else with the scheme and host of the request.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::HOST;
use axum::http::request::Parts;
use spec::name::RepositoryKind;

use crate::app::App;

/// Where the client thinks we are, such as `http://127.0.0.1:8484`, without a slash at the end.
#[derive(Debug, Clone)]
pub struct Base(String);

impl FromRequestParts<Arc<App>> for Base {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        if !app.settings.public_url.is_empty() {
            return Ok(Self(app.settings.public_url.trim_end_matches('/').to_owned()));
        }
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host =
            host.filter(|host| is_host(host)).map_or_else(|| app.settings.listen.to_string(), str::to_owned);
        Ok(Self(format!("http://{host}")))
    }
}

impl Base {
    pub fn new(url: &str) -> Self {
        Self(url.trim_end_matches('/').to_owned())
    }

    /// `http://host`
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The page of a repository.
    pub fn page(&self, kind: RepositoryKind, name: &str) -> String {
        format!("{}/{}{name}", self.0, kind.web_prefix())
    }

    /// The web app of a model.
    pub fn try_page(&self, name: &str) -> String {
        format!("{}/{name}/try", self.0)
    }

    /// The page of the app beside a model.
    pub fn app_page(&self, name: &str) -> String {
        format!("{}/{name}/app", self.0)
    }

    /// The page of a link.
    pub fn link(&self, secret: &str) -> String {
        format!("{}/r/{secret}", self.0)
    }

    /// Where an invitation is taken.
    pub fn invitation(&self, secret: &str) -> String {
        format!("{}/invitations/{secret}", self.0)
    }

    /// The base address of an endpoint; it ends in `/`.
    pub fn endpoint(&self, name: &str) -> String {
        format!("{}/endpoints/{name}/", self.0)
    }
}

/// Whether the text can stand as a host in an address we write into pages.
fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b))
}
