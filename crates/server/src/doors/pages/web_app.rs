//! The web app of a model, and its answers for browsers that run no scripts.
//!
//! Scripts ask the endpoint themselves; without them the form comes here. Either way the same rules read the
//! values. Invariant: the form shows the schema of the revision that answers, not of a newer one.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use spec::facts::Facts;
use spec::manifest::Examples;
use spec::name::RepositoryKind;
use spec::schema::{InputView, Schema};
use store::db::revisions::Revision;

use super::place::Place;
use super::repositories::{Opened, dangers, facts_of, offers, open_model};
use super::views::frame::Frame;
use super::views::repository::{EndpointBox, Head};
use super::views::web_app::{Answer as Told, WebAppPage, embed};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, endpoints, refusal, show};
use crate::app::App;
use crate::doors::address::Base;
use crate::error::Error;
use crate::ops::access::{Action, Actor};
use crate::ops::endpoints::predict::{self, Open};
use crate::ops::links::Guest;
use crate::ops::{self, entries, revisions};

pub(super) mod answer;
mod curl;
mod examples;
pub(super) mod form;

/// Longest file of examples that is read.
const EXAMPLES_BYTES: usize = 4 * 1024 * 1024;
/// Most values of examples that a page carries for its script.
const EXAMPLE_VALUES: usize = 64 * 1024;
/// Most examples that a page offers.
const EXAMPLES: usize = 12;

/// What the address says.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    pub(super) example: Option<usize>,
}

/// A model whose web app is open.
#[derive(Debug)]
pub(super) struct Tried {
    pub at: At,
    pub facts: Option<Facts>,
    pub schema: Option<Schema>,
    pub examples: Examples,
}

/// Where a model is asked, and what it is called there.
#[derive(Debug)]
pub(super) struct At {
    pub door: Door,
    /// Where programs ask it: `/endpoints/owner/name/` or `/r/…/`.
    pub endpoint: String,
    /// What the protocols call it.
    pub model: String,
    /// Whether programs need a token.
    pub is_private: bool,
}

/// By which right a model is asked.
#[derive(Debug)]
pub(super) enum Door {
    /// As the one who looks, of this `owner/name`.
    Endpoint(Actor, String),
    Link(Arc<Guest>),
}

impl At {
    async fn open(&self, app: &Arc<App>, n_bytes: u64) -> Result<Open, Error> {
        match &self.door {
            Door::Endpoint(actor, name) => predict::open(app, actor, name, n_bytes).await,
            Door::Link(guest) => predict::open_link(app, guest, n_bytes).await,
        }
    }
}

/// `/{owner}/{name}/try`
pub async fn page(
    State(app): State<Arc<App>>,
    place: Place,
    Query(wanted): Query<Wanted>,
    base: Base,
    visitor: Visitor,
) -> Shown {
    let (opened, tried) = open(&app, &visitor, &place).await?;
    let filled = form::Filled { example: wanted.example, ..form::Filled::default() };
    show(&of_repository(&app, &visitor, &base, (&opened, &tried, &filled)).await?)
}

