//! What is counted of an endpoint: told to those who may change it, and stored by the hour.
//!
//! Invariant: what could not be stored is kept and tried again.

use spec::name::{RepositoryKind, RepositoryName};
use store::clock;
use store::db::endpoints;
use store::db::endpoints::usage::{self, Hour};

use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::usage::{Counted, MINUTE_MS, MINUTES};
use crate::ops::access::{Action, Actor};
use crate::ops::repositories;

/// How long hours are kept.
const KEPT_MS: i64 = 31 * 24 * 3600 * 1000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// What was counted, each with when that time began, oldest first.
#[derive(Debug)]
pub struct Measured {
    /// `owner/name`
    pub repository: String,
    pub now_ms: i64,
    pub minutes: Vec<(i64, Counted)>,
    pub hours: Vec<(i64, Counted)>,
}

/// What was counted of an endpoint in the last hour and the last month.
pub async fn read(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Measured, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Write).await?;
    let row = endpoints::by_repository(&app.store.db, repository.id).await.during("look up an endpoint")?;
    let row = row.ok_or_else(|| Error::EndpointNotFound(name.to_string()))?;
    let now_ms = clock::now_ms();
    let stored = usage::since(&app.store.db, row.id, now_ms - KEPT_MS).await.during("read usage")?;
    let counted = &app.gateway.service(repository.id).usage;
    let mut hours: Vec<(i64, Counted)> = stored.iter().map(|hour| (hour.hour_ms, from_row(hour))).collect();
    for (hour_ms, more) in counted.unstored() {
        match hours.iter_mut().find(|(known_ms, _)| *known_ms == hour_ms) {
            Some((_, known)) => known.add(&more),
            None => hours.push((hour_ms, more)),
        }
    }
    let since_ms = now_ms - MINUTE_MS * i64::try_from(MINUTES).unwrap_or(i64::MAX);
    let minutes = counted.minutes(since_ms, now_ms);
    Ok(Measured { repository: repositories::full_name(&repository), now_ms, minutes, hours })
}

/// Ends the minute that began then for all endpoints.
pub fn end_minute(app: &App, began_ms: i64) {
    app.gateway.services().iter().for_each(|service| service.usage.end_minute(began_ms));
}

/// Stores what was counted since the last time.
pub async fn store(app: &App) -> Result<(), Error> {
    let mut stored = Ok(());
    for service in app.gateway.services() {
        for (hour_ms, counted) in service.usage.take_unstored() {
            let added = usage::add(&app.store.db, service.repository, &to_row(hour_ms, &counted)).await;
            if let Err(error) = added {
                service.usage.give_back(hour_ms, &counted);
                stored = Err(error);
            }
        }
    }
    stored.during("store usage")
}

/// Forgets what is too old.
pub async fn clean_up(app: &App) -> Result<(), Error> {
    let before_ms = clock::now_ms() - KEPT_MS;
    usage::delete_before(&app.store.db, before_ms - before_ms.rem_euclid(HOUR_MS))
        .await
        .during("forget usage")
        .map(|_| ())
}

fn to_row(hour_ms: i64, counted: &Counted) -> Hour {
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Hour {
        hour_ms,
        n_requests: count(counted.n_requests),
        n_errors: count(counted.n_errors),
        n_cold_starts: count(counted.n_cold_starts),
        cpu_ms: count(counted.cpu_us / 1000),
        took: counted.took.map(count),
    }
}

fn from_row(hour: &Hour) -> Counted {
    Counted {
        n_requests: hour.n_requests.unsigned_abs(),
        n_errors: hour.n_errors.unsigned_abs(),
        n_cold_starts: hour.n_cold_starts.unsigned_abs(),
        cpu_us: hour.cpu_ms.unsigned_abs().saturating_mul(1000),
        took: hour.took.map(i64::unsigned_abs),
    }
}
