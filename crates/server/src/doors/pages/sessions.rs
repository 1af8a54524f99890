//! Signing in and out on the web, and the page that shows where one is signed in.
//!
//! Invariants: the session's cookie is out of reach for scripts and other sites; the form of another site signs
//! nobody in; after signing in one stays on this server.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde::Deserialize;

use super::place::local;
use super::views::account::{SessionLine, SessionsPage, SignInPage};
use super::views::front::When;
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, show};
use crate::app::App;
use crate::doors::address::Base;
use crate::doors::cookies::{self, Cookie, SameSite};
use crate::doors::identity::{self, SESSION_COOKIE};
use crate::error::Error;
use crate::oidc;
use crate::ops::sessions::{self, Browser};
use crate::secrets::Secret;
use crate::settings::SignUp;
use crate::text;

/// What the address of the sign-in page says.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Wanted {
    next: String,
    link: String,
}

/// `/sign-in`: the form, or a link that signs in at once.
pub async fn page(
    State(app): State<Arc<App>>,
    Query(wanted): Query<Wanted>,
    (base, browser): (Base, Browser),
    visitor: Visitor,
) -> Answer<Response, Html> {
    if !wanted.link.is_empty() {
        let session = sessions::sign_in_by_link(&app, &Secret::new(wanted.link), &browser).await?;
        // Who has no password yet needs one: the link never works again.
        let has_password = sessions::has_password(&app, &session).await?;
        let next = if has_password { local(&wanted.next) } else { "/settings/password?new=1" };
        return Ok(begin(&app, &base, &session, next));
    }
    if visitor.name().is_some() {
        return Ok(go_to(local(&wanted.next)));
    }
    form(&app, &visitor, (&wanted.next, ""), None)
}

/// The form, filled in.
#[derive(Deserialize)]
pub struct SignInForm {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// `POST /sign-in`
pub async fn sign_in(
    State(app): State<Arc<App>>,
    (base, browser): (Base, Browser),
    headers: HeaderMap,
    visitor: Visitor,
    Form(filled): Form<SignInForm>,
) -> Answer<Response, Html> {
    if !identity::is_same_origin(&headers) {
        return Err(Error::BadCsrf.into());
    }
    match sessions::sign_in(&app, filled.name.trim(), filled.password, &browser).await {
        Ok(session) => Ok(begin(&app, &base, &session, local(&filled.next))),
        Err(error @ Error::BadPassword) => {
            let complaint = refusal::sentence(&error.detail());
            let mut response = form(&app, &visitor, (&filled.next, &filled.name), Some(complaint))?;
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            Ok(response)
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

/// `POST /sign-out`
pub async fn sign_out(
    State(app): State<Arc<App>>,
    base: Base,
    headers: HeaderMap,
    visitor: Visitor,
    Form(form): Form<Bare>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    if let Some(session) = identity::session_secret(&headers) {
        sessions::sign_out(&app, &session).await?;
    }
    let mut response = go_to("/");
    keep(&mut response, ("", 0), &base);
    Ok(response)
}

/// `/settings/sessions`
pub async fn list(State(app): State<Arc<App>>, visitor: Visitor) -> Shown {
    let found = sessions::list(&app, &visitor.actor).await?;
    let mut frame = visitor.frame("Sessions");
    frame.section = "sessions";
    let line = |session: spec::api::Session| SessionLine {
        id: session.id,
        label: session.label,
        is_current: session.is_current,
        created: day(session.created),
        last_used: session.last_used.map(day),
    };
    show(&SessionsPage { frame, sessions: found.items.into_iter().map(line).collect() })
}

/// `POST /settings/sessions`
pub async fn revoke_others(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Form(form): Form<Bare>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    sessions::revoke_others(&app, &visitor.actor).await?;
    Ok(go_to("/settings/sessions"))
}

/// `POST /settings/sessions/{session}/end`
pub async fn revoke(
    State(app): State<Arc<App>>,
    Path(session): Path<String>,
    visitor: Visitor,
    Form(form): Form<Bare>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    sessions::revoke(&app, &visitor.actor, &session).await?;
    Ok(go_to("/settings/sessions"))
}

/// The day of an RFC 3339 time.
fn day(exact: String) -> When {
    When { text: text::day_of(&exact), exact }
}

fn form(
    app: &App,
    visitor: &Visitor,
    (next, name): (&str, &str),
    complaint: Option<String>,
) -> Answer<Response, Html> {
    let (next, name) = (local(next).to_owned(), name.to_owned());
    // A link to this form would come back to this form.
    let mut frame = visitor.frame("Sign in");
    frame.here = "/".to_owned();
    let service = oidc::is_there(app).then(|| app.settings.oidc_label.clone());
    let can_sign_up = app.settings.sign_up == SignUp::Open;
    show(&SignInPage { frame, name, next, complaint, service, can_sign_up })
}

pub(super) fn begin(app: &App, base: &Base, session: &Secret, next: &str) -> Response {
    let mut response = go_to(next);
    keep(&mut response, (session.expose(), app.settings.session_lifetime.0.as_secs()), base);
    response
}

/// The session's cookie, for so many seconds; without a secret, its end.
fn keep(response: &mut Response, (secret, max_age_s): (&str, u64), base: &Base) {
    let (name, same_site) = (SESSION_COOKIE, SameSite::Lax);
    cookies::set(response, &Cookie { name, value: secret, path: "/", same_site, max_age_s }, base);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_out_of_reach_for_scripts_and_other_sites() {
        let told = |base: &str| {
            let mut response = Response::default();
            keep(&mut response, ("s", 60), &Base::new(base));
            response.headers()["set-cookie"].to_str().unwrap().to_owned()
        };
        let plain = told("http://127.0.0.1:8484");
        assert_eq!(plain, "reenact_session=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=60");
        assert!(told("https://models.example").ends_with("; Secure"));
    }
}
