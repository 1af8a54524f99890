//! The button by which people like a repository.

use std::sync::Arc;

use axum::Form;
use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;

use super::place::Place;
use super::visitor::Visitor;
use super::{Answer, Html, go_to};
use crate::app::App;
use crate::error::Error;
use crate::ops::likes;

#[derive(Deserialize)]
pub struct LikeForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    action: String,
}

/// `POST /{owner}/{name}/like`
pub async fn act(
    State(app): State<Arc<App>>,
    place: Place,
    visitor: Visitor,
    Form(form): Form<LikeForm>,
) -> Answer<Response, Html> {
    visitor.check_form(&form.csrf)?;
    match form.action.as_str() {
        "like" => likes::put(&app, &visitor.actor, place.kind, &place.name).await?,
        "unlike" => likes::delete(&app, &visitor.actor, place.kind, &place.name).await?,
        other => return Err(Error::BadRequest(format!("`{other}` is neither `like` nor `unlike`")).into()),
    }
    Ok(go_to(&format!("/{}{}", place.kind.web_prefix(), place.name)))
}
