//! Links: letting whoever holds a secret ask one revision of a model, and no more than that.
//!
//! Invariants: a link shows the revision it was made for, whatever the repository becomes; the secret is told once,
//! when it is made; of those who use it nothing is kept but how often; an anonymous link gives away nothing that
//! [`traces`] finds.

use std::sync::Arc;

use spec::api::{CreatedLink, Link, LinkChange, NewLink, Page};
use spec::name::{RepositoryKind, RepositoryName};
use spec::rights::Action;
use store::clock;
use store::db::ids::LinkId;
use store::db::links;
use store::db::repositories::Repository;
use store::db::revisions::Revision;

use super::access::{self, Actor};
use super::events::{self, Done};
use super::repositories;
use super::revisions::{self, At};
use super::{endpoints, facts};
use crate::app::App;
use crate::deadline;
use crate::error::{During, Error};
use crate::predict::blunt;
use crate::secrets::{self, Secret};
use crate::text;

pub mod guard;
pub mod identity;
pub mod proof;
pub mod traces;
pub mod veil;
pub mod watch;

pub use guard::{Guest, Guests};
use traces::Findings;

/// What every link's secret begins with.
const PREFIX: &str = "rl_";
/// Links that are named together as ending soon.
const ENDING: u32 = 5;
/// Most digits after the point that a link rounds to.
const DECIMALS: std::ops::RangeInclusive<i64> = 0..=15;

/// Makes a link to a model, or for a dry run only tells what it would give away.
pub async fn create(
    app: &Arc<App>,
    actor: &Actor,
    name: &RepositoryName,
    new: &NewLink,
) -> Result<(CreatedLink, Option<Secret>), Error> {
    let at = At { kind: RepositoryKind::Model, name, revision: new.revision.as_deref().unwrap_or("main") };
    let (repository, revision) = revisions::resolve(app, actor, &at, Action::Administer).await?;
    check(new)?;
    check_servable(app, name, &revision, new).await?;
    let (words, Findings { traces, given }) = match new.anonymous {
        true => identify(app, (&repository, &revision), new).await?,
        false => (Vec::new(), Findings::default()),
    };
    if new.dry_run {
        return Ok((CreatedLink { link: None, url: None, traces }, None));
    }
    app.rates.makings.take(&access::signed_in(actor)?.name)?;
    let now_ms = clock::now_ms();
    let secret = secrets::generate(PREFIX)?;
    let row = links::NewLink {
        hash: &secret.hash(),
        repository_id: repository.id,
        revision_id: revision.id,
        action: if new.files { Action::Read } else { Action::Predict },
        is_anonymous: new.anonymous,
        hidden: &serde_json::Value::from(words).to_string(),
        expires_ms: new.expires.as_deref().map(|end| deadline::parse(end, now_ms)).transpose()?,
        max_calls: new.calls,
        calls_per_minute: new.calls_per_minute,
        n_decimals: new.round,
        top_k: new.top_k,
        created_by: &access::signed_in(actor)?.name,
        created_ms: now_ms,
    };
    let made = links::create(&app.store.db, &row).await.during("store a link")?;
    given.into_iter().for_each(|(sha256, given)| app.guests.remember(made.id, sha256, given));
    note(app, actor, "link.create", &made).await;
    Ok((CreatedLink { link: Some(describe(&made)), url: None, traces }, Some(secret)))
}

/// The links to a model, newest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    name: &RepositoryName,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Link>, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Administer).await?;
    let page = links::list(&app.store.db, repository.id, after, limit).await.during("list links")?;
    let uses = watch::of(app, &page.items).await?;
    let items = page.items.iter().zip(uses).map(|(link, asked)| Link { asked, ..describe(link) });
    Ok(Page { items: items.collect(), next: page.next })
}

/// The links that whoever asks has made to what they see, newest first.
pub async fn mine(app: &App, actor: &Actor, after: Option<&str>, limit: u32) -> Result<Page<Link>, Error> {
    let known = access::signed_in(actor)?;
    if !access::can_read(known) {
        return Ok(Page { items: Vec::new(), next: None });
    }
    let maker = (known.id, access::viewer(actor));
    let page = links::made_by(&app.store.db, maker, after, limit).await.during("list links")?;
    Ok(Page { items: page.items.iter().map(describe).collect(), next: page.next })
}

/// The links that whoever asks has made and that end soon, the next to end first.
pub async fn ending(app: &App, actor: &Actor) -> Result<Vec<Link>, Error> {
    let known = access::signed_in(actor)?;
    let now_ms = clock::now_ms();
    let span = (now_ms, now_ms.saturating_add(guard::SOON_MS));
    let maker = (known.id, access::viewer(actor));
    let found = links::ending(&app.store.db, maker, span, ENDING).await.during("list links")?;
    Ok(found.iter().map(describe).collect())
}

/// One link.
pub async fn get(app: &App, actor: &Actor, id: i64) -> Result<Link, Error> {
    let link = administered(app, actor, id).await?;
    let asked = watch::of(app, std::slice::from_ref(&link)).await?.pop().flatten();
    Ok(Link { asked, ..describe(&link) })
}

