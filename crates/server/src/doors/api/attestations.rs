//! Attestations of a model: signed statements of people who ran its recorded training again.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use serde::Deserialize;
use spec::api::attestations::{Attestation, NewAttestation};
use spec::api::{Page, Problem};
use spec::name::RepositoryName;

use super::{Api, PageQuery, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::identity::Asker;
use crate::error::Error;
use crate::ops::attestations;

/// The address of a model's attestations, or of one.
#[derive(Debug, Deserialize)]
pub struct Place {
    owner: String,
    name: String,
    #[serde(default)]
    attestation: String,
}

impl Place {
    fn repository(&self) -> Result<RepositoryName, Error> {
        Ok(RepositoryName::new(&self.owner, &self.name)?)
    }

    fn attestation(&self) -> Result<i64, Error> {
        let missing = |_| Error::NotFound { what: "attestation", name: self.attestation.clone() };
        self.attestation.parse().map_err(missing)
    }
}

/// The attestations of a model, newest first.
#[utoipa::path(get, path = "/api/v1/models/{owner}/{name}/attestations", tag = "attestations",
    params(("owner" = String, Path), ("name" = String, Path), PageQuery),
    responses((status = 200, body = Page<Attestation>), (status = 404, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Attestation>>, Api> {
    let which = (page.after.as_deref(), page.limit());
    Ok(Json(attestations::list(&app, &asker.actor, &place.repository()?, which).await?))
}

/// Takes a signed statement, once it was checked: `reenact attest --push` sends one.
#[utoipa::path(post, path = "/api/v1/models/{owner}/{name}/attestations", tag = "attestations",
    request_body = NewAttestation, params(("owner" = String, Path), ("name" = String, Path)),
    responses((status = 201, body = Attestation), (status = 400, body = Problem), (status = 404, body = Problem),
        (status = 409, body = Problem)))]
pub async fn create(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<(StatusCode, Json<Attestation>), Api> {
    let created = attestations::create(&app, &asker.actor, &place.repository()?, &read(&body)?).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// One attestation, with the signed statement and the key that signed it.
#[utoipa::path(get, path = "/api/v1/models/{owner}/{name}/attestations/{attestation}", tag = "attestations",
    params(("owner" = String, Path), ("name" = String, Path),
        ("attestation" = i64, Path, description = "The attestation's id")),
    responses((status = 200, body = Attestation), (status = 404, body = Problem)))]
pub async fn get(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
) -> Answer<Json<Attestation>, Api> {
    let (name, id) = (place.repository()?, place.attestation()?);
    Ok(Json(attestations::get(&app, &asker.actor, &name, id).await?))
}

/// Takes an attestation back: whoever made it can.
#[utoipa::path(delete, path = "/api/v1/models/{owner}/{name}/attestations/{attestation}", tag = "attestations",
    params(("owner" = String, Path), ("name" = String, Path), ("attestation" = i64, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
) -> Answer<StatusCode, Api> {
    attestations::delete(&app, &asker.actor, &place.repository()?, place.attestation()?).await?;
    Ok(StatusCode::NO_CONTENT)
}
