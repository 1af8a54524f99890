//! Requests that were recorded because an endpoint's owner wanted it, for those who may change the endpoint.

use spec::api::Page;
use spec::name::{RepositoryKind, RepositoryName};
use store::clock;
use store::db::endpoints;
use store::db::endpoints::recorded::{self, Recorded};

use crate::app::App;
use crate::error::{During, Error};
use crate::ops::access::{Action, Actor};
use crate::ops::repositories;

/// How long they are kept.
const KEPT_MS: i64 = 30 * 24 * 3600 * 1000;

/// The recorded requests of an endpoint, newest first.
pub async fn list(
    app: &App,
    actor: &Actor,
    name: &RepositoryName,
    (after, limit): (Option<&str>, u32),
) -> Result<Page<Recorded>, Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Write).await?;
    let row = endpoints::by_repository(&app.store.db, repository.id).await.during("look up an endpoint")?;
    let row = row.ok_or_else(|| Error::EndpointNotFound(name.to_string()))?;
    let page = recorded::list(&app.store.db, row.id, after, limit).await;
    let page = page.during("list recorded requests")?;
    Ok(Page { items: page.items, next: page.next })
}

/// Forgets what is too old.
pub async fn clean_up(app: &App) -> Result<(), Error> {
    let before_ms = clock::now_ms() - KEPT_MS;
    recorded::delete_before(&app.store.db, before_ms).await.during("forget old requests").map(|_| ())
}
