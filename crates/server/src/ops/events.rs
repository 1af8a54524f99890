//! Events: what was done to what by whom, for those who must answer for it.
//!
//! Invariants: an event is noted after what it tells has happened; one that cannot be noted goes to the log and
//! undoes nothing; no secret and no content is ever part of one.

use spec::api::{Event, Page};
use spec::name::{RepositoryKind, RepositoryName};
use spec::rights::Action;
use store::clock;
use store::db::accounts;
use store::db::events::{self, Filter, NewEvent};

use super::access::{self, Actor};
use super::{organizations, repositories};
use crate::app::App;
use crate::error::{During, Error};
use crate::text;

/// What is to be noted.
#[derive(Debug, Clone, Copy)]
pub struct Done<'a> {
    /// Such as `grant` or `link.create`.
    pub verb: &'static str,
    pub subject: &'a str,
    pub detail: &'a str,
}

/// Notes what the actor did.
pub async fn note(app: &App, actor: &Actor, done: Done<'_>) {
    let name = match actor {
        Actor::Account(known) => known.name.as_str(),
        Actor::Nobody => "",
    };
    let Done { verb, subject, detail } = done;
    tracing::info!(actor = name, verb, subject, detail, "done");
    let new = NewEvent { at_ms: clock::now_ms(), actor: name, verb, subject, detail };
    if let Err(error) = events::add(&app.store.db, &new).await {
        tracing::error!(actor = name, verb, subject, %error, "an event was not noted");
    }
}

/// What is to be listed.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub actor: Option<String>,
    pub subject: Option<String>,
    pub after: Option<String>,
    pub limit: u32,
}

/// What was done to a repository, for whoever administers it.
pub async fn of_repository(
    app: &App,
    actor: &Actor,
    (kind, name): (RepositoryKind, &RepositoryName),
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Event>, Error> {
    let repository = repositories::get(app, actor, kind, name, Action::Administer).await?;
    let name = repositories::full_name(&repository);
    of_subject(app, (&name, repository.created_ms), after, limit).await
}

/// What was done to an organisation, for whoever administers it.
pub async fn of_organization(
    app: &App,
    actor: &Actor,
    name: &str,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Event>, Error> {
    let organization = organizations::administered(app, actor, name).await?;
    of_subject(app, (&organization.name, organization.created_ms), after, limit).await
}

/// What was done to a subject since it was made: whatever had the name before is none of theirs to know.
async fn of_subject(
    app: &App,
    (subject, since_ms): (&str, i64),
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Event>, Error> {
    let filter = Filter { actor: None, subject: Some(subject), since_ms };
    let page = events::list(&app.store.db, filter, after, limit).await.during("list events")?;
    Ok(Page { items: page.items.into_iter().map(describe).collect(), next: page.next })
}

/// Events, newest first: an admin sees all, everybody else what they did themselves.
pub async fn list(app: &App, actor: &Actor, wanted: &Wanted) -> Result<Page<Event>, Error> {
    let known = access::signed_in(actor)?;
    let (by, since_ms) = match known.is_admin {
        true => (wanted.actor.as_deref(), 0),
        // Whoever had the name before is none of theirs to know.
        false => {
            let account = accounts::by_id(&app.store.db, known.id).await.during("look up an account")?;
            (Some(known.name.as_str()), account.map_or(i64::MAX, |account| account.created_ms))
        }
    };
    let filter = Filter { actor: by, subject: wanted.subject.as_deref(), since_ms };
    let page = events::list(&app.store.db, filter, wanted.after.as_deref(), wanted.limit).await;
    let page = page.during("list events")?;
    Ok(Page { items: page.items.into_iter().map(describe).collect(), next: page.next })
}

fn describe(event: events::Event) -> Event {
    Event {
        at: text::rfc3339(event.at_ms),
        actor: event.actor,
        verb: event.verb,
        subject: event.subject,
        detail: event.detail,
    }
}
