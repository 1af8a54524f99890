//! Webhooks: addresses that are told of what happens to a repository.
//!
//! Invariants: only who administers a repository knows of its webhooks; the key of one is made from the server's own, so
//! that none is kept, and is told once; an address leads to the public network unless the operator allows others.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use spec::api::Page;
use spec::api::webhooks::{CreatedWebhook, Delivery, NewWebhook, Topic, Webhook};
use spec::limits;
use spec::name::{RepositoryKind, RepositoryName};
use store::clock;
use store::db::ids::{DeliveryId, WebhookId};
use store::db::repositories::Repository;
use store::db::webhooks as rows;
use url::Url;

use super::access::{self, Action, Actor};
use super::events::{self, Done};
use super::repositories::{self, full_name};
use crate::app::App;
use crate::error::{During, Error};
use crate::outbound;
use crate::secrets::{self, Secret};
use crate::settings::Unsafe;
use crate::text;

mod news;
mod send;

pub use news::{News, Receivers, tell, tell_commit};
pub use send::{clean_up, send};

/// What the server's own key for them is called in the database.
const KEY_NAME: &str = "webhooks";

/// A repository and what is meant of it.
pub type Of<'a> = (RepositoryKind, &'a RepositoryName);

/// The webhooks of a repository.
pub async fn list(
    app: &App,
    actor: &Actor,
    of: Of<'_>,
    (after, limit): (Option<&str>, u32),
) -> Result<Page<Webhook>, Error> {
    let repository = administered(app, actor, of).await?;
    let page = rows::list(&app.store.db, repository.id, after, limit).await.during("list webhooks")?;
    Ok(Page { items: page.items.into_iter().map(describe).collect(), next: page.next })
}

/// One webhook of a repository.
pub async fn get(app: &App, actor: &Actor, of: Of<'_>, id: i64) -> Result<Webhook, Error> {
    find(app, actor, of, id).await.map(|(_, webhook)| describe(webhook))
}

/// Makes a webhook.
pub async fn create(app: &App, actor: &Actor, of: Of<'_>, new: &NewWebhook) -> Result<CreatedWebhook, Error> {
    let repository = administered(app, actor, of).await?;
    let known = access::signed_in(actor)?;
    let url = checked_url(app, &new.url)?;
    take_turn(app, actor)?;
    let row = rows::NewWebhook {
        repository: repository.id,
        url: url.as_str(),
        events: &topics_text(&new.topics),
        created_by: &known.name,
        now_ms: clock::now_ms(),
    };
    let most = i64::try_from(limits::WEBHOOKS).unwrap_or(i64::MAX);
    let made = match rows::create(&app.store.db, &row, most).await {
        Err(store::Error::NotEmpty { .. }) => {
            let most = limits::WEBHOOKS;
            return Err(Error::BadRequest(format!("a repository has at most {most} webhooks")));
        }
        Err(store::Error::NotFound { .. }) => return Err(Error::RepositoryNotFound(of.1.to_string())),
        result => result.during("make a webhook")?,
    };
    note(app, actor, "webhook.create", (&repository, &made)).await;
    let secret = format!("whsec_{}", STANDARD.encode(key(app, made.id).await?));
    Ok(CreatedWebhook { webhook: describe(made), secret })
}

/// Changes where a webhook is and what it is told, and enables it again.
pub async fn change(
    app: &App,
    actor: &Actor,
    of: Of<'_>,
    (id, new): (i64, &NewWebhook),
) -> Result<Webhook, Error> {
    let (repository, webhook) = find(app, actor, of, id).await?;
    let url = checked_url(app, &new.url)?;
    take_turn(app, actor)?;
    let changed = rows::change(&app.store.db, webhook.id, url.as_str(), &topics_text(&new.topics)).await;
    gone(changed, id)?;
    note(app, actor, "webhook.change", (&repository, &webhook)).await;
    get(app, actor, of, id).await
}

/// Takes a webhook away, with what was sent to it.
pub async fn delete(app: &App, actor: &Actor, of: Of<'_>, id: i64) -> Result<(), Error> {
    let (repository, webhook) = find(app, actor, of, id).await?;
    gone(rows::delete(&app.store.db, webhook.id).await, id)?;
    note(app, actor, "webhook.delete", (&repository, &webhook)).await;
    Ok(())
}

/// Sends a webhook something that says only that it works.
pub async fn test(app: &App, actor: &Actor, of: Of<'_>, id: i64) -> Result<Delivery, Error> {
    let (repository, webhook) = find(app, actor, of, id).await?;
    take_turn(app, actor)?;
    let sent = news::deliver(app, &repository, &webhook, &News::Test).await?;
    Ok(describe_delivery(sent))
}

