//! Webhooks: addresses that are told of what happens to a repository, and what was sent to them.
//!
//! Refuses to know the keys that sign and how anything is sent. Invariants: a delivery and the job that sends it come
//! together or not at all; a delivery that was sent or given up stays as it is until somebody asks for it again.

use super::ids::{DeliveryId, RepositoryId, WebhookId};
use super::jobs::{self, NewJob};
use super::words::words;
use super::{Db, Page, id_cursor, page, page_limit, query};
use crate::Error;

/// An address that is told.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Webhook {
    pub id: WebhookId,
    pub repository_id: RepositoryId,
    pub url: String,
    /// A JSON list of the kinds of events that are told.
    pub events: String,
    pub created_by: String,
    pub created_ms: i64,
    /// Attempts that failed since the last one that did not.
    pub n_failures: i64,
    /// Why nothing is sent any more.
    pub disabled_reason: Option<String>,
}

/// A webhook to be.
#[derive(Debug, Clone)]
pub struct NewWebhook<'a> {
    pub repository: RepositoryId,
    pub url: &'a str,
    pub events: &'a str,
    pub created_by: &'a str,
    pub now_ms: i64,
}

words!(
    /// What became of a delivery.
    DeliveryState, "state of a delivery", { Waiting = "waiting", Sent = "sent", Failed = "failed" }
);

/// Something that is sent to a webhook.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Delivery {
    pub id: DeliveryId,
    pub webhook_id: WebhookId,
    pub url: String,
    pub event: String,
    #[sqlx(try_from = "String")]
    pub state: DeliveryState,
    pub n_attempts: i64,
    /// The HTTP status of the last answer, if there was one.
    pub status: Option<i64>,
    /// Why the last attempt failed.
    pub reason: String,
    pub created_ms: i64,
    pub updated_ms: i64,
    pub body: String,
}

/// A delivery to be.
#[derive(Debug, Clone)]
pub struct NewDelivery<'a> {
    pub webhook: WebhookId,
    pub url: &'a str,
    pub event: &'a str,
    pub body: &'a str,
    pub now_ms: i64,
}

/// How an attempt ended.
#[derive(Debug, Clone)]
pub struct Attempt<'a> {
    pub state: DeliveryState,
    pub status: Option<i64>,
    pub reason: &'a str,
    pub now_ms: i64,
}

const COLUMNS: &str = "id, repository_id, url, events, created_by, created_ms, n_failures, disabled_reason";
const DELIVERY_COLUMNS: &str =
    "id, webhook_id, url, event, state, n_attempts, status, reason, created_ms, updated_ms, body";

/// Makes a webhook, unless the repository has `most` already: then [`Error::NotEmpty`].
pub async fn create(db: &Db, new: &NewWebhook<'_>, most: i64) -> Result<Webhook, Error> {
    let mut tx = db.begin().await?;
    // Two that are made at the same moment wait here for one another, so that each counts the other.
    let hold = query("hold a repository", "SELECT id FROM repositories WHERE id = $1 {lock}");
    if hold.bind(new.repository).optional::<(i64,)>(&mut tx).await?.is_none() {
        return Err(Error::not_found("repository", new.repository));
    }
    let sql = "SELECT CAST(count(*) AS BIGINT) FROM webhooks WHERE repository_id = $1";
    let (n,) = query("count webhooks", sql).bind(new.repository).one::<(i64,)>(&mut tx).await?;
    if n >= most {
        return Err(Error::NotEmpty { what: "repository", name: new.repository.to_string() });
    }
    let sql = format!(
        "INSERT INTO webhooks (repository_id, url, events, created_by, created_ms, n_failures)
         VALUES ($1, $2, $3, $4, $5, 0) RETURNING {COLUMNS}"
    );
    let created = query("make a webhook", sql)
        .bind(new.repository)
        .bind(new.url)
        .bind(new.events)
        .bind(new.created_by)
        .bind(new.now_ms)
        .one::<Webhook>(&mut tx)
        .await?;
    tx.commit().await?;
    Ok(created)
}

/// The webhooks of a repository, oldest first.
pub async fn list(
    db: &Db,
    repository: RepositoryId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Webhook>, Error> {
    let limit = page_limit(limit);
    let sql =
        format!("SELECT {COLUMNS} FROM webhooks WHERE repository_id = $1 AND id > $2 ORDER BY id LIMIT $3");
    let rows = query("list webhooks", sql).bind(repository).bind(id_cursor(after, 0)?).bind(limit + 1);
    Ok(page(rows.all::<Webhook>(db).await?, limit, |webhook| webhook.id.to_string()))
}

/// The webhook of that number, if the repository has it.
pub async fn get(db: &Db, repository: RepositoryId, id: WebhookId) -> Result<Option<Webhook>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM webhooks WHERE repository_id = $1 AND id = $2");
    query("find a webhook", sql).bind(repository).bind(id).optional(db).await
}

