//! The pages about one's account: what one says of oneself, what is kept, and leaving.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use spec::api::{Leave, Profile};

use super::views::account::{AccountPage, LeavePage};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, show};
use crate::app::App;
use crate::error::Error;
use crate::oidc;
use crate::ops::access;
use crate::ops::{accounts, identities, quotas};
use crate::text;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    done: String,
}

/// `/settings`
pub async fn page(State(app): State<Arc<App>>, Query(wanted): Query<Wanted>, visitor: Visitor) -> Shown {
    show(&AccountPage { is_done: !wanted.done.is_empty(), ..blank(&app, &visitor).await? })
}

/// The form, filled in.
#[derive(Deserialize)]
pub struct ProfileForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    full_name: String,
    #[serde(default)]
    email: String,
}

/// `POST /settings`
pub async fn change(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Form(form): Form<ProfileForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let new = Profile { full_name: form.full_name, email: form.email };
    match accounts::set_profile(&app, &visitor.actor, &new).await {
        Ok(_) => Ok(go_to("/settings?done=1")),
        Err(error @ Error::BadRequest(_)) => {
            let complaint = Some(refusal::sentence(&error.detail()));
            let Profile { full_name, email } = new;
            show(&AccountPage { complaint, full_name, email, ..blank(&app, &visitor).await? })
        }
        Err(error) => Err(error.into()),
    }
}

/// `/settings/delete`
pub async fn leave_page(visitor: Visitor) -> Shown {
    show(&leaving(&visitor)?)
}

/// The form, filled in.
#[derive(Deserialize)]
pub struct LeaveForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    with_repositories: String,
}

/// `POST /settings/delete`
pub async fn leave(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Form(form): Form<LeaveForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let with_repositories = !form.with_repositories.is_empty();
    let wanted = Leave { name: form.name, password: form.password, with_repositories };
    match accounts::leave(&app, &visitor.actor, &wanted).await {
        // The session has ended with its account; what the browser keeps of it is nobody's.
        Ok(()) => Ok(go_to("/")),
        Err(error) if matches!(error.entry().status, 400 | 401 | 409) => {
            let entry = error.entry();
            let complaint =
                format!("{} {}", refusal::sentence(&error.detail()), refusal::sentence(entry.hint));
            let mut response = show(&LeavePage { complaint: Some(complaint), ..leaving(&visitor)? })?;
            *response.status_mut() = StatusCode::from_u16(entry.status).unwrap_or(StatusCode::BAD_REQUEST);
            Ok(response)
        }
        Err(error) => Err(error.into()),
    }
}

async fn blank(app: &App, visitor: &Visitor) -> Result<AccountPage, Error> {
    let me = accounts::me(app, &visitor.actor).await?;
    let mut frame = visitor.frame("Account");
    frame.section = "account";
    let label = app.settings.oidc_label.clone();
    let service = match oidc::is_there(app) {
        true => Some((label, identities::is_connected(app, &visitor.actor).await?)),
        false => None,
    };
    let usage = quotas::usage(app, access::signed_in(&visitor.actor)?.id).await?;
    Ok(AccountPage {
        frame,
        used: text::bytes(usage.used_bytes),
        quota: usage.quota_bytes.map(text::bytes),
        name: me.name,
        full_name: me.full_name,
        email: me.email,
        email_is_verified: me.email_is_verified,
        service,
        is_done: false,
        complaint: None,
    })
}

fn leaving(visitor: &Visitor) -> Result<LeavePage, Error> {
    let known = access::signed_in(&visitor.actor)?;
    let mut frame = visitor.frame("Delete your account");
    frame.section = "account";
    Ok(LeavePage { frame, name: known.name.clone(), complaint: None })
}
