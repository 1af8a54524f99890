//! The web app of a model, and its answers for browsers that run no scripts.
//!
//! Scripts ask the endpoint themselves; without them the form comes here. Either way the same rules read the
//! values. Invariant: the form shows the schema of the revision that answers, not of a newer one.

use std::borrow::Cow;
use std::sync::Arc;

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
use super::{Answer, Html, Shown, answers, endpoints, protection, refusal, show};
use crate::app::App;
use crate::doors::address::Base;
use crate::error::Error;
use crate::ops::access::{Action, Actor};
use crate::ops::endpoints::predict::{self, Open};
use crate::ops::endpoints::targets::Choice;
use crate::ops::links::Guest;
use crate::ops::{self, revisions};
use sent::Sent;

pub(super) mod answer;
mod curl;
pub(super) mod examples;
pub(super) mod form;
pub(super) mod parts;
pub mod sent;

/// Most values of examples that a page carries for its script.
const EXAMPLE_VALUES: usize = 64 * 1024;
/// Most examples that a page offers.
const EXAMPLES: usize = 12;
/// Rows of a CSV that are asked at a time.
const ROWS_AT_A_TIME: usize = 512;

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
    /// The longest request that its endpoint takes.
    pub limit_bytes: u64,
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
            Door::Endpoint(actor, name) => {
                predict::open(app, actor, name, (n_bytes, Choice::default())).await
            }
            Door::Link(guest) => predict::open_link(app, guest, n_bytes).await,
        }
    }

    /// How many rows are asked at a time: more than a link lets through in a minute would never pass.
    fn rows_at_a_time(&self) -> usize {
        let most = match &self.door {
            Door::Endpoint(..) => None,
            Door::Link(guest) => guest.link.calls_per_minute.and_then(|n| usize::try_from(n).ok()),
        };
        most.map_or(ROWS_AT_A_TIME, |most| most.clamp(1, ROWS_AT_A_TIME))
    }

    /// A schema as whoever asks may read it.
    fn shown<'s>(&self, schema: &'s Schema) -> Cow<'s, Schema> {
        match &self.door {
            Door::Endpoint(..) => Cow::Borrowed(schema),
            Door::Link(guest) => guest.schema(schema),
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
    show_app(&of_repository(&app, &visitor, &base, (&opened, &tried, &filled)).await?)
}

/// A web app as a page, which may record where its form takes pictures or sounds.
pub(super) fn show_app(page: &WebAppPage) -> Shown {
    let mut response = show(page)?;
    if page.records() {
        protection::allow_recording(&mut response);
    }
    Ok(response)
}

/// `POST /{owner}/{name}/try`: the form, filled in.
pub async fn predict(
    State(app): State<Arc<App>>,
    place: Place,
    base: Base,
    visitor: Visitor,
    Sent(fields): Sent,
) -> Answer<Response, Html> {
    let filled = form::Filled::read(fields);
    if visitor.name().is_some() {
        visitor.check_form(&filled.csrf)?;
    }
    let (opened, tried) = open(&app, &visitor, &place).await?;
    let page = of_repository(&app, &visitor, &base, (&opened, &tried, &filled)).await?;
    let asked = answer::Asked { app: &app, base: &base, tried: &tried };
    let keep =
        async |exchange: &answer::Exchange| answers::keep(&app, &visitor, &opened.repository, exchange).await;
    answered(&asked, &filled, page, keep).await
}

/// The page with the answer to what the form holds, or the answers as a file, or the way to the kept answer.
pub(super) async fn answered(
    asked: &answer::Asked<'_>,
    filled: &form::Filled,
    mut page: WebAppPage,
    keep: impl AsyncFnOnce(&answer::Exchange) -> Result<Response, Error>,
) -> Answer<Response, Html> {
    let tried = asked.tried;
    let answered = match answer::ask(asked, filled).await {
        Ok(answer::Answered::One(one)) if filled.is_shared => match keep(&one.exchange).await {
            Ok(response) => return Ok(response),
            Err(error) => Err(error),
        },
        outcome => outcome,
    };
    match answered {
        Ok(answer::Answered::One(one)) => {
            let answer::One { shown, took, curl, .. } = *one;
            let expected = filled.example.and_then(|index| tried.examples.expected.get(index));
            let expected = expected.map(examples::readable);
            page.answer = Some(Told { shown, expected, took });
            page.curl = Some(curl);
        }
        Ok(answer::Answered::Many(many, _)) if filled.wants_file => {
            let name = format!("{}-answers{}.csv", tried.at.model, many.part());
            return Ok(super::save_as(&name, "text/csv; charset=utf-8", answer::to_csv(&many)));
        }
        Ok(answer::Answered::Many(many, broke_off)) => {
            page.many = Some(answer::shortened(many));
            if let Some(error) = broke_off {
                return complained(page, &error);
            }
        }
        Err(error) if error.entry().status >= 400 && error.entry().status != 404 => {
            return complained(page, &error);
        }
        Err(error) => return Err(error.into()),
    }
    show_app(&page)
}

/// The page with what went wrong.
fn complained(mut page: WebAppPage, error: &Error) -> Answer<Response, Html> {
    page.complaint = Some((refusal::sentence(&error.detail()), refusal::sentence(error.entry().hint)));
    let mut response = show_app(&page)?;
    let status = StatusCode::from_u16(error.entry().status);
    *response.status_mut() = status.unwrap_or(StatusCode::BAD_REQUEST);
    Ok(response)
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
    let examples = ops::facts::examples(app, revision, facts.as_ref()).await?;
    let examples = match &at.door {
        Door::Endpoint(..) => examples,
        Door::Link(guest) => guest.examples(examples),
    };
    let schema = facts.as_ref().and_then(|facts| facts.schema.clone());
    Ok(Tried { at, facts, schema, examples, limit_bytes: app.settings.predict_limit.0 })
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
    let Tried { at, facts, schema, examples, .. } = tried;
    let view = schema.as_ref().map(|schema| &schema.input);
    let Around { frame, head, endpoint } = around;
    WebAppPage {
        // Within another page nobody is known who could take an answer back.
        may_share: !frame.is_embedded && (matches!(at.door, Door::Link(_)) || !frame.csrf.is_empty()),
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

/// How much an example's value takes of a page, in numbers of eight characters.
fn weight(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(values) => values.len(),
        serde_json::Value::Object(object) => {
            object.values().filter_map(serde_json::Value::as_str).map(str::len).sum::<usize>() / 8
        }
        serde_json::Value::String(text) => 1 + text.len() / 8,
        _ => 1,
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
    let Tried { at, schema, examples, limit_bytes, .. } = tried;
    // A link's model has no state to ask for: it wakes whenever it is asked.
    let name = match &at.door {
        Door::Endpoint(_, name) => Some(name),
        Door::Link(_) => None,
    };
    let mut n_values = 0;
    let fits = |row: &&Vec<serde_json::Value>| {
        n_values += row.iter().map(weight).sum::<usize>();
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
        "limit_bytes": limit_bytes,
        "rows_at_a_time": at.rows_at_a_time(),
        "has_view": schema.as_ref().is_some_and(|schema| schema.input != InputView::Tensors),
        "examples": { "rows": rows, "expected": examples.expected },
    })
}
