//! Web apps beside models: started, looked at, stopped, and what they wrote.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use spec::api::{self, Logs, Problem, StartApp};
use spec::name::RepositoryName;

use super::{Api, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::address::Base;
use crate::doors::identity::Asker;
use crate::error::Error;
use crate::ops::apps::{self, Described};
use crate::text;

/// The app of a model.
#[utoipa::path(get, path = "/api/v1/apps/{owner}/{name}", tag = "apps",
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = api::App), (status = 404, body = Problem)))]
pub async fn get(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    base: Base,
    asker: Asker<Api>,
) -> Answer<Json<api::App>, Api> {
    Ok(Json(wire(&base, apps::get(&app, &asker.actor, &name(&path)?).await?)))
}

/// Starts the app of a model, or moves it to another revision. The answer comes at once; ask again until the state is
/// settled.
#[utoipa::path(put, path = "/api/v1/apps/{owner}/{name}", tag = "apps", request_body = StartApp,
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 202, body = api::App), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn start(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    base: Base,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<(StatusCode, Json<api::App>), Api> {
    let wanted: StartApp = if body.is_empty() { StartApp::default() } else { read(&body)? };
    let described = apps::start(&app, &asker.actor, &name(&path)?, &wanted).await?;
    Ok((StatusCode::ACCEPTED, Json(wire(&base, described))))
}

/// Stops the app of a model; visitors no longer wake it.
#[utoipa::path(delete, path = "/api/v1/apps/{owner}/{name}", tag = "apps",
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = api::App), (status = 404, body = Problem)))]
pub async fn stop(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    base: Base,
    asker: Asker<Api>,
) -> Answer<Json<api::App>, Api> {
    Ok(Json(wire(&base, apps::stop(&app, &asker.actor, &name(&path)?).await?)))
}

/// The last lines that it wrote; for those who may change it.
#[utoipa::path(get, path = "/api/v1/apps/{owner}/{name}/logs", tag = "apps",
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Logs), (status = 404, body = Problem)))]
pub async fn logs(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    asker: Asker<Api>,
) -> Answer<Json<Logs>, Api> {
    Ok(Json(Logs { lines: apps::logs(&app, &asker.actor, &name(&path)?).await? }))
}

fn wire(base: &Base, described: Described) -> api::App {
    let Described { row, repository, state, reason, facts } = described;
    api::App {
        url: base.app_page(&repository),
        repository,
        revision: row.oid.to_string(),
        sdk: facts.as_ref().map(|facts| facts.sdk),
        file: facts.map(|facts| facts.file.to_string()),
        state,
        reason,
        created: text::rfc3339(row.created_ms),
        updated: text::rfc3339(row.updated_ms),
    }
}

fn name((owner, name): &(String, String)) -> Result<RepositoryName, Error> {
    Ok(RepositoryName::new(owner, name)?)
}
