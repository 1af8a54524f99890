//! Pages of shared answers, at an address of their own or below a link.
//!
//! Translates between forms and the rules. Invariant: who shared an answer through a link is known again by a cookie
//! that goes to that answer's address alone.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Deserialize;
use serde_json::json;
use spec::schema::parts::{OutputKind, OutputPart};
use spec::schema::{InputView, Schema};
use store::db::repositories::Repository;

use super::views::frame::Frame;
use super::views::web_app::{AnswerPage, ShownPart, embed};
use super::visitor::Visitor;
use super::web_app::answer::{Exchange, shown};
use super::web_app::parts;
use super::{Answer, Html, Shown, go_to, show, when};
use crate::app::App;
use crate::doors::address::Base;
use crate::doors::cookies::{self, Cookie, SameSite};
use crate::error::Error;
use crate::ops::answers::{self, Opened};
use crate::ops::links::{Guest, guard};
use crate::ops::repositories::full_name;
use crate::predict::documents;
use crate::secrets::Secret;

/// The cookie that holds the secret of who shared an answer.
const COOKIE_NAME: &str = "reenact_answer";
/// How long a browser is known again: a year.
const COOKIE_S: u64 = 365 * 24 * 3600;
/// Values of an input that a page shows.
const SHOWN_VALUES: usize = 64;

/// An answer's address.
#[derive(Debug, Deserialize)]
pub struct Place {
    #[serde(default)]
    link: String,
    answer: String,
}

/// The form that takes an answer back.
#[derive(Debug, Deserialize)]
pub struct DeleteForm {
    #[serde(default)]
    csrf: String,
}

/// `/a/{answer}`
pub async fn page(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    base: Base,
    visitor: Visitor,
) -> Shown {
    let (opened, repository) =
        answers::open(&app, &visitor.actor, &Secret::new(place.answer.clone())).await?;
    let name = full_name(&repository);
    let path = format!("/a/{}", place.answer);
    let around = Around { frame: visitor.frame(&name), title: name.clone(), model: format!("/{name}"), path };
    show(&of(&base, &opened, around))
}

/// `POST /a/{answer}/delete`
pub async fn delete(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    visitor: Visitor,
    Form(form): Form<DeleteForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let repository = answers::delete(&app, &visitor.actor, &Secret::new(place.answer)).await?;
    Ok(go_to(&format!("/{}/try", full_name(&repository))))
}

/// `/r/{link}/a/{answer}`
pub async fn page_by_link(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    base: Base,
    headers: HeaderMap,
) -> Shown {
    let guest = guard::admit(&app, &Secret::new(place.link.clone())).await?;
    let secret = Secret::new(place.answer.clone());
    let opened = answers::open_by_link(&app, &guest, &secret, key(&headers).as_ref()).await?;
    let title = match guest.identity {
        Some(_) => "A model under review".to_owned(),
        None => guest.link.repository_name.clone(),
    };
    let frame = Frame { title: title.clone(), section: "review", ..Frame::default() };
    let model = format!("/r/{}", place.link);
    let path = format!("{model}/a/{}", place.answer);
    show(&of(&base, &opened, Around { frame, title, model, path }))
}

/// `POST /r/{link}/a/{answer}/delete`
pub async fn delete_by_link(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    headers: HeaderMap,
) -> Answer<Response, Html> {
    let guest = guard::admit(&app, &Secret::new(place.link.clone())).await?;
    answers::delete_by_link(&app, &guest, &Secret::new(place.answer), key(&headers).as_ref()).await?;
    Ok(go_to(&format!("/r/{}/try", place.link)))
}

/// Keeps what a form was answered, and goes to its page.
pub(super) async fn keep(
    app: &App,
    visitor: &Visitor,
    repository: &Repository,
    exchange: &Exchange,
) -> Result<Response, Error> {
    let secret = answers::share(app, &visitor.actor, repository, exchange.borrowed()).await?;
    Ok(go_to(&format!("/a/{}", secret.expose())))
}

/// The same for whoever holds a link, whose browser is given the key to it.
pub(super) async fn keep_by_link(
    app: &App,
    base: &Base,
    (guest, link): (&Guest, &str),
    exchange: &Exchange,
) -> Result<Response, Error> {
    let shared = answers::share_by_link(app, guest, exchange.borrowed()).await?;
    let path = format!("{link}/a/{}", shared.secret.expose());
    let mut response = go_to(&path);
    let (name, value) = (COOKIE_NAME, shared.key.expose());
    let kept = Cookie { name, value, path: &path, same_site: SameSite::Strict, max_age_s: COOKIE_S };
    cookies::set(&mut response, &kept, base);
    Ok(response)
}

fn key(headers: &HeaderMap) -> Option<Secret> {
    cookies::read(headers, COOKIE_NAME).map(|value| Secret::new(value.to_owned()))
}

/// What stands around an answer.
struct Around {
    frame: Frame,
    title: String,
    /// The address of the model's page.
    model: String,
    /// The address of this page.
    path: String,
}

fn of(base: &Base, opened: &Opened, around: Around) -> AnswerPage {
    let Around { frame, title, model, path } = around;
    let Opened { row, schema, input, output, may_delete } = opened;
    AnswerPage {
        frame,
        title,
        model,
        address: format!("{}{path}", base.as_str()),
        path,
        revision: row.revision.chars().take(12).collect(),
        created: when(row.created_ms),
        data: embed(&json!({ "schema": schema, "input": input, "output": output })),
        given: given(schema, input),
        shown: documents::read_outputs(schema, output).map(|tensors| shown(schema, &tensors)),
        may_delete: *may_delete,
    }
}

/// What went in, by name.
fn given(schema: &Schema, input: &serde_json::Value) -> Vec<(String, ShownPart)> {
    let inputs = input["inputs"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let (InputView::Table { features }, [only]) = (&schema.input, inputs) {
        let values = only["data"].as_array().map(Vec::as_slice).unwrap_or_default();
        let one = |(feature, value): (&spec::schema::Feature, &serde_json::Value)| {
            (feature.name.clone(), ShownPart::Text(web_app_text(value)))
        };
        return features.iter().zip(values).map(one).collect();
    }
    inputs.iter().map(|one| given_input(schema, one)).collect()
}

fn given_input(schema: &Schema, input: &serde_json::Value) -> (String, ShownPart) {
    let name = input["name"].as_str().unwrap_or_default().to_owned();
    let values = input["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let kind = schema.input_part(&name).and_then(|part| OutputKind::of_word(part.kind.as_str()));
    let kind = kind.filter(|kind| kind.is_file());
    if let (Some(kind), [only]) = (kind, values) {
        let mut parts = parts::shown(&[OutputPart::new(&name, kind)], only);
        return parts.pop().unwrap_or((name, ShownPart::Nothing));
    }
    let mut text = values.iter().take(SHOWN_VALUES).map(web_app_text).collect::<Vec<_>>().join(", ");
    if values.len() > SHOWN_VALUES {
        text = format!("{text}, … ({} values)", values.len());
    }
    (name, ShownPart::Text(text))
}

fn web_app_text(value: &serde_json::Value) -> String {
    super::web_app::examples::readable(value)
}