/// What was sent to a webhook, newest first.
pub async fn deliveries(
    app: &App,
    actor: &Actor,
    of: Of<'_>,
    id: i64,
    (after, limit): (Option<&str>, u32),
) -> Result<Page<Delivery>, Error> {
    let (_, webhook) = find(app, actor, of, id).await?;
    let page = rows::deliveries(&app.store.db, webhook.id, after, limit).await.during("list deliveries")?;
    Ok(Page { items: page.items.into_iter().map(describe_delivery).collect(), next: page.next })
}

/// Sends something again, as something new with the same content.
pub async fn redeliver(
    app: &App,
    actor: &Actor,
    of: Of<'_>,
    (id, delivery): (i64, i64),
) -> Result<Delivery, Error> {
    let (_, webhook) = find(app, actor, of, id).await?;
    let found = rows::delivery(&app.store.db, DeliveryId(delivery)).await.during("look up a delivery")?;
    let found = found.filter(|found| found.webhook_id == webhook.id);
    let missing = || Error::NotFound { what: "delivery", name: delivery.to_string() };
    let old = found.ok_or_else(missing)?;
    take_turn(app, actor)?;
    let again = news::put(app, &webhook, (&old.event, &old.body)).await?;
    Ok(describe_delivery(again))
}

/// What signs all that is sent to a webhook.
async fn key(app: &App, id: WebhookId) -> Result<[u8; 32], Error> {
    let read = async || {
        let fresh = secrets::generate("")?;
        let kept = store::db::secrets::get_or_create(&app.store.db, KEY_NAME, fresh.expose()).await;
        kept.during("read the key of webhooks").map(Secret::new)
    };
    let own = app.webhook_key.get_or_try_init(read).await?;
    Ok(secrets::sign_bytes(own.expose().as_bytes(), format!("webhook:{id}").as_bytes()))
}

/// Each of what makes a row or sends something counts as one thing made.
fn take_turn(app: &App, actor: &Actor) -> Result<(), Error> {
    app.rates.makings.take(&access::signed_in(actor)?.name)
}

async fn administered(app: &App, actor: &Actor, (kind, name): Of<'_>) -> Result<Repository, Error> {
    let repository = repositories::get(app, actor, kind, name, Action::Administer).await?;
    access::signed_in(actor)?;
    Ok(repository)
}

async fn find(app: &App, actor: &Actor, of: Of<'_>, id: i64) -> Result<(Repository, rows::Webhook), Error> {
    let repository = administered(app, actor, of).await?;
    let found = rows::get(&app.store.db, repository.id, WebhookId(id)).await.during("look up a webhook")?;
    let webhook = found.ok_or_else(|| Error::NotFound { what: "webhook", name: id.to_string() })?;
    Ok((repository, webhook))
}

async fn note(
    app: &App,
    actor: &Actor,
    verb: &'static str,
    (repository, webhook): (&Repository, &rows::Webhook),
) {
    // The rest of an address may be its receiver's secret.
    let host = Url::parse(&webhook.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let (subject, detail) = (full_name(repository), host.unwrap_or_default());
    events::note(app, actor, Done { verb, subject: &subject, detail: &detail }).await;
}

fn gone(result: Result<(), store::Error>, id: i64) -> Result<(), Error> {
    match result {
        Err(store::Error::NotFound { .. }) => Err(Error::NotFound { what: "webhook", name: id.to_string() }),
        result => result.during("change a webhook"),
    }
}

fn checked_url(app: &App, text: &str) -> Result<Url, Error> {
    let refuse = |rule: &str| Error::BadRequest(format!("the address of a webhook {rule}"));
    if text.len() > limits::URL_BYTES {
        return Err(refuse("has at most 2,048 characters"));
    }
    let url = Url::parse(text.trim()).map_err(|_| refuse("is one such as `https://ci.example.org/hook`"))?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(refuse("begins with `https://` or `http://`"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("holds no name and no password"));
    }
    if app.settings.private_webhooks == Unsafe::Refuse && !outbound::is_public_url(&url) {
        return Err(refuse("leads to the public network on this server"));
    }
    Ok(url)
}

/// What is kept of the topics: all of them where none is said.
fn topics_text(topics: &[Topic]) -> String {
    let all: std::collections::BTreeSet<Topic> =
        if topics.is_empty() { Topic::ALL.into() } else { topics.iter().copied().collect() };
    serde_json::to_string(&all).unwrap_or_default()
}

fn topics(webhook: &rows::Webhook) -> Vec<Topic> {
    serde_json::from_str(&webhook.events).unwrap_or_default()
}

fn describe(row: rows::Webhook) -> Webhook {
    Webhook {
        id: row.id.0,
        topics: topics(&row),
        url: row.url,
        created_by: row.created_by,
        created: text::rfc3339(row.created_ms),
        disabled: row.disabled_reason,
    }
}

fn describe_delivery(row: rows::Delivery) -> Delivery {
    Delivery {
        id: row.id.0,
        event: row.event,
        state: row.state.as_str().to_owned(),
        attempts: row.n_attempts,
        status: row.status,
        reason: row.reason,
        created: text::rfc3339(row.created_ms),
        updated: text::rfc3339(row.updated_ms),
    }
}
