//! Endpoints for people: the box on a model's pages, the page with the log, the list of one's own.
//!
//! Invariant: what a runtime said of paths and processes stands in its log, which is its owner's only.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use spec::api::{Deploy, EndpointState, Target};
use spec::facts::Facts;
use spec::frame::Stability;
use spec::name::RepositoryKind;
use store::db::endpoints::recorded::Recorded;

use super::place::{Place, with_query};
use super::repositories::{Opened, facts_of, open_model};
use super::views::account::{EndpointLine, EndpointsPage};
use super::views::endpoint::{EndpointPage, RequestLine, TargetLine};
use super::views::repository::EndpointBox;
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, show, when};
use crate::app::App;
use crate::doors::address::Base;
use crate::error::Error;
use crate::ops::access::{self, Action};
use crate::ops::endpoints::{self, Described, logs, recorded, targets, usage};

mod forms;
mod measures;

pub use forms::{set_options, set_targets};

/// Recorded requests that are shown.
const REQUESTS: u32 = 10;
/// Endpoints on one page.
const PAGE: u32 = 50;
/// Words of a reason that are shown outside the log.
const REASON_WORDS: usize = 60;

/// The endpoint of a model as its pages show it; none for a data set.
pub async fn endpoint_box(
    app: &App,
    visitor: &Visitor,
    opened: &Opened,
    facts: Option<&Facts>,
) -> Result<Option<EndpointBox>, Error> {
    if opened.repository.kind != RepositoryKind::Model {
        return Ok(None);
    }
    let described = described(app, visitor, opened).await?;
    let newest = opened.revision.oid;
    let obstacle = match facts {
        Some(facts) if !facts.is_servable() => Some(match &facts.unserved {
            Some(reason) => format!("It cannot be put live: {reason}"),
            None => "It cannot be put live: it has neither an ONNX file nor a `predict.py`. `reenact.push` in Python \
                     writes one or the other."
                .to_owned(),
        }),
        _ => None,
    };
    let Some(described) = described else {
        let may_change = opened.may_write;
        return Ok(Some(EndpointBox { may_change, is_newest: true, obstacle, ..EndpointBox::default() }));
    };
    Ok(Some(EndpointBox {
        state: described.state.as_str(),
        // Of the other states the box says itself what they mean.
        reason: match described.state {
            EndpointState::Failed => told(&described.reason),
            _ => String::new(),
        },
        url: String::new(),
        revision: short(&described.row.oid.to_string()),
        is_newest: described.row.oid == newest,
        may_change: opened.may_write,
        obstacle,
    }))
}

