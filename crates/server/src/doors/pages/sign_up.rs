//! The page on which somebody makes an account, where that is open to all.
//!
//! Invariant: where it is not, the page says so and makes none.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::place::local;
use super::views::account::SignUpPage;
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, sessions, show};
use crate::app::App;
use crate::doors::address::Base;
use crate::doors::identity;
use crate::error::Error;
use crate::ops::accounts;
use crate::ops::sessions::Browser;
use crate::settings::SignUp;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    next: String,
}

/// `/sign-up`
pub async fn page(
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
    visitor: Visitor,
) -> Answer<Response, Html> {
    if app.settings.sign_up == SignUp::Closed {
        return Err(Error::SignUpClosed.into());
    }
    if visitor.name().is_some() {
        return Ok(go_to(local(&wanted.next)));
    }
    show(&blank(&visitor, &wanted.next))
}

/// The form, filled in.
#[derive(Deserialize)]
pub struct SignUpForm {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /sign-up`
pub async fn sign_up(
    State(app): State<Arc<App>>,
    (base, browser): (Base, Browser),
    headers: HeaderMap,
    visitor: Visitor,
    Form(form): Form<SignUpForm>,
) -> Shown {
    if !identity::is_same_origin(&headers) {
        return Err(Error::BadCsrf.into());
    }
    match accounts::sign_up(&app, (form.name.trim(), form.password), &browser).await {
        Ok(session) => Ok(sessions::begin(&app, &base, &session, local(&form.next))),
        Err(error) if matches!(error.entry().status, 400 | 409) => {
            let complaint = Some(refusal::sentence(&error.detail()));
            let mut response =
                show(&SignUpPage { complaint, name: form.name, ..blank(&visitor, &form.next) })?;
            *response.status_mut() =
                StatusCode::from_u16(error.entry().status).unwrap_or(StatusCode::BAD_REQUEST);
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

fn blank(visitor: &Visitor, next: &str) -> SignUpPage {
    let mut frame = visitor.frame("Make an account");
    frame.here = "/".to_owned();
    SignUpPage { frame, name: String::new(), next: local(next).to_owned(), complaint: None }
}
