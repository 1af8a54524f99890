//! What an endpoint does: what was counted of it, what was recorded, what its runtimes write.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt};
use serde::Deserialize;
use spec::api::{EndpointMetrics, Logs, Page, Problem, RecordedRequest, Usage};

use super::name;
use crate::app::App;
use crate::doors::Answer;
use crate::doors::api::{Api, PageQuery, map_page};
use crate::doors::identity::Asker;
use crate::gateway::usage::Counted;
use crate::ops::endpoints::{logs, recorded, usage};
use crate::text;

/// How often somebody who follows a log hears that it is still there.
const STILL_THERE: Duration = Duration::from_secs(15);

/// How a log is to be read.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LogsQuery {
    /// `1`: go on with what is written from now on, as server-sent events, one line each.
    #[serde(default)]
    pub follow: Option<String>,
}

/// The last lines that its runtimes wrote; for those who may change it.
#[utoipa::path(get, path = "/api/v1/endpoints/{owner}/{name}/logs", tag = "endpoints",
    params(("owner" = String, Path), ("name" = String, Path), LogsQuery),
    responses((status = 200, body = Logs), (status = 404, body = Problem)))]
pub async fn logs(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    Query(query): Query<LogsQuery>,
    asker: Asker<Api>,
) -> Answer<Response, Api> {
    let name = name(&path)?;
    if !matches!(query.follow.as_deref(), Some("1" | "true")) {
        let lines = logs::read(&app, &asker.actor, &name).await?;
        return Ok(Json(Logs { lines }).into_response());
    }
    let follower = logs::follow(&app, &asker.actor, &name).await?;
    let lines = stream::unfold(follower, async |mut follower| {
        let lines = follower.next().await?;
        Some((stream::iter(lines), follower))
    });
    // An event's data may hold no carriage return, with which programs draw over what they wrote.
    let event = |line: String| Event::default().data(line.replace('\r', " "));
    let events = lines.flatten().map(move |line| Ok::<_, Infallible>(event(line)));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(STILL_THERE)).into_response())
}

/// What was counted in the last hour and the last month; for those who may change the endpoint.
#[utoipa::path(get, path = "/api/v1/endpoints/{owner}/{name}/metrics", tag = "endpoints",
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = EndpointMetrics), (status = 404, body = Problem)))]
pub async fn metrics(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    asker: Asker<Api>,
) -> Answer<Json<EndpointMetrics>, Api> {
    let measured = usage::read(&app, &asker.actor, &name(&path)?).await?;
    let told =
        |list: &[(i64, Counted)]| list.iter().map(|(from_ms, counted)| tell(*from_ms, counted)).collect();
    let (minutes, hours) = (told(&measured.minutes), told(&measured.hours));
    Ok(Json(EndpointMetrics { repository: measured.repository, minutes, hours }))
}

/// Requests that were recorded because its owner wanted it, newest first; for those who may change the endpoint.
#[utoipa::path(get, path = "/api/v1/endpoints/{owner}/{name}/requests", tag = "endpoints",
    params(("owner" = String, Path), ("name" = String, Path), PageQuery),
    responses((status = 200, body = Page<RecordedRequest>), (status = 404, body = Problem)))]
pub async fn requests(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<RecordedRequest>>, Api> {
    let wanted = (page.after.as_deref(), page.limit());
    let found = recorded::list(&app, &asker.actor, &name(&path)?, wanted).await?;
    Ok(Json(map_page(found, |recorded| RecordedRequest {
        at: text::rfc3339(recorded.at_ms),
        revision: recorded.revision,
        took_s: recorded.took_us as f64 / 1e6,
        outcome: recorded.outcome,
        request: recorded.request,
        response: recorded.response,
    })))
}

fn tell(from_ms: i64, counted: &Counted) -> Usage {
    Usage {
        from: text::rfc3339(from_ms),
        requests: counted.n_requests,
        errors: counted.n_errors,
        cold_starts: counted.n_cold_starts,
        cpu_s: counted.cpu_us as f64 / 1e6,
        p50_s: counted.quantile_s(0.5),
        p95_s: counted.quantile_s(0.95),
        p99_s: counted.quantile_s(0.99),
        latency: counted.took.to_vec(),
    }
}