/// The endpoint, if there ever was one.
pub async fn described(app: &App, visitor: &Visitor, opened: &Opened) -> Result<Option<Described>, Error> {
    let name = crate::ops::repositories::full_name(&opened.repository).parse()?;
    match endpoints::get(app, &visitor.actor, &name).await {
        Ok(described) => Ok(Some(described)),
        Err(Error::EndpointNotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `/{owner}/{name}/endpoint`, its owner's only: a log may quote what was sent.
pub async fn page(State(app): State<Arc<App>>, place: Place, base: Base, visitor: Visitor) -> Shown {
    page_with(&app, (&place, &base, &visitor), None).await
}

async fn page_with(
    app: &Arc<App>,
    (place, base, visitor): (&Place, &Base, &Visitor),
    complaint: Option<String>,
) -> Shown {
    let opened = open_model(app, visitor, place, Action::Write).await?;
    let described = described(app, visitor, &opened).await?;
    let facts = facts_of(app, &opened).await?;
    let endpoint = endpoint_box(app, visitor, &opened, facts.as_ref()).await?;
    let mut page = EndpointPage {
        frame: opened.frame(visitor, "Endpoint"),
        head: opened.head("Endpoint"),
        endpoint: endpoint
            .map(|endpoint| EndpointBox { url: base.endpoint(&place.name.to_string()), ..endpoint }),
        updated: described.as_ref().map(|described| when(described.row.updated_ms)),
        stability: described.as_ref().and_then(|described| described.stability).map(Stability::statement),
        weights: None,
        targets: Vec::new(),
        has_former: false,
        measures: None,
        options: Vec::new(),
        requests: Vec::new(),
        complaint,
        lines: Vec::new(),
    };
    if let Some(described) = described {
        page.targets = described.targets.iter().map(|target| target_line(&described, target)).collect();
        page.has_former = targets::can_roll_back(app, &described.row).await?;
        page.options = forms::lines(&described.row.options, &described.options);
        page.weights = described.weights;
        page.lines = logs::read(app, &visitor.actor, &place.name).await?;
        page.measures = Some(measures::draw(&usage::read(app, &visitor.actor, &place.name).await?));
        let found = recorded::list(app, &visitor.actor, &place.name, (None, REQUESTS)).await?;
        page.requests = found.items.into_iter().map(request_line).collect();
    }
    show(&page)
}

fn target_line(described: &Described, target: &Target) -> TargetLine {
    TargetLine {
        revision: short(&target.revision),
        oid: target.revision.clone(),
        percent: target.percent,
        state: target.state.as_str(),
        replicas: target.replicas,
        is_last: target.revision == described.row.oid.to_string(),
    }
}

fn request_line(recorded: Recorded) -> RequestLine {
    RequestLine {
        at: when(recorded.at_ms),
        revision: short(&recorded.revision),
        took: format!("{:.1} ms", recorded.took_us as f64 / 1e3),
        outcome: recorded.outcome,
        request: recorded.request,
        response: recorded.response,
    }
}

/// A button of the box.
#[derive(Deserialize)]
pub struct ActionForm {
    #[serde(default)]
    csrf: String,
    action: String,
    /// The page to go on to: `try`, `endpoint`, or the card.
    #[serde(default)]
    next: String,
}

/// `POST /{owner}/{name}/endpoint`
pub async fn act(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<ActionForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let name = place.name.to_string();
    match form.action.as_str() {
        "deploy" => {
            endpoints::deploy(
                &app,
                &visitor.actor,
                &Deploy { repository: name, revision: None, canary: None },
            )
            .await?;
        }
        "stop" => {
            endpoints::stop(&app, &visitor.actor, &place.name).await?;
        }
        other => return Err(Error::BadRequest(format!("`{other}` is neither `deploy` nor `stop`")).into()),
    }
    let page = match form.next.as_str() {
        "try" => "/try",
        "endpoint" => "/endpoint",
        _ => "",
    };
    Ok(go_to(&format!("/{}{page}", place.name)))
}

/// Where a list goes on.
#[derive(Debug, Default, Deserialize)]
pub struct After {
    #[serde(default)]
    after: String,
}

/// `/settings/endpoints`: those of whoever is signed in, and all for an admin.
pub async fn list(State(app): State<Arc<App>>, Query(after): Query<After>, visitor: Visitor) -> Shown {
    let known = access::signed_in(&visitor.actor)?;
    let cursor = (!after.after.is_empty()).then_some(after.after.as_str());
    let found = endpoints::list(&app, &visitor.actor, cursor, PAGE).await?;
    let own = found.items.iter().filter(|endpoint| known.is_admin || endpoint.row.owner_id == known.id);
    let mut frame = visitor.frame("Endpoints");
    frame.section = "endpoints";
    let page = EndpointsPage {
        frame,
        endpoints: own.map(line).collect(),
        next: found.next.map(|after| with_query("/settings/endpoints", &[("after", &after)])),
    };
    show(&page)
}

fn line(described: &Described) -> EndpointLine {
    EndpointLine {
        repository: described.repository.clone(),
        state: described.state.as_str(),
        reason: if described.state == EndpointState::Failed {
            told(&described.reason)
        } else {
            String::new()
        },
        revision: short(&described.row.oid.to_string()),
        updated: when(described.row.updated_ms),
        is_private: described.row.is_private,
    }
}

/// The first digits of a commit, enough to tell one from another.
fn short(oid: &str) -> String {
    oid.chars().take(8).collect()
}

/// A reason in a sentence or two: what the runtime called its error and its hint, or else the first line, without
/// the server's own paths.
fn told(reason: &str) -> String {
    let said = |mark: &str| reason.lines().find_map(|line| line.trim_start().strip_prefix(mark));
    let (what, hint) = match said("error: ") {
        Some(what) => (what, said("hint: ")),
        None => (reason.lines().next().unwrap_or_default(), None),
    };
    let what = what.split(" is failed: ").last().unwrap_or_default();
    let clean = [Some(what), hint].into_iter().flatten().map(without_paths).filter(|text| !text.is_empty());
    clean.map(|text| refusal::sentence(&text)).collect::<Vec<_>>().join(" ")
}

/// A message without what names a place on the server's disk.
fn without_paths(message: &str) -> String {
    let parts = message.split('`').enumerate();
    let shown = parts.map(|(i, part)| match i % 2 {
        1 if part.starts_with('/') => String::new(),
        1 => format!("`{part}`"),
        _ => part.to_owned(),
    });
    let text: String = shown.collect();
    text.split_whitespace().take(REASON_WORDS).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_without_the_log_and_without_paths() {
        let reason = "the endpoint of `a/b` is failed: the runtime ended before it was ready: 2026-11-21T04:32:30Z INFO x\n\
                      error: could not load the model `/data/blobs/e4/c0`\n  caused by: Load model from /data/blobs failed\n\
                      hint: is it a whole ONNX file, with its weights inside?\nthe runtime ended: exit status: 1";
        assert_eq!(
            told(reason),
            "Could not load the model. Is it a whole ONNX file, with its weights inside?"
        );
        assert_eq!(told("the endpoint of `a/b` is failed: no room for it"), "No room for it.");
        assert_eq!(told(""), "");
    }
}
