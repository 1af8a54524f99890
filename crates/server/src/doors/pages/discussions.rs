//! Discussions and pull requests for people: the list, one of them, the form for a new one.

use std::sync::Arc;

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde::Deserialize;
use store::db::discussions::{Discussion, Event, EventKind, Filter, Status};

use super::markdown::{self, Home};
use super::place::{Place, with_query};
use super::repositories::{Opened, open};
use super::views::discussions::{
    ChangeLine, Deed, DiscussionLine, DiscussionPage, DiscussionsPage, EventLine, NewDiscussionPage,
};
use super::visitor::Visitor;
use super::{Answer, Html, Shown, go_to, refusal, show, when};
use crate::app::App;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::discussions::{self, Details, Effect, Opening, Sort};

/// Discussions on one page.
const PAGE: u32 = 30;

/// Which part of the list.
#[derive(Debug, Default, Deserialize)]
pub struct Wanted {
    #[serde(default)]
    status: String,
    #[serde(default)]
    start: i64,
}

/// `/{owner}/{name}/discussions`
pub async fn list(
    State(app): State<Arc<App>>,
    place: Place,
    Query(wanted): Query<Wanted>,
    visitor: Visitor,
) -> Shown {
    let opened = open(&app, &visitor, &place, Action::See).await?;
    let is_open = wanted.status != "closed";
    let filter = Filter { is_open: Some(is_open), ..Filter::default() };
    let start = wanted.start.max(0);
    let of = (place.kind, &place.name);
    let (n_all, found) = discussions::list(&app, &visitor.actor, of, filter, (start, PAGE)).await?;
    let here = format!("{}/discussions", opened.path);
    let end = start.saturating_add(i64::try_from(found.len()).unwrap_or(0));
    let next = (end < n_all && !found.is_empty()).then(|| {
        let status = if is_open { "" } else { "closed" };
        with_query(&here, &[("status", status), ("start", &end.to_string())])
    });
    show(&DiscussionsPage {
        frame: opened.frame(&visitor, "Discussions"),
        head: opened.head("Discussions"),
        is_open,
        discussions: found.iter().map(|found| line(&opened, found)).collect(),
        next,
    })
}

/// `/{owner}/{name}/discussions/new`
pub async fn new(State(app): State<Arc<App>>, place: Place, visitor: Visitor) -> Shown {
    let opened = open(&app, &visitor, &place, Action::Read).await?;
    discussions::may_speak(&visitor.actor)?;
    show(&NewDiscussionPage {
        frame: opened.frame(&visitor, "New discussion"),
        head: opened.head("Discussions"),
        title: String::new(),
        text: String::new(),
        complaint: None,
    })
}

/// Any form about a discussion.
#[derive(Deserialize)]
pub struct DiscussionForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    action: String,
    #[serde(default)]
    title: String,
    #[serde(default)]
    text: String,
}

/// `POST /{owner}/{name}/discussions/new`
pub async fn create(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<DiscussionForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let opened = open(&app, &visitor, &place, Action::Read).await?;
    let opening = Opening { title: &form.title, description: &form.text, sort: Sort::Discussion };
    match discussions::open(&app, &visitor.actor, (place.kind, &place.name), &opening).await {
        Ok(created) => Ok(go_to(&format!("{}/discussions/{}", opened.path, created.number))),
        Err(error @ Error::BadRequest(_)) => show(&NewDiscussionPage {
            frame: opened.frame(&visitor, "New discussion"),
            head: opened.head("Discussions"),
            title: form.title,
            text: form.text,
            complaint: Some(refusal::sentence(&error.detail())),
        }),
        Err(error) => Err(error.into()),
    }
}

/// The number in an address.
#[derive(Deserialize)]
pub struct Numbered {
    number: i64,
}

/// `/{owner}/{name}/discussions/{number}`
pub async fn page(
    State(app): State<Arc<App>>,
    place: Place,
    Path(Numbered { number }): Path<Numbered>,
    visitor: Visitor,
) -> Shown {
    shown(&app, (&place, number), &visitor, None).await
}

