//! The page on which one sets one's password.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;

use super::views::account::PasswordPage;
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, show};
use crate::app::App;
use crate::error::Error;
use crate::ops::{access, sessions};

/// What the address says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// Whether the visitor came by a link that works once.
    new: String,
    done: String,
}

/// `/settings/password`
pub async fn page(Query(wanted): Query<Wanted>, visitor: Visitor) -> Shown {
    show(&PasswordPage {
        is_new: !wanted.new.is_empty(),
        is_done: !wanted.done.is_empty(),
        ..blank(&visitor)?
    })
}

/// The form, filled in.
#[derive(Deserialize)]
pub struct PasswordForm {
    #[serde(default)]
    csrf: String,
    password: String,
    again: String,
}

/// `POST /settings/password`
pub async fn set(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Form(form): Form<PasswordForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let known = access::signed_in(&visitor.actor)?;
    access::can_write(known)?;
    if form.password != form.again {
        let complaint = Some("The two passwords differ.".to_owned());
        return show(&PasswordPage { complaint, ..blank(&visitor)? });
    }
    match sessions::set_password(&app, known, form.password).await {
        Ok(()) => Ok(go_to("/settings/password?done=1")),
        Err(error @ Error::BadRequest(_)) => {
            let complaint = Some(refusal::sentence(&error.detail()));
            show(&PasswordPage { complaint, ..blank(&visitor)? })
        }
        Err(error) => Err(error.into()),
    }
}

fn blank(visitor: &Visitor) -> Result<PasswordPage, Error> {
    let known = access::signed_in(&visitor.actor)?;
    let mut frame = visitor.frame("Password");
    frame.section = "password";
    Ok(PasswordPage { frame, name: known.name.clone(), is_new: false, is_done: false, complaint: None })
}
