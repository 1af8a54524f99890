//! The page on which one makes tokens and takes them back.
//!
//! Invariant: a secret is in the one answer to the form that made it, and that answer is never kept.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use spec::api::{NewToken, Token, TokenScope};

use super::place::with_query;
use super::views::account::{TokenLine, TokensPage};
use super::views::front::When;
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, show};
use crate::app::App;
use crate::doors::address::Base;
use crate::error::Error;
use crate::ops::tokens;
use crate::text;

/// Tokens on one page.
const PAGE: u32 = 50;

/// Where the list goes on.
#[derive(Debug, Default, Deserialize)]
pub struct After {
    #[serde(default)]
    after: String,
}

/// `/settings/tokens`
pub async fn page(
    State(app): State<Arc<App>>,
    Query(after): Query<After>,
    base: Base,
    visitor: Visitor,
) -> Shown {
    show(&list(&app, &visitor, &base, &after.after).await?)
}

/// The form, filled in.
#[derive(Deserialize)]
pub struct TokenForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    expires: String,
    #[serde(default)]
    repository: String,
}

/// `POST /settings/tokens`
pub async fn create(
    State(app): State<Arc<App>>,
    base: Base,
    visitor: Visitor,
    Form(form): Form<TokenForm>,
) -> Shown {
    visitor.check_form(&form.csrf)?;
    let scope = match form.scope.as_str() {
        "write" => TokenScope::Write,
        "predict" => TokenScope::Predict,
        _ => TokenScope::Read,
    };
    let given = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let (expires, repository) = (given(form.expires), given(form.repository));
    let new = NewToken { name: form.name, scope, expires, repository };
    let made = tokens::create(&app, &visitor.actor, &new).await;
    let page = list(&app, &visitor, &base, "").await?;
    match made {
        Ok(created) => show(&TokensPage { made: Some((created.token.name, created.secret)), ..page }),
        Err(error @ (Error::BadRequest(_) | Error::Name(_) | Error::RepositoryNotFound(_))) => {
            show(&TokensPage { complaint: Some(refusal::sentence(&error.detail())), ..page })
        }
        Err(error) => Err(error.into()),
    }
}

/// A form with nothing in it but the session's own secret.
#[derive(Deserialize)]
pub struct Bare {
    #[serde(default)]
    csrf: String,
}

/// `POST /settings/tokens/{id}/revoke`
pub async fn revoke(
    State(app): State<Arc<App>>,
    Path(id): Path<i64>,
    visitor: Visitor,
    Form(form): Form<Bare>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    tokens::revoke(&app, &visitor.actor, id).await?;
    Ok(go_to("/settings/tokens"))
}

async fn list(app: &App, visitor: &Visitor, base: &Base, after: &str) -> Result<TokensPage, Error> {
    let after = (!after.is_empty()).then_some(after);
    let found = tokens::list(app, &visitor.actor, after, PAGE).await?;
    let mut frame = visitor.frame("Tokens");
    frame.section = "tokens";
    Ok(TokensPage {
        frame,
        tokens: found.items.into_iter().map(line).collect(),
        made: None,
        complaint: None,
        base: base.as_str().to_owned(),
        next: found.next.map(|after| with_query("/settings/tokens", &[("after", &after)])),
    })
}

fn line(token: Token) -> TokenLine {
    TokenLine {
        id: token.id,
        name: token.name,
        scope: token.scope.as_str(),
        repository: token.repository,
        created: day(token.created),
        expires: token.expires.map(day),
        last_used: token.last_used.map(day),
    }
}

/// The day of an RFC 3339 time.
fn day(exact: String) -> When {
    When { text: text::day_of(&exact), exact }
}
