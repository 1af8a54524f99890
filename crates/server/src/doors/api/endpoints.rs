//! Endpoints: put live, look at, stop; and, beside this file, deal out and watch.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use spec::api::{Deploy, Endpoint, Page, Problem};
use spec::frame::Stability;
use spec::name::RepositoryName;

use super::{Api, PageQuery, map_page, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::address::Base;
use crate::doors::identity::Asker;
use crate::error::Error;
use crate::ops::endpoints::{self, Described};
use crate::text;

pub mod traffic;
pub mod watch;

/// The endpoints that the asker may see, by name.
#[utoipa::path(get, path = "/api/v1/endpoints", tag = "endpoints", params(PageQuery),
    responses((status = 200, body = Page<Endpoint>)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Query(page): Query<PageQuery>,
    base: Base,
    asker: Asker<Api>,
) -> Answer<Json<Page<Endpoint>>, Api> {
    let found = endpoints::list(&app, &asker.actor, page.after.as_deref(), page.limit()).await?;
    Ok(Json(map_page(found, |described| wire(&base, &described))))
}

/// Puts a model live. The answer comes at once; ask again until the state is settled.
#[utoipa::path(post, path = "/api/v1/endpoints", tag = "endpoints", request_body = Deploy,
    responses((status = 202, body = Endpoint), (status = 404, body = Problem), (status = 409, body = Problem)))]
pub async fn deploy(
    State(app): State<Arc<App>>,
    base: Base,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<(StatusCode, Json<Endpoint>), Api> {
    let described = endpoints::deploy(&app, &asker.actor, &read(&body)?).await?;
    Ok((StatusCode::ACCEPTED, Json(wire(&base, &described))))
}

/// One endpoint.
#[utoipa::path(get, path = "/api/v1/endpoints/{owner}/{name}", tag = "endpoints",
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Endpoint), (status = 404, body = Problem)))]
pub async fn get(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    base: Base,
    asker: Asker<Api>,
) -> Answer<Json<Endpoint>, Api> {
    Ok(Json(wire(&base, &endpoints::get(&app, &asker.actor, &name(&path)?).await?)))
}

/// Stops an endpoint; a new deploy starts it again.
#[utoipa::path(delete, path = "/api/v1/endpoints/{owner}/{name}", tag = "endpoints",
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Endpoint), (status = 404, body = Problem)))]
pub async fn stop(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    base: Base,
    asker: Asker<Api>,
) -> Answer<Json<Endpoint>, Api> {
    Ok(Json(wire(&base, &endpoints::stop(&app, &asker.actor, &name(&path)?).await?)))
}

/// An endpoint as the API tells it.
pub fn wire(base: &Base, described: &Described) -> Endpoint {
    Endpoint {
        repository: described.repository.clone(),
        revision: described.row.oid.to_string(),
        state: described.state,
        reason: described.reason.clone(),
        url: base.endpoint(&described.repository),
        try_url: base.try_page(&described.repository),
        weights: described.weights.clone(),
        stable: described.stability.map(Stability::is_stable),
        stability: described.stability.map(|stability| stability.statement().to_owned()),
        targets: described.targets.clone(),
        options: described.options.clone(),
        created: text::rfc3339(described.row.created_ms),
        updated: text::rfc3339(described.row.updated_ms),
    }
}

fn name((owner, name): &(String, String)) -> Result<RepositoryName, Error> {
    Ok(RepositoryName::new(owner, name)?)
}
