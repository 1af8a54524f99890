//! Sending one delivery: when, how often, and what becomes of its webhook when that fails.
//!
//! Knows nothing of what is told and how it is written. Invariant: the answer's content is not kept, since it may be
//! anything.

use store::clock;
use store::db::ids::DeliveryId;
use store::db::webhooks::{self as rows, Attempt, Delivery, DeliveryState};

use crate::app::App;
use crate::error::{During, Error};
use crate::outbound::Reach;
use crate::settings::Unsafe;
use crate::standard_webhooks::{self, Message};

/// Attempts at one delivery.
const ATTEMPTS: i64 = 6;
/// Attempts that fail in a row, of whatever deliveries, until a webhook is told nothing more.
const FAILURES: i64 = 20;
/// By how much each attempt waits longer than the one before.
const BACK_OFF: u32 = 6;
/// How long what was sent is kept for reading.
const KEEP_MS: i64 = 7 * 24 * 3600 * 1000;

/// Sends a delivery. When it is to be tried again: now, and the time then.
pub async fn send(app: &App, id: DeliveryId) -> Result<Option<(i64, i64)>, Error> {
    let found = rows::delivery(&app.store.db, id).await.during("look up a delivery")?;
    // Taken away with its webhook, or sent by a worker whose lease ran out in that very moment.
    let Some(delivery) = found.filter(|found| found.state == DeliveryState::Waiting) else { return Ok(None) };
    let (status, reason) = match rows::is_disabled(&app.store.db, delivery.webhook_id).await {
        Ok(true) => (None, "the webhook is disabled".to_owned()),
        Ok(false) => attempt(app, &delivery).await?,
        Err(error) => return Err(error).during("look at a webhook"),
    };
    let n_attempts = delivery.n_attempts + 1;
    let is_given_up = n_attempts >= ATTEMPTS || reason == "the webhook is disabled";
    let state = match (reason.is_empty(), is_given_up) {
        (true, _) => DeliveryState::Sent,
        (false, true) => DeliveryState::Failed,
        (false, false) => DeliveryState::Waiting,
    };
    let now_ms = clock::now_ms();
    let ended = Attempt { state, status, reason: &reason, now_ms };
    rows::note(&app.store.db, &delivery, &ended, FAILURES).await.during("note an attempt")?;
    Ok((state == DeliveryState::Waiting).then(|| (now_ms, now_ms.saturating_add(wait_ms(app, n_attempts)))))
}

/// Forgets what was sent long ago.
pub async fn clean_up(app: &App) -> Result<(), Error> {
    let before_ms = clock::now_ms().saturating_sub(KEEP_MS);
    rows::delete_before(&app.store.db, before_ms).await.during("forget old deliveries").map(|_| ())
}

/// The status that came, and why that is no success.
async fn attempt(app: &App, delivery: &Delivery) -> Result<(Option<i64>, String), Error> {
    let key = super::key(app, delivery.webhook_id).await?;
    let message = Message {
        id: &format!("msg_{}", delivery.id),
        url: &delivery.url,
        body: &delivery.body,
        now_s: clock::now_ms() / 1000,
    };
    let reach = match app.settings.private_webhooks {
        Unsafe::Allow => Reach::Anywhere,
        Unsafe::Refuse => Reach::Public,
    };
    Ok(match standard_webhooks::send(&app.outbound, &key, &message, reach).await {
        Ok(status @ 200..300) => (Some(status.into()), String::new()),
        Ok(status) => (Some(status.into()), format!("the receiver answered {status}")),
        Err(error) => (None, error.to_string()),
    })
}

/// How long to wait after so many attempts.
fn wait_ms(app: &App, n_attempts: i64) -> i64 {
    let first = i64::try_from(app.settings.webhook_retry.0.as_millis()).unwrap_or(i64::MAX);
    let exponent = u32::try_from(n_attempts.clamp(1, ATTEMPTS) - 1).unwrap_or(0);
    first.saturating_mul(i64::from(BACK_OFF.saturating_pow(exponent)))
}
