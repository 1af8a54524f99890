//! Events: who did what.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;
use spec::api::{Event, Page, Problem};

use super::{Api, PageQuery};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::identity::Asker;
use crate::ops::events::{self, Wanted};

/// Which events are asked for.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EventQuery {
    /// Who did it; for admins.
    #[serde(default)]
    actor: Option<String>,
    /// What it was done to, such as `alice/iris`.
    #[serde(default)]
    subject: Option<String>,
}

/// What was done to what by whom, newest first: all of it for admins, for others what they did themselves.
#[utoipa::path(get, path = "/api/v1/events", tag = "accounts", params(EventQuery, PageQuery),
    responses((status = 200, body = Page<Event>), (status = 401, body = Problem)))]
pub async fn list(
    State(app): State<Arc<App>>,
    Query(query): Query<EventQuery>,
    Query(page): Query<PageQuery>,
    asker: Asker<Api>,
) -> Answer<Json<Page<Event>>, Api> {
    let limit = page.limit();
    let wanted = Wanted { actor: query.actor, subject: query.subject, after: page.after, limit };
    Ok(Json(events::list(&app, &asker.actor, &wanted).await?))
}
