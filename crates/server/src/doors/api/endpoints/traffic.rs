//! Who answers for an endpoint and how much: targets and options.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use spec::api::{Endpoint, EndpointChange, NewTargets, Problem};

use super::{name, wire};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::address::Base;
use crate::doors::api::{Api, read};
use crate::doors::identity::Asker;
use crate::ops::endpoints::{options, targets};

/// Changes what an endpoint may take, within what the operator allows.
#[utoipa::path(patch, path = "/api/v1/endpoints/{owner}/{name}", tag = "endpoints", request_body = EndpointChange,
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Endpoint), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn change(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    base: Base,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<Json<Endpoint>, Api> {
    let change: EndpointChange = read(&body)?;
    Ok(Json(wire(&base, &options::change(&app, &asker.actor, &name(&path)?, &change).await?)))
}

/// Deals the requests out anew among revisions that were deployed before.
#[utoipa::path(put, path = "/api/v1/endpoints/{owner}/{name}/targets", tag = "endpoints", request_body = NewTargets,
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Endpoint), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn set_targets(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    base: Base,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<Json<Endpoint>, Api> {
    let wanted: NewTargets = read(&body)?;
    Ok(Json(wire(&base, &targets::set(&app, &asker.actor, &name(&path)?, &wanted).await?)))
}

/// Gives all requests to the revision that was deployed last.
#[utoipa::path(post, path = "/api/v1/endpoints/{owner}/{name}/promote", tag = "endpoints",
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Endpoint), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn promote(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    base: Base,
    asker: Asker<Api>,
) -> Answer<Json<Endpoint>, Api> {
    Ok(Json(wire(&base, &targets::promote(&app, &asker.actor, &name(&path)?).await?)))
}

/// Goes back to the targets as they stood before the last change; again for the one before that.
#[utoipa::path(post, path = "/api/v1/endpoints/{owner}/{name}/rollback", tag = "endpoints",
    params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 200, body = Endpoint), (status = 400, body = Problem), (status = 404, body = Problem)))]
pub async fn roll_back(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    base: Base,
    asker: Asker<Api>,
) -> Answer<Json<Endpoint>, Api> {
    Ok(Json(wire(&base, &targets::roll_back(&app, &asker.actor, &name(&path)?).await?)))
}
