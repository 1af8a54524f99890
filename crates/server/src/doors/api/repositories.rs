//! Repositories: what one is and what was read from its files.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use serde::Deserialize;
use spec::api::{Problem, Repository};
use spec::name::{RepositoryKind, RepositoryName};

use super::{Api, endpoints};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::address::Base;
use crate::doors::identity::Asker;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::revisions::{self, At};
use crate::ops::{self, facts, repositories};
use crate::text;

/// Which revision is asked for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RevisionQuery {
    /// A branch, a tag or a commit; `main` where it is left out.
    #[serde(default)]
    revision: Option<String>,
}

/// A model, what was read from its files, and its endpoint.
#[utoipa::path(get, path = "/api/v1/models/{owner}/{name}", tag = "repositories",
    params(("owner" = String, Path), ("name" = String, Path), RevisionQuery),
    responses((status = 200, body = Repository), (status = 404, body = Problem)))]
pub async fn model(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    Query(query): Query<RevisionQuery>,
    base: Base,
    asker: Asker<Api>,
) -> Answer<Json<Repository>, Api> {
    Ok(Json(describe(&app, &asker, &base, &Asked { kind: RepositoryKind::Model, path, query }).await?))
}

/// A data set.
#[utoipa::path(get, path = "/api/v1/datasets/{owner}/{name}", tag = "repositories",
    params(("owner" = String, Path), ("name" = String, Path), RevisionQuery),
    responses((status = 200, body = Repository), (status = 404, body = Problem)))]
pub async fn dataset(
    State(app): State<Arc<App>>,
    Path(path): Path<(String, String)>,
    Query(query): Query<RevisionQuery>,
    base: Base,
    asker: Asker<Api>,
) -> Answer<Json<Repository>, Api> {
    Ok(Json(describe(&app, &asker, &base, &Asked { kind: RepositoryKind::Dataset, path, query }).await?))
}

struct Asked {
    kind: RepositoryKind,
    path: (String, String),
    query: RevisionQuery,
}

async fn describe(app: &App, asker: &Asker<Api>, base: &Base, asked: &Asked) -> Result<Repository, Error> {
    let Asked { kind, path: (owner, name), query } = asked;
    let name = RepositoryName::new(owner, name)?;
    let at = At { kind: *kind, name: &name, revision: query.revision.as_deref().unwrap_or("main") };
    let (row, revision) = revisions::resolve(app, &asker.actor, &at, Action::See).await?;
    let endpoint = match ops::endpoints::get(app, &asker.actor, &name).await {
        Ok(described) if *kind == RepositoryKind::Model => Some(endpoints::wire(base, &described)),
        Ok(_) | Err(Error::EndpointNotFound(_) | Error::RepositoryNotFound(_)) => None,
        Err(error) => return Err(error),
    };
    let full_name = repositories::full_name(&row);
    Ok(Repository {
        tags: repositories::tags(&row),
        url: base.page(*kind, &full_name),
        repository: full_name,
        kind: *kind,
        private: row.is_private,
        revision: revision.oid.to_string(),
        description: row.description,
        task: row.task,
        library: row.library,
        license: row.license,
        downloads: row.n_downloads,
        created: text::rfc3339(row.created_ms),
        modified: text::rfc3339(row.updated_ms),
        facts: facts::get(app, revision.id).await?,
        endpoint,
    })
}
