//! Grants on a repository. The addresses are the same below `/api/v1/models` and `/api/v1/datasets`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use serde::Deserialize;
use spec::api::{Grant, NewGrant, Page, Problem};
use spec::name::{RepositoryKind, RepositoryName};

use super::{Api, PageQuery, read};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::identity::Asker;
use crate::error::Error;
use crate::ops::grants::{self, Of};

/// The address of a grant.
#[derive(Debug, Deserialize)]
pub struct Place {
    owner: String,
    name: String,
    #[serde(default)]
    who: String,
}

impl Place {
    fn repository(&self) -> Result<RepositoryName, Error> {
        Ok(RepositoryName::new(&self.owner, &self.name)?)
    }
}

/// Who may do what with a repository, besides its owner. Data sets have the same addresses.
#[utoipa::path(get, path = "/api/v1/models/{owner}/{name}/grants", tag = "sharing",
    params(("owner" = String, Path), ("name" = String, Path), PageQuery),
    responses((status = 200, body = Page<Grant>), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Grant>>, Api> {
    let of = (kind, &place.repository()?);
    Ok(Json(grants::list(&app, &asker.actor, of, page.after.as_deref(), page.limit()).await?))
}

/// Gives a person or an organisation a right, in the place of the one they had.
#[utoipa::path(put, path = "/api/v1/models/{owner}/{name}/grants/{who}", tag = "sharing", request_body = NewGrant,
    params(("owner" = String, Path), ("name" = String, Path), ("who" = String, Path, description = "A person or an organisation")),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn put(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
    body: Bytes,
) -> Answer<StatusCode, Api> {
    let of = Of { kind, name: &place.repository()?, who: &place.who };
    grants::put(&app, &asker.actor, of, read::<NewGrant>(&body)?.action).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes a right back.
#[utoipa::path(delete, path = "/api/v1/models/{owner}/{name}/grants/{who}", tag = "sharing",
    params(("owner" = String, Path), ("name" = String, Path), ("who" = String, Path)),
    responses((status = 204), (status = 403, body = Problem), (status = 404, body = Problem)))]
pub async fn delete(
    State(app): State<Arc<App>>,
    Extension(kind): Extension<RepositoryKind>,
    Path(place): Path<Place>,
    asker: Asker<Api>,
) -> Answer<StatusCode, Api> {
    let of = Of { kind, name: &place.repository()?, who: &place.who };
    grants::delete(&app, &asker.actor, of).await?;
    Ok(StatusCode::NO_CONTENT)
}