/// Lets a link live longer or be asked more often.
pub async fn change(app: &App, actor: &Actor, id: i64, wanted: &LinkChange) -> Result<Link, Error> {
    let link = administered(app, actor, id).await?;
    check_calls(wanted.calls)?;
    let expires_ms =
        wanted.expires.as_deref().map(|end| deadline::parse(end, clock::now_ms())).transpose()?;
    let change = links::Change { expires_ms, max_calls: wanted.calls };
    match links::change(&app.store.db, link.id, change).await {
        Err(store::Error::NotFound { .. }) => return Err(Error::LinkEnded("revoked")),
        result => result.during("change a link")?,
    }
    app.guests.forget(link.id);
    note(app, actor, "link.extend", &link).await;
    get(app, actor, id).await
}

/// Ends a link for good. A request that is under way comes to its end; none after it is answered.
pub async fn revoke(app: &App, actor: &Actor, id: i64) -> Result<(), Error> {
    let link = administered(app, actor, id).await?;
    links::revoke(&app.store.db, link.id).await.during("revoke a link")?;
    app.guests.forget(link.id);
    note(app, actor, "link.revoke", &link).await;
    Ok(())
}

/// A signed statement of what a link leads to, for whoever administers that.
pub async fn prove(app: &App, actor: &Actor, id: i64) -> Result<String, Error> {
    proof::write(app, &administered(app, actor, id).await?).await
}

/// The revision that a guest sees.
pub async fn revision(app: &App, guest: &Guest) -> Result<Revision, Error> {
    let found = store::db::revisions::by_id(&app.store.db, guest.link.revision_id).await;
    found.during("look up a revision")?.ok_or(Error::LinkNotFound)
}

/// A guest's link with its latest calls, which what was remembered does not know.
pub async fn now(app: &App, guest: &Guest) -> Result<links::Link, Error> {
    let found = links::by_id(&app.store.db, guest.link.id).await.during("look up a link")?;
    found.ok_or(Error::LinkNotFound)
}

/// The link, if the actor administers what it leads to.
async fn administered(app: &App, actor: &Actor, id: i64) -> Result<links::Link, Error> {
    let missing = || Error::NotFound { what: "link", name: id.to_string() };
    access::signed_in(actor)?;
    let link = links::by_id(&app.store.db, LinkId(id)).await.during("look up a link")?.ok_or_else(missing)?;
    let name = RepositoryName::new(&link.owner_name, &link.repository_name)?;
    match repositories::get(app, actor, link.repository_kind, &name, Action::Administer).await {
        Ok(_) => Ok(link),
        Err(error @ Error::ReadOnlyToken) => Err(error),
        // Who may not make links there does not learn that there is one.
        Err(_) => Err(missing()),
    }
}

fn check(new: &NewLink) -> Result<(), Error> {
    check_calls(new.calls)?;
    check_calls(new.calls_per_minute)?;
    if new.round.is_some_and(|n| !DECIMALS.contains(&n)) {
        return Err(Error::BadRequest("outputs are rounded to 0 to 15 digits".to_owned()));
    }
    if new.top_k.is_some_and(|k| k < 1) {
        return Err(Error::BadRequest("at least one class is told".to_owned()));
    }
    Ok(())
}

fn check_calls(calls: Option<i64>) -> Result<(), Error> {
    match calls {
        Some(..=0) => Err(Error::BadRequest("a link allows at least one call".to_owned())),
        // A limiter counts in 32 bits.
        Some(n) if n > i64::from(u32::MAX) => {
            Err(Error::BadRequest("a link allows at most 4,294,967,295 calls".to_owned()))
        }
        _ => Ok(()),
    }
}

async fn check_servable(
    app: &App,
    name: &RepositoryName,
    revision: &Revision,
    new: &NewLink,
) -> Result<(), Error> {
    let facts = facts::ensure(app, revision.id).await?;
    if !new.files {
        endpoints::check_servable(&name.to_string(), &facts)?;
    }
    match new.top_k {
        Some(_) => blunt::check_best(&facts.schema.unwrap_or_default()).map_err(Error::BadRequest),
        None => Ok(()),
    }
}

async fn identify(
    app: &App,
    (repository, revision): (&Repository, &Revision),
    new: &NewLink,
) -> Result<(Vec<String>, Findings), Error> {
    let words = identity::words(app, repository, revision, &new.hide).await?;
    let identity = identity::of(words.clone())?;
    Ok((words, traces::find(app, revision, &identity, new.files).await?))
}

fn describe(link: &links::Link) -> Link {
    Link {
        id: link.id.0,
        repository: format!("{}/{}", link.owner_name, link.repository_name),
        revision: link.oid.to_string(),
        action: link.action,
        anonymous: link.is_anonymous,
        state: guard::state(link, clock::now_ms()).to_owned(),
        expires: link.expires_ms.map(text::rfc3339),
        ends_in_days: guard::ends_in_days(link, clock::now_ms()),
        calls: link.n_calls,
        max_calls: link.max_calls,
        calls_per_minute: link.calls_per_minute,
        round: link.n_decimals,
        top_k: link.top_k,
        created_by: link.created_by.clone(),
        created: text::rfc3339(link.created_ms),
        last_used: link.last_used_ms.map(text::rfc3339),
        asked: None,
    }
}

async fn note(app: &App, actor: &Actor, verb: &'static str, link: &links::Link) {
    let subject = format!("{}/{}", link.owner_name, link.repository_name);
    let detail = format!("link {} to {}", link.id, link.oid);
    events::note(app, actor, Done { verb, subject: &subject, detail: &detail }).await;
}
