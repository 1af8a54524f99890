//! What an endpoint's owner sets of it, within what the operator allows.
//!
//! Knows settings and rows, no runtime. Invariant: nothing that is set is more than the operator's setting, which is
//! also what holds where nothing is set.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use spec::api::{EndpointChange, EndpointOptions};
use spec::name::{RepositoryKind, RepositoryName};
use store::clock;
use store::db::endpoints::{self, Options};

use super::{Described, get};
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::Limits;
use crate::gateway::service::MILLION;
use crate::ops::access::{Action, Actor};
use crate::ops::repositories;
use crate::settings::{Bytes, Seconds};

/// What can be set.
pub const NAMES: [&str; 8] = [
    "min_replicas",
    "max_replicas",
    "concurrency",
    "request_timeout",
    "load_timeout",
    "idle_after",
    "memory",
    "log_sample",
];
/// Least memory that a runtime starts with.
const LEAST_MEMORY: u64 = 64 << 20;
/// What stands for the operator's choice.
const DEFAULT: &str = "default";

/// Changes what is named. Requests see it at once; a runtime's memory, and how long it may load and compute, hold from
/// its next start on.
pub async fn change(
    app: &App,
    actor: &Actor,
    name: &RepositoryName,
    change: &EndpointChange,
) -> Result<Described, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Write).await?;
    let (db, now_ms) = (&app.store.db, clock::now_ms());
    let stored = endpoints::change_options(db, repository.id, now_ms, |old| changed(app, old, change)).await;
    let options = match stored {
        Err(store::Error::NotFound { .. }) => return Err(Error::EndpointNotFound(name.to_string())),
        stored => stored.during("change an endpoint")??,
    };
    app.gateway.service(repository.id).set_limits(limits(app, &options));
    get(app, actor, name).await
}

/// What comes of a change, if all of it can be set.
fn changed(app: &App, mut options: Options, change: &EndpointChange) -> Result<Options, Error> {
    for (key, value) in &change.0 {
        let text = match value {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        set(app, &mut options, (key, text.trim()))?;
    }
    if options.min_replicas > options.max_replicas {
        let (min, max) = (options.min_replicas, options.max_replicas);
        return Err(Error::BadRequest(format!("`min_replicas` {min} is more than `max_replicas` {max}")));
    }
    Ok(options)
}

/// What holds for an endpoint's runtimes.
pub fn limits(app: &App, options: &Options) -> Limits {
    let defaults = Limits::of(&app.settings);
    let count = |n: i64| usize::try_from(n).unwrap_or_default();
    let time = |ms: Option<i64>, most: Duration| {
        ms.map_or(most, |ms| Duration::from_millis(ms.unsigned_abs()).min(most))
    };
    let min_replicas = count(options.min_replicas).min(app.settings.replicas);
    Limits {
        min_replicas,
        max_replicas: count(options.max_replicas).clamp(1, app.settings.replicas.max(1)),
        concurrency: options.concurrency.map_or(defaults.concurrency, |n| count(n).min(defaults.concurrency)),
        request_timeout: time(options.request_timeout_ms, defaults.request_timeout),
        load_timeout: time(options.load_timeout_ms, defaults.load_timeout),
        idle_after: time(options.idle_after_ms, defaults.idle_after),
        memory_bytes: options
            .memory_bytes
            .map_or(defaults.memory_bytes, |n| n.unsigned_abs().min(defaults.memory_bytes)),
        log_sample: options.log_sample.unsigned_abs().min(MILLION),
        ..defaults
    }
}

/// The same as the API tells it.
pub fn told(limits: &Limits) -> EndpointOptions {
    EndpointOptions {
        min_replicas: limits.min_replicas,
        max_replicas: limits.max_replicas,
        concurrency: limits.concurrency,
        request_timeout: Seconds(limits.request_timeout).to_string(),
        load_timeout: Seconds(limits.load_timeout).to_string(),
        idle_after: Seconds(limits.idle_after).to_string(),
        memory: Bytes(limits.memory_bytes).to_string(),
        log_sample: limits.log_sample as f64 / MILLION as f64,
    }
}

fn set(app: &App, options: &mut Options, (key, text): (&str, &str)) -> Result<(), Error> {
    let settings = &app.settings;
    let count = |least: u64, most: usize| within::<u64>((key, text), "a whole number", (least, most as u64));
    let time = |most: Seconds| -> Result<Option<i64>, Error> {
        let most_ms = u64::try_from(most.0.as_millis()).unwrap_or(u64::MAX);
        let read = |text: &str| text.parse::<Seconds>().ok().map(|s| s.0.as_millis() as u64);
        let show = |ms: u64| Seconds(Duration::from_millis(ms)).to_string();
        optional((key, text), (100.min(most_ms), most_ms), read, show)
    };
    match key {
        "min_replicas" => options.min_replicas = count(0, settings.replicas)?,
        "max_replicas" => options.max_replicas = count(1, settings.replicas.max(1))?,
        "concurrency" => {
            let read = |text: &str| text.parse::<u64>().ok();
            options.concurrency = optional((key, text), (1, settings.queue as u64), read, |n| n.to_string())?;
        }
        "request_timeout" => options.request_timeout_ms = time(settings.predict_timeout)?,
        "load_timeout" => options.load_timeout_ms = time(settings.load_timeout)?,
        "idle_after" => options.idle_after_ms = time(settings.idle_after)?,
        "memory" => {
            let most = settings.runtime_memory.0;
            let read = |text: &str| text.parse::<Bytes>().ok().map(|bytes| bytes.0);
            let show = |n: u64| Bytes(n).to_string();
            options.memory_bytes = optional((key, text), (LEAST_MEMORY.min(most), most), read, show)?;
        }
        "log_sample" => {
            let part = match text {
                DEFAULT => Some(0.0),
                text => text.parse::<f64>().ok().filter(|part| (0.0..=1.0).contains(part)),
            };
            let part = part.ok_or_else(|| refused((key, text), "a part of the requests, from 0 to 1"))?;
            options.log_sample = (part * MILLION as f64).round() as i64;
        }
        other => {
            let names = NAMES.join("`, `");
            return Err(Error::BadRequest(format!("`{other}` cannot be set: it is none of `{names}`")));
        }
    }
    Ok(())
}

/// A whole number in bounds; the operator's choice is the least.
fn within<T: FromStr + PartialOrd + Display + Copy>(
    (key, text): (&str, &str),
    what: &str,
    (least, most): (T, T),
) -> Result<i64, Error>
where
    i64: TryFrom<T>,
{
    let value = if text == DEFAULT { Some(least) } else { text.parse::<T>().ok() };
    let value =
        value.filter(|value| (least..=most).contains(value)).and_then(|value| i64::try_from(value).ok());
    value.ok_or_else(|| refused((key, text), &format!("{what} from {least} to {most}")))
}

/// A value in bounds, none for the operator's choice.
fn optional(
    (key, text): (&str, &str),
    (least, most): (u64, u64),
    read: impl Fn(&str) -> Option<u64>,
    show: impl Fn(u64) -> String,
) -> Result<Option<i64>, Error> {
    if text == DEFAULT {
        return Ok(None);
    }
    let value = read(text).filter(|value| (least..=most).contains(value));
    match value.and_then(|value| i64::try_from(value).ok()) {
        Some(value) => Ok(Some(value)),
        None => Err(refused((key, text), &format!("between {} and {}", show(least), show(most)))),
    }
}

fn refused((key, text): (&str, &str), wanted: &str) -> Error {
    Error::BadRequest(format!("`{key}`: `{text}` is not {wanted}"))
}
