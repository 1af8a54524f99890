//! The page of the app beside a model, and its box on the model's page.
//!
//! Invariant: what the app itself serves stands in a frame, in an origin of its own, and never in a page of ours.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use spec::api::{EndpointState, StartApp};
use spec::app::Sdk;
use spec::facts::Facts;
use spec::name::RepositoryKind;

use super::place::Place;
use super::repositories::{Opened, open_model};
use super::views::apps::{AppBox, AppPage};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, show, when};
use crate::app::App;
use crate::doors::apps::ROOT;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::apps::{self, Described};

/// The app as the model's page shows it; none where there is none and nobody could start one.
pub async fn app_box(
    app: &App,
    visitor: &Visitor,
    opened: &Opened,
    facts: Option<&Facts>,
) -> Result<Option<AppBox>, Error> {
    if opened.repository.kind != RepositoryKind::Model {
        return Ok(None);
    }
    let name = crate::ops::repositories::full_name(&opened.repository).parse()?;
    let found = match apps::get(app, &visitor.actor, &name).await {
        Ok(described) => Some(described),
        Err(Error::AppNotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let newest = facts.and_then(|facts| facts.app.as_ref());
    let is_wanted = match &found {
        Some(described) => opened.may_write || described.state != EndpointState::Stopped,
        None => opened.may_write && newest.is_some() && app.settings.apps > 0,
    };
    if !is_wanted {
        return Ok(None);
    }
    let sdk = found.as_ref().and_then(|found| found.facts.as_ref()).or(newest).map(|facts| facts.sdk);
    let mut shown = AppBox {
        kind: sdk.map(Sdk::title).unwrap_or_default(),
        may_change: opened.may_write,
        can_start: newest.is_some() && app.settings.apps > 0,
        is_newest: true,
        ..AppBox::default()
    };
    if let Some(described) = found {
        shown.state = described.state.as_str();
        shown.reason = told(&described);
        shown.is_newest = described.row.revision_id == opened.revision.id;
        shown.revision = described.row.oid.to_string().chars().take(8).collect();
    }
    Ok(Some(shown))
}

/// Why it failed, in a line; the log has the rest.
fn told(described: &Described) -> String {
    match described.state {
        EndpointState::Failed | EndpointState::Crashed => {
            let line = described.reason.lines().next().unwrap_or_default();
            super::refusal::sentence(&line.chars().take(400).collect::<String>())
        }
        _ => String::new(),
    }
}

/// `/{owner}/{name}/app`
pub async fn page(State(app): State<Arc<App>>, place: Place, visitor: Visitor) -> Shown {
    let opened = open_model(&app, &visitor, &place, Action::Predict).await?;
    let facts = super::repositories::facts_of(&app, &opened).await?;
    let shown = app_box(&app, &visitor, &opened, facts.as_ref()).await?;
    // Without an app there is no such page, but for those who could start one.
    let shown = shown.ok_or_else(|| Error::AppNotFound(place.name.to_string()))?;
    let mut page = AppPage {
        frame: opened.frame(&visitor, "App"),
        head: opened.head("App"),
        address: None,
        updated: None,
        lines: Vec::new(),
        app: shown,
    };
    if !page.app.state.is_empty() {
        let (described, key) = apps::issue(&app, &visitor.actor, &place.name).await?;
        page.updated = Some(when(described.row.updated_ms));
        let is_there = matches!(described.state, EndpointState::Ready | EndpointState::Idle);
        page.address = is_there.then(|| format!("{ROOT}/{key}/"));
        if opened.may_write {
            page.lines = apps::logs(&app, &visitor.actor, &place.name).await?;
        }
    }
    show(&page)
}

/// A button of the box.
#[derive(Deserialize)]
pub struct ActionForm {
    #[serde(default)]
    csrf: String,
    action: String,
}

/// `POST /{owner}/{name}/app`
pub async fn act(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<ActionForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    match form.action.as_str() {
        "start" => apps::start(&app, &visitor.actor, &place.name, &StartApp::default()).await?,
        "stop" => apps::stop(&app, &visitor.actor, &place.name).await?,
        other => return Err(Error::BadRequest(format!("`{other}` is neither `start` nor `stop`")).into()),
    };
    Ok(go_to(&format!("/{}/app", place.name)))
}
