//! A repository's own pages: card, what was read from its files, how to use it, settings.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use spec::card;
use spec::facts::{Facts, Offers};
use spec::limits;
use spec::name::RepositoryKind;
use store::db::repositories::Repository;
use store::db::revisions::Revision;

use super::markdown::{self, Home};
use super::place::{Place, encode, with_query};
use super::views::frame::{Frame, Link};
use super::views::repository::{AboutPage, CardPage, EndpointBox, Head, SettingsPage, Tab, UsePage};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, access_requests, apps, embed, endpoints, go_to, show, training, when};
use crate::app::App;
use crate::doors::address::Base;
use crate::error::Error;
use crate::ops::access::{self, Action};
use crate::ops::repositories::Visibility;
use crate::ops::{self, entries, likes, revisions};
use crate::text;

mod about;
mod snippets;

pub use about::{dangers, domain, in_short, number};
pub use snippets::link_ways;

/// Cards longer than this are rendered where that holds up no other request.
const LONG_CARD_BYTES: usize = 64 * 1024;

/// A repository as its pages need it.
#[derive(Debug)]
pub struct Opened {
    pub repository: Repository,
    pub revision: Revision,
    /// `/owner/name` as its owner writes it.
    pub path: String,
    pub may_write: bool,
    pub may_administer: bool,
    pub is_liked: bool,
    /// Whether it has an app that visitors find.
    pub has_app: bool,
}

/// Opens the repository that the address names at the revision it names.
pub async fn open(app: &App, visitor: &Visitor, place: &Place, action: Action) -> Result<Opened, Error> {
    let (repository, revision) = revisions::resolve(app, &visitor.actor, &place.at(), action).await?;
    let name = ops::repositories::full_name(&repository);
    let subject = access::subject(app, &visitor.actor, &repository, &name).await?;
    let may = |action| access::check(&visitor.actor, action, &subject).is_ok();
    let (may_write, may_administer) = (may(Action::Write), may(Action::Administer));
    let path = format!("/{}{name}", repository.kind.web_prefix());
    let is_liked = likes::is_liked(app, &visitor.actor, repository.id).await?;
    let has_app = ops::apps::is_running(app, repository.id).await?;
    Ok(Opened { repository, revision, path, may_write, may_administer, is_liked, has_app })
}

impl Opened {
    /// What stands at the top of the page whose tab has this label.
    pub fn head(&self, current: &str) -> Head {
        let row = &self.repository;
        let is_model = row.kind == RepositoryKind::Model;
        let tab = |label: &str, icon, rest: &str| Tab {
            link: Link {
                label: label.to_owned(),
                href: format!("{}{rest}", self.path),
                is_current: label == current,
            },
            icon,
            is_last: label == "Settings",
        };
        let tabs = [
            Some(tab("Card", "file", "")),
            is_model.then(|| tab("Try it", "play", "/try")),
            (is_model && (self.has_app || current == "App")).then(|| tab("App", "model", "/app")),
            Some(tab("Files", "folder", "/tree/main")),
            Some(tab("History", "clock", "/commits/main")),
            Some(tab("Discussions", "pen", "/discussions")),
            is_model.then(|| tab("Training", "undo", "/training")),
            is_model.then(|| tab("About", "model", "/about")),
            is_model.then(|| tab("Use", "branch", "/use")),
            (is_model && self.may_write).then(|| tab("Endpoint", "pulse", "/endpoint")),
            self.may_administer.then(|| tab("Settings", "gear", "/settings")),
        ];
        Head {
            owner: row.owner_name.clone(),
            name: row.name.clone(),
            path: self.path.clone(),
            is_dataset: !is_model,
            is_private: row.is_private,
            task: row.task.clone(),
            library: row.library.clone(),
            license: row.license.clone(),
            downloads: text::count(u64::try_from(row.n_downloads).unwrap_or(0)),
            likes: text::count(u64::try_from(row.n_likes).unwrap_or(0)),
            is_liked: self.is_liked,
            updated: when(row.updated_ms),
            tabs: tabs.into_iter().flatten().collect(),
            review: None,
        }
    }

