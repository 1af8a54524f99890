//! Whoever looks at a page: who they are, and the frame that every page puts around itself for them.
//!
//! Decides nothing. Invariant: a form that changes something is taken only with the session's own `csrf` in it,
//! however the browser says it came here.

use std::sync::Arc;

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;

use super::Html;
use super::views::frame::Frame;
use crate::app::App;
use crate::doors::Refusal;
use crate::doors::identity;
use crate::error::Error;
use crate::ops::access::{Actor, By};
use crate::secrets;

/// Who looks, and the address they look at.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub actor: Actor,
    /// Path and query of the request.
    pub here: String,
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Refusal<Html>;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Self::Rejection> {
        let actor = identity::recognise(app, &parts.method, &parts.headers).await?;
        let Ok(OriginalUri(uri)) = OriginalUri::from_request_parts(parts, app).await;
        let here = uri.path_and_query().map_or("/", |here| here.as_str()).to_owned();
        Ok(Self { actor, here })
    }
}

impl Visitor {
    /// Whoever looks at a page that asks for no cookie.
    pub fn nobody() -> Self {
        Self { actor: Actor::Nobody, here: "/".to_owned() }
    }

    /// The name of whoever is signed in.
    pub fn name(&self) -> Option<&str> {
        match &self.actor {
            Actor::Account(known) => Some(&known.name),
            Actor::Nobody => None,
        }
    }

    /// The frame for a page of this title.
    pub fn frame(&self, title: &str) -> Frame {
        Frame {
            title: title.to_owned(),
            user: self.name().map(str::to_owned),
            csrf: self.csrf().unwrap_or_default().to_owned(),
            here: self.here.clone(),
            ..Frame::default()
        }
    }

    /// Refuses a form that did not come from a page of this session.
    pub fn check_form(&self, csrf: &str) -> Result<(), Error> {
        match (&self.actor, self.csrf()) {
            (Actor::Nobody, _) => Err(Error::NotSignedIn),
            (_, Some(own)) if !secrets::equal(own, csrf) => Err(Error::BadCsrf),
            _ => Ok(()),
        }
    }

    fn csrf(&self) -> Option<&str> {
        match &self.actor {
            Actor::Account(known) => match &known.by {
                By::Session { csrf } => Some(csrf),
                By::Token(_) => None,
            },
            Actor::Nobody => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use spec::api::TokenScope;
    use store::db::ids::AccountId;

    use super::*;
    use crate::ops::access::Known;

    #[test]
    fn a_form_is_taken_only_with_the_secret_of_its_own_session() {
        let known = Known {
            id: AccountId(1),
            name: "alice".to_owned(),
            is_admin: false,
            scope: TokenScope::Write,
            only: None,
            by: By::Session { csrf: "s3cret".to_owned() },
        };
        let visitor = Visitor { actor: Actor::Account(known), here: "/".to_owned() };
        assert!(visitor.check_form("s3cret").is_ok());
        assert!(matches!(visitor.check_form(""), Err(Error::BadCsrf)));
        assert!(matches!(visitor.check_form("s3cret2"), Err(Error::BadCsrf)));
        let nobody = Visitor { actor: Actor::Nobody, here: "/".to_owned() };
        assert!(matches!(nobody.check_form(""), Err(Error::NotSignedIn)));
    }
}