/// `POST /{owner}/{name}/discussions/{number}`
pub async fn act(
    State(app): State<Arc<App>>,
    place: Place,
    Path(Numbered { number }): Path<Numbered>,
    visitor: Visitor,
    Form(form): Form<DiscussionForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    let (actor, of) = (&visitor.actor, (place.kind, &place.name));
    let done = match form.action.as_str() {
        "comment" => discussions::comment(&app, actor, of, number, &form.text).await.map(|_| ()),
        "close" => discussions::set_status(&app, actor, of, number, Status::Closed).await.map(|_| ()),
        "open" => discussions::set_status(&app, actor, of, number, Status::Open).await.map(|_| ()),
        "rename" => discussions::set_title(&app, actor, of, number, &form.title).await.map(|_| ()),
        "merge" => discussions::merge(&app, actor, of, number).await.map(|_| ()),
        other => Err(Error::BadRequest(format!("`{other}` is no button of this page"))),
    };
    match done {
        Ok(()) => {
            let prefix = place.kind.web_prefix();
            Ok(go_to(&format!("/{prefix}{}/discussions/{number}", place.name)))
        }
        Err(error @ (Error::BadRequest(_) | Error::MergeConflict { .. } | Error::StaleParent { .. })) => {
            shown(&app, (&place, number), &visitor, Some(refusal::sentence(&error.detail()))).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn shown(
    app: &App,
    (place, number): (&Place, i64),
    visitor: &Visitor,
    complaint: Option<String>,
) -> Shown {
    let opened = open(app, visitor, place, Action::See).await?;
    let details = discussions::get(app, &visitor.actor, (place.kind, &place.name), number).await?;
    let Details { discussion, events, pull, may_change, may_merge, .. } = details;
    let title = format!("{} · #{number}", discussion.title);
    let is_open = matches!(discussion.status, Status::Open | Status::Draft);
    let pull = pull.unwrap_or_default();
    let revision = format!("refs%2Fpr%2F{number}");
    show(&DiscussionPage {
        frame: opened.frame(visitor, &title),
        head: opened.head("Discussions"),
        line: line(&opened, &discussion),
        events: events.iter().map(|event| event_line(&opened, event)).collect(),
        changes: (pull.changes.into_iter())
            .map(|(path, effect)| ChangeLine {
                href: (effect == Effect::Put)
                    .then(|| format!("{}/blob/{revision}/{}", opened.path, super::place::encode_path(&path))),
                path,
            })
            .collect(),
        may_merge: may_merge && is_open && pull.conflicts.is_empty(),
        conflicts: pull.conflicts,
        is_pull_request: discussion.is_pull_request,
        is_open,
        may_change: may_change && discussion.status != Status::Merged,
        complaint,
    })
}

fn line(opened: &Opened, discussion: &Discussion) -> DiscussionLine {
    DiscussionLine {
        number: discussion.number,
        title: discussion.title.clone(),
        href: format!("{}/discussions/{}", opened.path, discussion.number),
        author: named(discussion.author_name.as_deref()),
        status: discussion.status.as_str(),
        is_pull_request: discussion.is_pull_request,
        opened: when(discussion.created_ms),
    }
}

fn event_line(opened: &Opened, event: &Event) -> EventLine {
    let data = discussions::data(event);
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    let deed = match event.kind {
        EventKind::Comment => {
            let home = Home { path: &opened.path, revision: "main" };
            Deed::Comment(markdown::render(&text("text"), home))
        }
        EventKind::StatusChange => Deed::Status(text("status")),
        EventKind::TitleChange => Deed::Title { from: text("from"), to: text("to") },
        EventKind::Commit => {
            let oid = text("oid");
            Deed::Commit { href: format!("{}/tree/{oid}", opened.path), subject: text("subject"), oid }
        }
    };
    EventLine { author: named(event.author_name.as_deref()), when: when(event.created_ms), deed }
}

fn named(name: Option<&str>) -> String {
    name.unwrap_or("deleted").to_owned()
}
