//! Gated repositories for people: the box in which one asks, and the page on which requests are decided.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use store::db::access_requests::{AccessRequest, RequestState};
use store::db::repositories::Gate;

use super::place::Place;
use super::repositories::{Opened, open};
use super::views::access_requests::{AccessPage, GateBox, RequestLine};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, show, when};
use crate::app::App;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::access_requests::{self as requests, Decision, Whose};

/// Requests of each state on the page.
const PAGE: u32 = 200;

/// How whoever looks stands before the gate; none where it does not keep them out.
pub async fn gate_box(app: &App, visitor: &Visitor, opened: &Opened) -> Result<Option<GateBox>, Error> {
    let request = match requests::standing(app, &visitor.actor, &opened.repository).await? {
        requests::Standing::Free => return Ok(None),
        requests::Standing::Outside => None,
        requests::Standing::Asked(request) => Some(request),
    };
    Ok(Some(GateBox {
        state: request.as_ref().map_or("", |request| request.state.as_str()),
        reason: request.map(|request| request.reason).unwrap_or_default(),
        is_automatic: opened.repository.gate == Gate::Auto,
    }))
}

/// Either form of the gate.
#[derive(Deserialize)]
pub struct GateForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    user: String,
}

/// `POST /{owner}/{name}/ask-access`
pub async fn ask(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<GateForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    match form.action.as_str() {
        "withdraw" => requests::withdraw(&app, &visitor.actor, place.kind, &place.name).await?,
        _ => requests::ask(&app, &visitor.actor, (place.kind, &place.name), &form.message).await?,
    }
    Ok(go_to(&format!("/{}{}", place.kind.web_prefix(), place.name)))
}

/// `/{owner}/{name}/settings/access`
pub async fn page(State(app): State<Arc<App>>, place: Place, visitor: Visitor) -> Shown {
    shown(&app, &place, &visitor, None).await
}

/// `POST /{owner}/{name}/settings/access`
pub async fn decide(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<GateForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let (actor, of, user) = (&visitor.actor, (place.kind, &place.name), form.user.trim());
    let decision = |state| Decision { whose: Whose::Account(user), state, reason: &form.message };
    let done = match form.action.as_str() {
        "open" => requests::set_gate(&app, actor, of, Gate::Open).await,
        "auto" => requests::set_gate(&app, actor, of, Gate::Auto).await,
        "manual" => requests::set_gate(&app, actor, of, Gate::Manual).await,
        "grant" => requests::grant(&app, actor, of, user).await,
        "accept" => requests::decide(&app, actor, of, &decision(RequestState::Accepted)).await,
        "reject" => requests::decide(&app, actor, of, &decision(RequestState::Rejected)).await,
        other => Err(Error::BadRequest(format!("`{other}` is no button of this page"))),
    };
    match done {
        Ok(()) => Ok(go_to(&format!("/{}{}/settings/access", place.kind.web_prefix(), place.name))),
        Err(error @ (Error::BadRequest(_) | Error::NotFound { .. })) => {
            shown(&app, &place, &visitor, Some(refusal::sentence(&error.detail()))).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn shown(app: &App, place: &Place, visitor: &Visitor, complaint: Option<String>) -> Shown {
    let opened = open(app, visitor, place, Action::Administer).await?;
    let gate = opened.repository.gate;
    let list = async |state| match gate {
        Gate::Open => Ok(Vec::new()),
        _ => {
            let of = (place.kind, &place.name);
            let page = requests::list(app, &visitor.actor, of, state, (None, PAGE)).await?;
            Ok::<_, Error>(page.items.into_iter().map(line).collect())
        }
    };
    show(&AccessPage {
        pending: list(RequestState::Pending).await?,
        accepted: list(RequestState::Accepted).await?,
        rejected: list(RequestState::Rejected).await?,
        frame: opened.frame(visitor, "Access"),
        head: opened.head("Settings"),
        gate: gate.as_str(),
        complaint,
    })
}

fn line(request: AccessRequest) -> RequestLine {
    RequestLine {
        name: request.account_name,
        message: request.message,
        reason: request.reason,
        asked: when(request.created_ms),
    }
}
