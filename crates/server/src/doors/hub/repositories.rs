//! Repositories: making and deleting them, who sees them, what they are, and lists of them.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use spec::name::{RepositoryKind, RepositoryName};
use store::db::repositories::{Gate, Sort};

use super::{Answer, Asked, Asker, Base, Hub, Params, Place, Sent, text};
use crate::app::App;
use crate::error::Error;
use crate::ops::access::{self, Action};
use crate::ops::access_requests;
use crate::ops::repositories::{self, NewRepository, Query, Visibility};

mod info;

pub use info::{info, info_at};

/// Repositories in one page of a list, where the client does not say.
const PAGE: u32 = 100;

/// A repository as the bodies of `create` and `delete` name it.
#[derive(Deserialize)]
pub struct Named {
    name: String,
    organization: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    visibility: Option<String>,
    /// How older clients say it.
    private: Option<bool>,
}

/// `POST /api/repos/create`
pub async fn create(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    base: Base,
    Sent(named): Sent<Named>,
) -> Answer<Response, Hub> {
    let visibility = visibility(named.visibility.as_deref(), named.private)?.unwrap_or_default();
    // Some clients send `owner/name` as the name.
    let (owner, name) = match (&named.organization, named.name.split_once('/')) {
        (None, Some((owner, name))) => (Some(owner), name),
        (owner, _) => (owner.as_deref(), named.name.as_str()),
    };
    let new = NewRepository { kind: named.kind()?, owner, name, visibility };
    match repositories::create(&app, &asker.actor, &new).await {
        Ok(created) => {
            let name = repositories::full_name(&created.repository);
            Ok(Json(json!({ "url": base.page(new.kind, &name), "name": name })).into_response())
        }
        // Clients that do not mind read the address from the refusal.
        Err(error @ Error::AlreadyExists { .. }) => {
            let Error::AlreadyExists { name, .. } = &error else { return Err(error.into()) };
            let body = json!({ "error": text(&error), "url": base.page(new.kind, name) });
            Ok((StatusCode::CONFLICT, Json(body)).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

/// `DELETE /api/repos/delete`
pub async fn delete(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    Sent(named): Sent<Named>,
) -> Answer<Json<Value>, Hub> {
    let kind = named.kind()?;
    let name = match (&named.organization, named.name.contains('/')) {
        (Some(owner), _) => RepositoryName::new(owner, &named.name)?,
        (None, true) => named.name.parse()?,
        (None, false) => RepositoryName::new(&access::signed_in(&asker.actor)?.name, &named.name)?,
    };
    repositories::delete(&app, &asker.actor, kind, &name).await?;
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renaming {
    from_repo: RepositoryName,
    to_repo: RepositoryName,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// `POST /api/repos/move`
pub async fn rename(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    base: Base,
    Sent(renaming): Sent<Renaming>,
) -> Answer<Json<Value>, Hub> {
    let kind = renaming.kind.as_deref().unwrap_or("model").parse()?;
    let (from, to) = (&renaming.from_repo, &renaming.to_repo);
    let renamed = repositories::rename(&app, &asker.actor, kind, from, to).await?;
    Ok(Json(json!({ "url": base.page(kind, &repositories::full_name(&renamed)) })))
}

#[derive(Deserialize)]
pub struct Settings {
    visibility: Option<String>,
    private: Option<bool>,
    gated: Option<Value>,
}

/// `PUT /api/{kind}s/{owner}/{name}/settings`
pub async fn set(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
    Sent(settings): Sent<Settings>,
) -> Answer<Json<Value>, Hub> {
    repositories::get(&app, &asker.actor, place.kind, &place.name, Action::Administer).await?;
    let gate = settings.gated.as_ref().map(gate).transpose()?;
    let visibility = visibility(settings.visibility.as_deref(), settings.private)?;
    if let Some(gate) = gate {
        access_requests::set_gate(&app, &asker.actor, (place.kind, &place.name), gate).await?;
    }
    if let Some(visibility) = visibility {
        repositories::set_visibility(&app, &asker.actor, place.kind, &place.name, visibility).await?;
    }
    Ok(Json(json!({})))
}

/// `GET /api/{kind}s/{owner}/{name}/auth-check`
pub async fn may_read(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
) -> Answer<Json<Value>, Hub> {
    let repository = repositories::get(&app, &asker.actor, place.kind, &place.name, Action::Read).await?;
    access_requests::check(&app, &asker.actor, &repository).await?;
    Ok(Json(json!({})))
}

/// `GET /api/{kind}s/{owner}/{name}/auth-check/write`
pub async fn may_write(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    place: Place,
) -> Answer<Json<Value>, Hub> {
    repositories::get(&app, &asker.actor, place.kind, &place.name, Action::Write).await?;
    Ok(Json(json!({})))
}

/// `GET /api/models`
pub async fn list_models(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    asked: Asked,
) -> Answer<impl IntoResponse, Hub> {
    let page = repositories::list(&app, &asker.actor, &query(RepositoryKind::Model, &asked.params)?).await?;
    let items: Vec<Value> = page.items.iter().map(info::summary).collect();
    Ok((asked.next_page(page.next.as_deref()), Json(items)))
}

/// `GET /api/datasets`
pub async fn list_datasets(
    State(app): State<Arc<App>>,
    asker: Asker<Hub>,
    asked: Asked,
) -> Answer<impl IntoResponse, Hub> {
    let page =
        repositories::list(&app, &asker.actor, &query(RepositoryKind::Dataset, &asked.params)?).await?;
    let items: Vec<Value> = page.items.iter().map(info::summary).collect();
    Ok((asked.next_page(page.next.as_deref()), Json(items)))
}

impl Named {
    fn kind(&self) -> Result<RepositoryKind, Error> {
        Ok(self.kind.as_deref().unwrap_or("model").parse()?)
    }
}

pub(super) fn visibility(named: Option<&str>, is_private: Option<bool>) -> Result<Option<Visibility>, Error> {
    match (named, is_private) {
        (Some("private"), _) | (None, Some(true)) => Ok(Some(Visibility::Private)),
        (Some("public"), _) | (None, Some(false)) => Ok(Some(Visibility::Public)),
        (None, None) => Ok(None),
        (Some(other), _) => Err(Error::BadRequest(format!("`{other}` is not `public` or `private`"))),
    }
}

fn gate(named: &Value) -> Result<Gate, Error> {
    match named {
        Value::Bool(false) => Ok(Gate::Open),
        Value::String(name) if name == "auto" => Ok(Gate::Auto),
        Value::String(name) if name == "manual" => Ok(Gate::Manual),
        other => Err(Error::BadRequest(format!("`gated` is `auto`, `manual` or `false`, not `{other}`"))),
    }
}

fn query(kind: RepositoryKind, params: &Params) -> Result<Query, Error> {
    let search: Vec<&str> = params.all("search").collect();
    let search = (!search.is_empty()).then(|| search.join(" "));
    let sort = match params.get("sort") {
        // What people look at most is the nearest we have to a trend.
        None | Some("trendingScore" | "trending_score") => match search {
            Some(_) => Sort::Relevance,
            None => Sort::LastModified,
        },
        Some("lastModified" | "last_modified" | "updated") => Sort::LastModified,
        Some("createdAt" | "created_at") => Sort::Created,
        Some("downloads") => Sort::Downloads,
        Some("likes") => Sort::Likes,
        Some(other) => {
            let wanted = "`lastModified`, `createdAt`, `downloads`, `likes` or `trendingScore`";
            return Err(Error::BadRequest(format!("lists are sorted by {wanted}, not by `{other}`")));
        }
    };
    let tags = ["filter", "pipeline_tag", "library", "tags"].into_iter().flat_map(|name| params.all(name));
    Ok(Query {
        kind: Some(kind),
        author: params.get("author").map(str::to_owned),
        search,
        tags: tags.map(str::to_owned).collect(),
        sort,
        is_descending: params.get("direction") != Some("1"),
        after: params.get("cursor").map(str::to_owned),
        limit: params.limit(PAGE),
    })
}