/// Changes where a webhook is and what it is told, and lets it be told again.
pub async fn change(db: &Db, id: WebhookId, url: &str, events: &str) -> Result<(), Error> {
    let sql =
        "UPDATE webhooks SET url = $2, events = $3, n_failures = 0, disabled_reason = NULL WHERE id = $1";
    let changed = query("change a webhook", sql).bind(id).bind(url).bind(events);
    if changed.run(db.writer()).await? == 0 { Err(Error::not_found("webhook", id)) } else { Ok(()) }
}

/// Forgets a webhook with what was sent to it.
pub async fn delete(db: &Db, id: WebhookId) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let sql = "DELETE FROM webhook_deliveries WHERE webhook_id = $1";
    query("forget deliveries", sql).bind(id).run(&mut tx).await?;
    let deleted = query("delete a webhook", "DELETE FROM webhooks WHERE id = $1").bind(id);
    if deleted.run(&mut tx).await? == 0 {
        return Err(Error::not_found("webhook", id));
    }
    tx.commit().await
}

/// Writes down what is to be sent, with the job that will: `job` with the delivery's id for its payload.
pub async fn deliver(db: &Db, new: &NewDelivery<'_>, job: &NewJob<'_>) -> Result<Delivery, Error> {
    let mut tx = db.begin().await?;
    let sql = format!(
        "INSERT INTO webhook_deliveries (webhook_id, url, event, state, n_attempts, reason, created_ms,
            updated_ms, body)
         VALUES ($1, $2, $3, 'waiting', 0, '', $4, $4, $5) RETURNING {DELIVERY_COLUMNS}"
    );
    let made = query("keep a delivery", sql)
        .bind(new.webhook)
        .bind(new.url)
        .bind(new.event)
        .bind(new.now_ms)
        .bind(new.body)
        .one::<Delivery>(&mut tx)
        .await?;
    jobs::enqueue_in(&mut tx, &NewJob { payload: &made.id.to_string(), ..job.clone() }).await?;
    tx.commit().await?;
    Ok(made)
}

/// What was sent to a webhook, newest first.
pub async fn deliveries(
    db: &Db,
    webhook: WebhookId,
    after: Option<&str>,
    limit: u32,
) -> Result<Page<Delivery>, Error> {
    let limit = page_limit(limit);
    let sql = format!(
        "SELECT {DELIVERY_COLUMNS} FROM webhook_deliveries WHERE webhook_id = $1 AND id < $2
         ORDER BY id DESC LIMIT $3"
    );
    let rows = query("list deliveries", sql).bind(webhook).bind(id_cursor(after, i64::MAX)?).bind(limit + 1);
    Ok(page(rows.all::<Delivery>(db).await?, limit, |delivery| delivery.id.to_string()))
}

pub async fn delivery(db: &Db, id: DeliveryId) -> Result<Option<Delivery>, Error> {
    let sql = format!("SELECT {DELIVERY_COLUMNS} FROM webhook_deliveries WHERE id = $1");
    query("find a delivery", sql).bind(id).optional(db).await
}

/// Whether anything may be sent to a webhook. One that is gone with its repository is still told of that.
pub async fn is_disabled(db: &Db, id: WebhookId) -> Result<bool, Error> {
    let sql = "SELECT id FROM webhooks WHERE id = $1 AND disabled_reason IS NOT NULL";
    Ok(query("look at a webhook", sql).bind(id).optional::<(i64,)>(db).await?.is_some())
}

/// Notes how an attempt ended. After `most` that failed in a row the webhook is told nothing more.
pub async fn note(db: &Db, delivery: &Delivery, attempt: &Attempt<'_>, most: i64) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    let sql =
        "UPDATE webhook_deliveries SET state = $2, status = $3, reason = $4, n_attempts = n_attempts + 1,
        updated_ms = $5 WHERE id = $1";
    query("note an attempt", sql)
        .bind(delivery.id)
        .bind(attempt.state)
        .bind(attempt.status)
        .bind(attempt.reason)
        .bind(attempt.now_ms)
        .run(&mut tx)
        .await?;
    if attempt.state == DeliveryState::Sent {
        let sql = "UPDATE webhooks SET n_failures = 0 WHERE id = $1 AND n_failures <> 0";
        query("count failures", sql).bind(delivery.webhook_id).run(&mut tx).await?;
    } else {
        let sql = "UPDATE webhooks SET n_failures = n_failures + 1,
            disabled_reason = CASE WHEN n_failures + 1 >= $2 THEN coalesce(disabled_reason, $3)
                ELSE disabled_reason END
            WHERE id = $1";
        let counted = query("count failures", sql).bind(delivery.webhook_id).bind(most);
        counted.bind(attempt.reason).run(&mut tx).await?;
    }
    tx.commit().await
}

/// Forgets what was sent before a time, and answers how much that was.
pub async fn delete_before(db: &Db, before_ms: i64) -> Result<u64, Error> {
    let sql = "DELETE FROM webhook_deliveries WHERE created_ms < $1";
    query("forget deliveries", sql).bind(before_ms).run(db.writer()).await
}
