//! The job that sends one delivery to a webhook, and comes again later when that failed.
//!
//! It is queued with the delivery itself. Invariant: each attempt is a job of its own, so that a delivery waits for hours
//! without holding a lease.

use store::db::ids::DeliveryId;
use store::db::jobs::NewJob;

use super::{MAX_ATTEMPTS, read_id};
use crate::app::App;
use crate::error::{During, Error};
use crate::ops::webhooks;

pub const KIND: &str = "deliver-webhook";

/// Sending a delivery whose id is the payload.
pub fn due(payload: &str, now_ms: i64, run_at_ms: i64) -> NewJob<'_> {
    NewJob {
        kind: KIND,
        dedup_key: None,
        payload,
        priority: 0,
        run_at_ms,
        max_attempts: MAX_ATTEMPTS,
        created_ms: now_ms,
    }
}

pub(super) async fn run(app: &App, payload: &str) -> Result<(), Error> {
    let id: DeliveryId = read_id(payload)?;
    let Some((now_ms, again_ms)) = webhooks::send(app, id).await? else { return Ok(()) };
    let job = due(payload, now_ms, again_ms);
    store::db::jobs::enqueue(&app.store.db, &job).await.during("queue a job").map(|_| ())
}
