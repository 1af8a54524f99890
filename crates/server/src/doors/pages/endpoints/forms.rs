//! The forms on an endpoint's page: its limits, and who answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde_json::Value;
use spec::api::{EndpointChange, EndpointOptions, NewTarget, NewTargets};
use store::db::endpoints::Options;

use super::super::place::Place;
use super::super::views::endpoint::OptionLine;
use super::super::visitor::Visitor;
use super::super::{Answer, Html, go_to};
use super::page_with;
use crate::app::App;
use crate::doors::address::Base;
use crate::error::{Code, Error};
use crate::ops::endpoints::{options, targets};

/// What can be set: what its owner set, and beneath that what holds.
pub fn lines(own: &Options, now: &EndpointOptions) -> Vec<OptionLine> {
    let line = |(name, title, help), is_set: bool, now: String| {
        let value = if is_set { now.clone() } else { String::new() };
        OptionLine { name, title, help, value, now }
    };
    let awake = ("min_replicas", "Kept awake", "Runtimes that never sleep, for each target");
    let most = ("max_replicas", "Most runtimes", "For each target");
    let at_a_time = ("concurrency", "Requests at a time", "More are told to come again");
    let request = ("request_timeout", "Time for a request", "Such as 10s");
    let load = ("load_timeout", "Time to load", "Such as 2m");
    let idle = ("idle_after", "Sleeps after", "Without a request, such as 15m");
    let memory = ("memory", "Memory", "For each process, such as 512 MiB");
    let sample = ("log_sample", "Requests recorded", "A part from 0 (none) to 1 (all)");
    vec![
        line(awake, true, now.min_replicas.to_string()),
        line(most, true, now.max_replicas.to_string()),
        line(at_a_time, own.concurrency.is_some(), now.concurrency.to_string()),
        line(request, own.request_timeout_ms.is_some(), now.request_timeout.clone()),
        line(load, own.load_timeout_ms.is_some(), now.load_timeout.clone()),
        line(idle, own.idle_after_ms.is_some(), now.idle_after.clone()),
        line(memory, own.memory_bytes.is_some(), now.memory.clone()),
        line(sample, true, now.log_sample.to_string()),
    ]
}

/// `POST /{owner}/{name}/endpoint/options`
pub async fn set_options(
    State(app): State<Arc<App>>,
    place: Place,
    base: Base,
    visitor: Visitor,
    Form(mut fields): Form<BTreeMap<String, String>>,
) -> Answer<Response, Html> {
    visitor.check_form(&fields.remove("csrf").unwrap_or_default())?;
    let filled = fields.into_iter().filter(|(_, value)| !value.trim().is_empty());
    let change = EndpointChange(filled.map(|(key, value)| (key, Value::String(value))).collect());
    let done = options::change(&app, &visitor.actor, &place.name, &change).await.map(|_| ());
    answer(&app, (place, base, visitor), done).await
}

/// Shares, one for each revision, in the order of the form.
#[derive(Debug, Default, Deserialize)]
struct Shares {
    csrf: String,
    action: String,
    targets: Vec<NewTarget>,
}

/// `POST /{owner}/{name}/endpoint/targets`
pub async fn set_targets(
    State(app): State<Arc<App>>,
    place: Place,
    base: Base,
    visitor: Visitor,
    Form(fields): Form<Vec<(String, String)>>,
) -> Answer<Response, Html> {
    let shares = read(fields)?;
    visitor.check_form(&shares.csrf)?;
    let (actor, name) = (&visitor.actor, &place.name);
    let done = match shares.action.as_str() {
        "promote" => targets::promote(&app, actor, name).await,
        "rollback" => targets::roll_back(&app, actor, name).await,
        _ => targets::set(&app, actor, name, &NewTargets { targets: shares.targets }).await,
    };
    answer(&app, (place, base, visitor), done.map(|_| ())).await
}

fn read(fields: Vec<(String, String)>) -> Result<Shares, Error> {
    let mut shares = Shares::default();
    for (key, value) in fields {
        match key.as_str() {
            "csrf" => shares.csrf = value,
            "action" => shares.action = value,
            "revision" => shares.targets.push(NewTarget { revision: value, percent: 0 }),
            "percent" => {
                let percent = value.trim().parse().ok().filter(|percent| *percent <= 100);
                let percent = percent.ok_or_else(|| {
                    Error::BadRequest(format!("`{value}` is no whole number of percents from 0 to 100"))
                })?;
                if let Some(target) = shares.targets.last_mut() {
                    target.percent = percent;
                }
            }
            _ => {}
        }
    }
    // Whoever takes nothing is no target.
    shares.targets.retain(|target| target.percent > 0);
    Ok(shares)
}

/// Back to the page, or the page with what was wrong.
async fn answer(
    app: &Arc<App>,
    (place, base, visitor): (Place, Base, Visitor),
    done: Result<(), Error>,
) -> Answer<Response, Html> {
    match done {
        Ok(()) => Ok(go_to(&format!("/{}/endpoint", place.name))),
        Err(error) if error.code() == Code::BadRequest => {
            Ok(page_with(app, (&place, &base, &visitor), Some(error.detail())).await?)
        }
        Err(error) => Err(error.into()),
    }
}
