//! What a server does by the clock: runtimes that nobody asks go to sleep, sessions that ended are forgotten.
//!
//! Every server does this for itself; none of it needs a lease, since doing it twice does nothing.

use std::sync::Arc;
use std::time::Duration;

use spec::api::EndpointState;
use store::clock;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::{During, Error};
use crate::ops::links::watch;
use crate::ops::{endpoints, uploads};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// How many looks pass between two clean-ups of the database.
const LOOKS_BETWEEN_CLEANUPS: u64 = 600;
/// How long finished jobs are kept for reading.
const KEEP_JOBS_MS: i64 = 7 * 24 * 3600 * 1000;

/// Runs until told to stop.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut looks = tokio::time::interval(EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    for n_looks in 0_u64.. {
        tokio::select! {
            _ = looks.tick() => {}
            () = stop.cancelled() => return,
        }
        let result = match n_looks % LOOKS_BETWEEN_CLEANUPS {
            0 => clean_up(&app).await,
            _ => put_to_sleep(&app).await,
        };
        if let Err(error) = result {
            tracing::error!("upkeep failed: {error}");
        }
    }
}

async fn put_to_sleep(app: &App) -> Result<(), Error> {
    for repository in app.gateway.put_to_sleep(app.settings.idle_after.0) {
        let reason = "nobody asked for a while; the next request wakes it";
        endpoints::set_state(app, repository, EndpointState::Idle, reason).await?;
    }
    Ok(())
}

async fn clean_up(app: &App) -> Result<(), Error> {
    let now_ms = clock::now_ms();
    store::db::sessions::delete_expired(&app.store.db, now_ms).await.during("forget old sessions")?;
    uploads::clean_up(app).await?;
    watch::flush(app).await?;
    let before_ms = now_ms.saturating_sub(KEEP_JOBS_MS);
    store::db::jobs::delete_finished_before(&app.store.db, before_ms)
        .await
        .during("forget old jobs")
        .map(|_| ())
}