    /// The frame of a page of this repository.
    pub fn frame(&self, visitor: &Visitor, about: &str) -> Frame {
        let name = ops::repositories::full_name(&self.repository);
        let title = if about.is_empty() { name } else { format!("{about} · {name}") };
        let mut frame = visitor.frame(&title);
        frame.description.clone_from(&self.repository.description);
        frame.section = if self.repository.kind == RepositoryKind::Model { "models" } else { "datasets" };
        frame
    }
}

/// `/{owner}/{name}`
pub async fn card_page(State(app): State<Arc<App>>, place: Place, base: Base, visitor: Visitor) -> Shown {
    let opened = open(&app, &visitor, &place, Action::See).await?;
    let facts = facts_of(&app, &opened).await?;
    let endpoint = endpoints::endpoint_box(&app, &visitor, &opened, facts.as_ref()).await?;
    let app_box = apps::app_box(&app, &visitor, &opened, facts.as_ref()).await?;
    let totals = entries::totals(&app, opened.revision.tree_id).await?;
    let tags = ops::repositories::tags(&opened.repository);
    let kind = opened.repository.kind;
    let list = if kind == RepositoryKind::Model { "/models" } else { "/datasets" };
    let mut short = facts.as_ref().map(in_short).unwrap_or_default();
    short.push(("Files".to_owned(), text::count(u64::try_from(totals.n_files).unwrap_or(0))));
    short.push(("Size".to_owned(), text::bytes(u64::try_from(totals.n_bytes).unwrap_or(0))));
    let page = CardPage {
        frame: opened.frame(&visitor, ""),
        head: opened.head("Card"),
        card: card_of(&app, &opened).await?,
        // The first commit holds one file, which says nothing of a model.
        is_empty: totals.n_files <= 1,
        gate: access_requests::gate_box(&app, &visitor, &opened).await?,
        may_write: opened.may_write,
        base: base.as_str().to_owned(),
        dangers: facts.as_ref().map(dangers).unwrap_or_default(),
        endpoint,
        app: app_box,
        training: match kind {
            RepositoryKind::Model => training::in_short(&app, &opened).await?,
            RepositoryKind::Dataset => None,
        },
        facts: short,
        conversion: facts.as_ref().and_then(about::conversion),
        tags: (tags.iter())
            .map(|tag| Link {
                label: tag.clone(),
                href: with_query(list, &[("tag", tag)]),
                is_current: false,
            })
            .collect(),
    };
    show(&page)
}

/// `/{owner}/{name}/about`
pub async fn about_page(State(app): State<Arc<App>>, place: Place, visitor: Visitor) -> Shown {
    let opened = open_model(&app, &visitor, &place, Action::See).await?;
    let facts = facts_of(&app, &opened).await?;
    let is_pending = facts.is_none();
    let facts = facts.unwrap_or_default();
    let schema = facts.schema.clone().unwrap_or_default();
    let (input_title, inputs) = about::inputs(&schema);
    let page = AboutPage {
        frame: opened.frame(&visitor, "About"),
        head: opened.head("About"),
        is_pending,
        dangers: dangers(&facts),
        problems: facts.problems.clone(),
        unserved: facts.unserved.clone(),
        standard: about::standard(&facts),
        conversion: about::conversion(&facts),
        inputs,
        input_title,
        outputs: about::outputs(&schema),
        files: about::files(&facts, &opened.path),
    };
    show(&page)
}

/// `/{owner}/{name}/use`
pub async fn use_page(State(app): State<Arc<App>>, place: Place, base: Base, visitor: Visitor) -> Shown {
    let opened = open_model(&app, &visitor, &place, Action::See).await?;
    let facts = facts_of(&app, &opened).await?;
    let endpoint = endpoints::endpoint_box(&app, &visitor, &opened, facts.as_ref()).await?;
    let offers = facts.as_ref().map(offers).unwrap_or_default();
    let schema = facts.and_then(|facts| facts.schema);
    let name = ops::repositories::full_name(&opened.repository);
    let is_private = opened.repository.is_private;
    let embed = (!is_private)
        .then(|| embed::code(&format!("{}/embed", base.page(RepositoryKind::Model, &name)), &name));
    let is_described = schema.is_some() && endpoint.as_ref().is_some_and(EndpointBox::is_deployed);
    let usage = snippets::Usage { base: &base, name: &name, schema, offers, is_private };
    let page = UsePage {
        frame: opened.frame(&visitor, "Use"),
        head: opened.head("Use"),
        openapi: is_described.then(|| format!("/endpoints/{name}/openapi.json")),
        embed,
        endpoint,
        ways: snippets::ways(&usage),
    };
    show(&page)
}

