//! The pages that tell what was done: by oneself, to a repository, to an organisation.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use serde::Deserialize;
use spec::api::{Event, Page};
use spec::rights::Action;

use super::place::{Place, encode, with_query};
use super::repositories::open;
use super::views::front::When;
use super::views::sharing::{EventLine, EventsPage};
use super::visitor::Visitor;
use super::{Shown, show};
use crate::app::App;
use crate::ops::events::{self, Wanted};

/// Events on one page.
const PAGE: u32 = 50;

/// Where the list goes on.
#[derive(Debug, Default, Deserialize)]
pub struct After {
    #[serde(default)]
    after: String,
}

impl After {
    fn cursor(&self) -> Option<&str> {
        (!self.after.is_empty()).then_some(self.after.as_str())
    }
}

/// `/settings/events`: what whoever looks has done.
pub async fn own(State(app): State<Arc<App>>, Query(after): Query<After>, visitor: Visitor) -> Shown {
    let wanted = Wanted {
        actor: visitor.name().map(str::to_owned),
        subject: None,
        after: after.cursor().map(str::to_owned),
        limit: PAGE,
    };
    let found = events::list(&app, &visitor.actor, &wanted).await?;
    let mut frame = visitor.frame("What you did");
    frame.section = "events";
    let (events, next) = lines(found, "/settings/events");
    show(&EventsPage { frame, head: None, organization: None, events, next })
}

/// `/{owner}/{name}/settings/events`
pub async fn of_repository(
    State(app): State<Arc<App>>,
    Query(after): Query<After>,
    place: Place,
    visitor: Visitor,
) -> Shown {
    let opened = open(&app, &visitor, &place, Action::Administer).await?;
    let of = (place.kind, &place.name);
    let found = events::of_repository(&app, &visitor.actor, of, after.cursor(), PAGE).await?;
    let (events, next) = lines(found, &format!("{}/settings/events", opened.path));
    let (frame, head) = (opened.frame(&visitor, "What was done"), Some(opened.head("Settings")));
    show(&EventsPage { frame, head, organization: None, events, next })
}

/// `/organizations/{organization}/events`
pub async fn of_organization(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    Query(after): Query<After>,
    visitor: Visitor,
) -> Shown {
    let found = events::of_organization(&app, &visitor.actor, &name, after.cursor(), PAGE).await?;
    let (events, next) = lines(found, &format!("/organizations/{}/events", encode(&name)));
    let frame = visitor.frame(&format!("What was done · {name}"));
    show(&EventsPage { frame, head: None, organization: Some(name), events, next })
}

fn lines(found: Page<Event>, here: &str) -> (Vec<EventLine>, Option<String>) {
    let line = |event: Event| EventLine {
        at: When { text: event.at.get(..16).unwrap_or(&event.at).replace('T', " "), exact: event.at },
        actor: event.actor,
        verb: event.verb,
        subject: event.subject,
        detail: event.detail,
    };
    let next = found.next.map(|next| with_query(here, &[("after", &next)]));
    (found.items.into_iter().map(line).collect(), next)
}
