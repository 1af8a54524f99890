//! The page on which somebody takes an invitation: with a new account, or with the one they have.
//!
//! Invariant: the page itself takes nothing, so that a program which looks at the address does not use it up.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;
use spec::api::Invitation;
use spec::rights::Action;

use super::views::account::InvitationPage;
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, sessions, show};
use crate::app::App;
use crate::doors::address::Base;
use crate::doors::identity;
use crate::error::Error;
use crate::ops::invitations;
use crate::ops::sessions::Browser;
use crate::secrets::Secret;

/// `/invitations/{secret}`
pub async fn page(State(app): State<Arc<App>>, Path(secret): Path<String>, visitor: Visitor) -> Shown {
    let invitation = invitations::look(&app, &Secret::new(secret.clone())).await?;
    show(&blank(&visitor, &secret, invitation))
}

/// The form, filled in.
#[derive(Deserialize)]
pub struct InvitationForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

/// `POST /invitations/{secret}`
pub async fn take(
    State(app): State<Arc<App>>,
    Path(secret): Path<String>,
    (base, browser): (Base, Browser),
    visitor: Visitor,
    (headers, Form(form)): (HeaderMap, Form<InvitationForm>),
) -> Answer<Response, Html> {
    let key = Secret::new(secret.clone());
    if visitor.name().is_some() {
        visitor.check_form(&form.csrf)?;
        let taken = invitations::accept(&app, &visitor.actor, &key).await?;
        return Ok(go_to(&format!("/{}", taken.organization.unwrap_or_default())));
    }
    if !identity::is_same_origin(&headers) {
        return Err(Error::BadCsrf.into());
    }
    let invitation = invitations::look(&app, &key).await?;
    let next = invitation.organization.as_ref().map_or_else(|| "/new".to_owned(), |name| format!("/{name}"));
    match invitations::sign_up(&app, &key, (form.name.trim(), form.password), &browser).await {
        Ok(session) => Ok(sessions::begin(&app, &base, &session, &next)),
        Err(error) if matches!(error.entry().status, 400 | 409) => {
            let complaint = Some(refusal::sentence(&error.detail()));
            let page = InvitationPage { complaint, name: form.name, ..blank(&visitor, &secret, invitation) };
            let mut response = show(&page)?;
            *response.status_mut() =
                StatusCode::from_u16(error.entry().status).unwrap_or(StatusCode::BAD_REQUEST);
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

fn blank(visitor: &Visitor, secret: &str, invitation: Invitation) -> InvitationPage {
    InvitationPage {
        frame: visitor.frame("Invitation"),
        action: format!("/invitations/{secret}"),
        role: invitation.role.map(Action::verb).unwrap_or_default(),
        organization: invitation.organization,
        invited_by: invitation.invited_by,
        name: String::new(),
        complaint: None,
    }
}