/// What a model does besides predicting.
pub(super) fn offers(facts: &Facts) -> Offers {
    facts.python.as_ref().map(|python| python.offers).unwrap_or_default()
}

/// `/{owner}/{name}/settings`
pub async fn settings_page(State(app): State<Arc<App>>, place: Place, visitor: Visitor) -> Shown {
    let opened = open(&app, &visitor, &place, Action::Administer).await?;
    settings(&opened, &visitor, None)
}

/// A form of the settings.
#[derive(Deserialize)]
pub struct SettingsForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    visibility: String,
    #[serde(default)]
    name: String,
}

/// `POST /{owner}/{name}/settings/visibility`
pub async fn set_visibility(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<SettingsForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let visibility = match form.visibility.as_str() {
        "public" => Visibility::Public,
        "private" => Visibility::Private,
        other => return Err(Error::BadRequest(format!("`{other}` is neither `public` nor `private`")).into()),
    };
    ops::repositories::set_visibility(&app, &visitor.actor, place.kind, &place.name, visibility).await?;
    Ok(go_to(&format!("/{}{}/settings", place.kind.web_prefix(), place.name)))
}

/// `POST /{owner}/{name}/settings/move`
pub async fn rename(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<SettingsForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let opened = open(&app, &visitor, &place, Action::Administer).await?;
    let renamed = match form.name.trim().parse() {
        Ok(to) => ops::repositories::rename(&app, &visitor.actor, place.kind, &place.name, &to).await,
        Err(error) => Err(Error::Name(error)),
    };
    match renamed {
        Ok(renamed) => {
            let name = ops::repositories::full_name(&renamed);
            Ok(go_to(&format!("/{}{name}/settings", place.kind.web_prefix())))
        }
        Err(error @ (Error::AlreadyExists { .. } | Error::Name(_) | Error::Forbidden { .. })) => {
            settings(&opened, &visitor, Some(&error.detail()))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /{owner}/{name}/settings/delete`
pub async fn delete(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<SettingsForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let opened = open(&app, &visitor, &place, Action::Administer).await?;
    if form.name.trim() != ops::repositories::full_name(&opened.repository) {
        let complaint = "What was typed is not the repository’s name, so nothing was deleted.";
        return settings(&opened, &visitor, Some(complaint));
    }
    ops::repositories::delete(&app, &visitor.actor, place.kind, &place.name).await?;
    Ok(go_to(&format!("/{}", encode(place.name.owner().as_str()))))
}

fn settings(opened: &Opened, visitor: &Visitor, complaint: Option<&str>) -> Shown {
    show(&SettingsPage {
        frame: opened.frame(visitor, "Settings"),
        head: opened.head("Settings"),
        complaint: complaint.map(str::to_owned),
    })
}

/// Opens a model; a data set has no such page.
pub async fn open_model(
    app: &App,
    visitor: &Visitor,
    place: &Place,
    action: Action,
) -> Result<Opened, Error> {
    if place.kind != RepositoryKind::Model {
        return Err(Error::PageNotFound(visitor.here.clone()));
    }
    open(app, visitor, place, action).await
}

/// What the opened revision's files say, once they have been read.
pub async fn facts_of(app: &App, opened: &Opened) -> Result<Option<Facts>, Error> {
    ops::facts::get(app, opened.revision.id).await
}

/// The card as HTML.
async fn card_of(app: &App, opened: &Opened) -> Result<Option<String>, Error> {
    let bytes = entries::read_small(app, opened.revision.tree_id, card::PATH, limits::CARD_BYTES).await?;
    let Some(bytes) = bytes else { return Ok(None) };
    let (path, revision) = (opened.path.clone(), "main");
    let n_bytes = bytes.len();
    let render = move || {
        let text = String::from_utf8_lossy(&bytes);
        markdown::render(card::split(&text).body, Home { path: &path, revision })
    };
    if n_bytes < LONG_CARD_BYTES {
        return Ok(Some(render()));
    }
    tokio::task::spawn_blocking(render).await.map(Some).map_err(|_| Error::Internal("render a card"))
}
