//! `openapi.json` of an endpoint: what it takes and gives, for people and for programs that write clients.
//!
//! Knows addresses; what stands in a document says `predict::description`. Invariants: nothing is woken for it; by an
//! anonymous link it names nobody.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use spec::facts::Facts;

use super::{Infer, LINKED, Name};
use crate::app::App;
use crate::doors::Answer;
use crate::doors::address::Base;
use crate::doors::identity;
use crate::error::Error;
use crate::ops::access::Action;
use crate::ops::endpoints;
use crate::ops::facts;
use crate::ops::links::guard;
use crate::predict::description::{self, About};
use crate::secrets::Secret;

pub async fn document(
    State(app): State<Arc<App>>,
    Path(name): Path<Name>,
    base: Base,
    headers: HeaderMap,
) -> Answer<Response, Infer> {
    let document = match &name.link {
        Some(secret) => of_link(&app, secret, &base).await?,
        None => of_endpoint(&app, &name, &base, &headers).await?,
    };
    Ok(axum::Json(document).into_response())
}

async fn of_endpoint(app: &App, name: &Name, base: &Base, headers: &HeaderMap) -> Result<Value, Error> {
    let actor = identity::recognise(app, &Method::GET, headers).await?;
    let described = endpoints::get_for(app, &actor, &name.full().parse()?, Action::Predict).await?;
    let facts = facts::ensure(app, described.row.revision_id).await?;
    let about = About {
        title: &described.repository,
        version: &described.row.oid.to_string(),
        url: &base.endpoint(&described.repository),
        model: &described.row.repository_name,
        needs_token: described.row.is_private,
        schema: schema(&facts)?,
        offers: offers(&facts),
    };
    Ok(description::document(&about))
}

async fn of_link(app: &App, secret: &str, base: &Base) -> Result<Value, Error> {
    let guest = guard::admit(app, &Secret::new(secret.to_owned())).await?;
    let facts = guest.facts(facts::ensure(app, guest.link.revision_id).await?);
    let about = About {
        title: "A model under review",
        version: &guest.link.oid.to_string(),
        url: &base.link(secret),
        model: LINKED,
        needs_token: false,
        schema: schema(&facts)?,
        offers: offers(&facts),
    };
    Ok(description::document(&about))
}

fn schema(facts: &Facts) -> Result<&spec::schema::Schema, Error> {
    let none = || Error::NotFound { what: "schema of this model, or", name: "openapi.json".to_owned() };
    facts.schema.as_ref().ok_or_else(none)
}

fn offers(facts: &Facts) -> spec::facts::Offers {
    facts.python.as_ref().map(|python| python.offers).unwrap_or_default()
}
