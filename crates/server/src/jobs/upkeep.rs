//! What a server does by the clock: runtimes are added, kept awake and put to sleep, what was counted is stored, what
//! is too old is forgotten.
//!
//! Every server does this for itself; none of it needs a lease, since doing it twice does nothing.

use std::sync::Arc;
use std::time::Duration;

use store::clock;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::slot::Need;
use crate::gateway::usage::MINUTE_MS;
use crate::ops::endpoints::{recorded, usage};
use crate::ops::links::watch;
use crate::ops::{endpoints, uploads, webhooks};

/// How often it looks.
const EVERY: Duration = Duration::from_secs(1);
/// How many looks pass between two at what runtimes computed and at what is to be kept awake.
const LOOKS_BETWEEN_COUNTS: u64 = 5;
/// How many looks pass between two clean-ups of the database.
const LOOKS_BETWEEN_CLEANUPS: u64 = 600;
/// How long finished jobs are kept for reading.
const KEEP_JOBS_MS: i64 = 7 * 24 * 3600 * 1000;

/// Runs until told to stop; then stores what was counted.
pub async fn run(app: Arc<App>, stop: CancellationToken) {
    let mut looks = tokio::time::interval(EVERY);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut minute_ms = this_minute_ms();
    for n_looks in 0_u64.. {
        tokio::select! {
            _ = looks.tick() => {}
            () = stop.cancelled() => break,
        }
        let now_ms = this_minute_ms();
        if now_ms != minute_ms {
            usage::end_minute(&app, minute_ms);
            minute_ms = now_ms;
        }
        note(tend(&app).await);
        if n_looks % LOOKS_BETWEEN_COUNTS == 0 {
            app.gateway.slots().iter().for_each(|slot| slot.count_processor_time());
            note(endpoints::keep_awake(&app).await);
        }
        if n_looks % LOOKS_BETWEEN_CLEANUPS == 0 {
            note(usage::store(&app).await);
            note(clean_up(&app).await);
        }
    }
    usage::end_minute(&app, minute_ms);
    note(usage::store(&app).await);
    note(watch::flush(&app).await);
}

fn note(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::error!("upkeep failed: {error}");
    }
}

fn this_minute_ms() -> i64 {
    let now_ms = clock::now_ms();
    now_ms - now_ms.rem_euclid(MINUTE_MS)
}

/// Looks after every model that was asked for.
async fn tend(app: &Arc<App>) -> Result<(), Error> {
    for slot in app.gateway.slots() {
        match slot.tend() {
            Need::Nothing => {}
            Need::Slept => endpoints::note_slept(app, slot.key).await?,
            Need::Another { n_wanted } => {
                let app_of_task = Arc::clone(app);
                // Those that run go on; the next look tries again.
                app.background.spawn(async move {
                    if let Err(error) = endpoints::grow(&app_of_task, &slot, n_wanted).await {
                        tracing::warn!("one more runtime could not be started: {error}");
                    }
                });
            }
        }
    }
    Ok(())
}

async fn clean_up(app: &App) -> Result<(), Error> {
    let now_ms = clock::now_ms();
    store::db::sessions::delete_expired(&app.store.db, now_ms).await.during("forget old sessions")?;
    uploads::clean_up(app).await?;
    webhooks::clean_up(app).await?;
    usage::clean_up(app).await?;
    recorded::clean_up(app).await?;
    watch::flush(app).await?;
    let before_ms = now_ms.saturating_sub(KEEP_JOBS_MS);
    store::db::jobs::delete_finished_before(&app.store.db, before_ms)
        .await
        .during("forget old jobs")
        .map(|_| ())
}