/// `POST /{owner}/{name}/try`: the form, filled in.
pub async fn predict(
    State(app): State<Arc<App>>,
    place: Place,
    base: Base,
    visitor: Visitor,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer<Response, Html> {
    let filled = form::Filled::read(fields);
    if visitor.name().is_some() {
        visitor.check_form(&filled.csrf)?;
    }
    let (opened, tried) = open(&app, &visitor, &place).await?;
    let page = of_repository(&app, &visitor, &base, (&opened, &tried, &filled)).await?;
    answered(&answer::Asked { app: &app, base: &base, tried: &tried }, &filled, page).await
}

/// The page with the answer to what the form holds, or the answers as a file.
pub(super) async fn answered(
    asked: &answer::Asked<'_>,
    filled: &form::Filled,
    mut page: WebAppPage,
) -> Answer<Response, Html> {
    let tried = asked.tried;
    match answer::ask(asked, filled).await {
        Ok(answer::Answered::One { shown, took, curl }) => {
            let expected = filled.example.and_then(|index| tried.examples.expected.get(index));
            let expected = expected.map(examples::readable);
            page.answer = Some(Told { shown, expected, took });
            page.curl = Some(curl);
        }
        Ok(answer::Answered::Many(many)) if filled.wants_file => {
            let name = format!("{}-answers.csv", tried.at.model);
            return Ok(super::save_as(&name, "text/csv; charset=utf-8", answer::to_csv(&many)));
        }
        Ok(answer::Answered::Many(many)) => page.many = Some(answer::shortened(many)),
        Err(error) if error.entry().status >= 400 && error.entry().status != 404 => {
            page.complaint =
                Some((refusal::sentence(&error.detail()), refusal::sentence(error.entry().hint)));
            let mut response = show(&page)?;
            let status = StatusCode::from_u16(error.entry().status);
            *response.status_mut() = status.unwrap_or(StatusCode::BAD_REQUEST);
            return Ok(response);
        }
        Err(error) => return Err(error.into()),
    }
    show(&page)
}

/// Opens a model at the revision its endpoint serves, or else at its newest.
pub(super) async fn open(app: &App, visitor: &Visitor, place: &Place) -> Result<(Opened, Tried), Error> {
    let opened = open_model(app, visitor, place, Action::See).await?;
    let served =
        endpoints::described(app, visitor, &opened).await?.map(|endpoint| endpoint.row.oid.to_string());
    let (revision, facts) = match served {
        Some(oid) if oid != opened.revision.oid.to_string() => {
            let at = revisions::At { kind: RepositoryKind::Model, name: &place.name, revision: &oid };
            let (_, revision) = revisions::resolve(app, &visitor.actor, &at, Action::See).await?;
            let facts = ops::facts::get(app, revision.id).await?;
            (revision, facts)
        }
        _ => (opened.revision.clone(), facts_of(app, &opened).await?),
    };
    let name = ops::repositories::full_name(&opened.repository);
    let at = At {
        endpoint: format!("/endpoints/{name}/"),
        model: opened.repository.name.clone(),
        is_private: opened.repository.is_private,
        door: Door::Endpoint(visitor.actor.clone(), name),
    };
    let tried = try_at(app, at, &revision, facts).await?;
    Ok((opened, tried))
}

/// A model at a revision, with what it was pushed with.
pub(super) async fn try_at(
    app: &App,
    at: At,
    revision: &Revision,
    facts: Option<Facts>,
) -> Result<Tried, Error> {
    let examples = match facts.as_ref().and_then(|facts| facts.examples.as_deref()) {
        Some(path) => entries::read_small(app, revision.tree_id, path, EXAMPLES_BYTES).await?,
        None => None,
    };
    let examples = examples.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let schema = facts.as_ref().and_then(|facts| facts.schema.clone());
    Ok(Tried { at, facts, schema, examples })
}

/// The page of a repository's model before anything was asked.
async fn of_repository(
    app: &App,
    visitor: &Visitor,
    base: &Base,
    (opened, tried, filled): (&Opened, &Tried, &form::Filled),
) -> Result<WebAppPage, Error> {
    Ok(blank(base, tried, filled, around(app, visitor, (opened, tried)).await?))
}

pub(super) async fn around(
    app: &App,
    visitor: &Visitor,
    (opened, tried): (&Opened, &Tried),
) -> Result<Around, Error> {
    let endpoint = endpoints::endpoint_box(app, visitor, opened, tried.facts.as_ref()).await?;
    Ok(Around { frame: opened.frame(visitor, "Try"), head: opened.head("Try it"), endpoint })
}

/// What stands around a web app.
pub(super) struct Around {
    pub frame: Frame,
    pub head: Head,
    pub endpoint: Option<EndpointBox>,
}

/// The page before anything was asked.
pub(super) fn blank(base: &Base, tried: &Tried, filled: &form::Filled, around: Around) -> WebAppPage {
    let Tried { facts, schema, examples, .. } = tried;
    let view = schema.as_ref().map(|schema| &schema.input);
    let Around { frame, head, endpoint } = around;
    WebAppPage {
        frame,
        head,
        dangers: facts.as_ref().map(dangers).unwrap_or_default(),
        endpoint,
        data: embed(&data(tried, base)),
        form: form::build(schema.as_ref(), examples, filled),
        examples: examples::offer(view, examples, filled.example),
        complaint: None,
        answer: None,
        curl: None,
        csv: filled.csv.clone().unwrap_or_default(),
        csv_hint: form::csv_hint(schema.as_ref(), examples),
        many: None,
    }
}

/// Whether the answer to a form comes piece by piece: a handler's inputs are one value each.
fn can_stream(tried: &Tried) -> bool {
    let streams = tried.facts.as_ref().is_some_and(|facts| offers(facts).streams);
    let inputs = tried.schema.as_ref().map(|schema| schema.inputs.as_slice()).unwrap_or_default();
    streams && inputs.iter().all(|input| input.shape.len() == 1)
}

/// What the script needs.
fn data(tried: &Tried, base: &Base) -> serde_json::Value {
    let Tried { at, schema, examples, .. } = tried;
    // A link's model has no state to ask for: it wakes whenever it is asked.
    let name = match &at.door {
        Door::Endpoint(_, name) => Some(name),
        Door::Link(_) => None,
    };
    let mut n_values = 0;
    let fits = |row: &&Vec<serde_json::Value>| {
        n_values += row.len();
        n_values <= EXAMPLE_VALUES
    };
    let rows: Vec<_> = examples.rows.iter().take(EXAMPLES).take_while(fits).collect();
    json!({
        "repository": name,
        "model": at.model,
        "url": base.as_str(),
        "infer": format!("{}v2/models/{}/infer", at.endpoint, at.model),
        "stream": can_stream(tried).then(|| format!("{}v2/models/{}/generate_stream", at.endpoint, at.model)),
        "is_private": at.is_private,
        "schema": schema,
        "has_view": schema.as_ref().is_some_and(|schema| schema.input != InputView::Tensors),
        "examples": { "rows": rows, "expected": examples.expected },
    })
}
