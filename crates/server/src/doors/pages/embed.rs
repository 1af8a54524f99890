//! The web app alone, for a frame in a page of another site.
//!
//! Knows nobody: a cookie is neither needed nor looked at, so that a page around it learns nothing of who looks.
//! Invariant: only what anybody may see, or whoever holds the link in its address, can be framed.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::response::Response;

use super::place::Place;
use super::visitor::Visitor;
use super::web_app::sent::Sent;
use super::web_app::{self, Around, answer, form};
use super::{Answer, Html, Shown, show};
use crate::app::App;
use crate::doors::address::Base;
use crate::error::Error;

/// What the routes of such pages end in.
pub(super) const ROUTE: &str = "/embed";

/// On a response that pages of other sites may show in a frame.
#[derive(Debug, Clone, Copy)]
pub struct Framed;

/// `/{owner}/{name}/embed`
pub async fn page(
    State(app): State<Arc<App>>,
    place: Place,
    Query(wanted): Query<web_app::Wanted>,
    base: Base,
) -> Shown {
    let nobody = Visitor::nobody();
    let (opened, tried) = web_app::open(&app, &nobody, &place).await?;
    let filled = form::Filled { example: wanted.example, ..form::Filled::default() };
    let around = alone(web_app::around(&app, &nobody, (&opened, &tried)).await?);
    show(&web_app::blank(&base, &tried, &filled, around)).map(framed)
}

/// `POST /{owner}/{name}/embed`: the form, filled in.
pub async fn predict(
    State(app): State<Arc<App>>,
    place: Place,
    base: Base,
    Sent(fields): Sent,
) -> Answer<Response, Html> {
    let nobody = Visitor::nobody();
    let filled = form::Filled::read(fields);
    let (opened, tried) = web_app::open(&app, &nobody, &place).await?;
    let around = alone(web_app::around(&app, &nobody, (&opened, &tried)).await?);
    let page = web_app::blank(&base, &tried, &filled, around);
    let asked = answer::Asked { app: &app, base: &base, tried: &tried };
    web_app::answered(&asked, &filled, page, keep_nothing).await.map(framed)
}

/// The same page without what stands around it.
pub(super) fn alone(mut around: Around) -> Around {
    around.frame.is_embedded = true;
    around.endpoint = None;
    around
}

/// An answer is shared from the web app's own page, where whoever shares it is known.
pub(super) async fn keep_nothing(_: &answer::Exchange) -> Result<Response, Error> {
    Err(Error::NotOffered("sharing an answer from within another page"))
}

/// Lets pages of other sites frame it.
pub(super) fn framed(mut response: Response) -> Response {
    response.extensions_mut().insert(Framed);
    response
}

/// What puts the web app at this address into another page.
pub(super) fn code(address: &str, title: &str) -> String {
    let title = title.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;");
    format!(
        "<iframe src=\"{address}\" title=\"{title}\" width=\"100%\" height=\"640\" style=\"border: 0\"></iframe>"
    )
}
