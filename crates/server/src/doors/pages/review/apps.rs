//! The app beside a model, for whoever holds a link that opens it.
//!
//! Invariant: of the app no more is told than whether it can be visited; what it shows itself stands in a frame, in an origin
//! of its own.

use std::sync::Arc;

use axum::extract::{Path, State};
use spec::api::EndpointState;

use super::{Place, open};
use crate::app::App;
use crate::doors::apps::ROOT;
use crate::doors::pages::views::apps::{AppBox, AppPage};
use crate::doors::pages::{Shown, show};
use crate::error::Error;
use crate::ops::apps;

/// `/r/{link}/app`
pub async fn page(State(app): State<Arc<App>>, Path(place): Path<Place>) -> Shown {
    let opened = open(&app, &place).await?;
    if !opened.guest.link.has_app {
        return Err(Error::PageNotFound(format!("{}/app", opened.path)).into());
    }
    let found = apps::issue_by_link(&app, &opened.guest.link).await?;
    let kind = opened.facts.app.as_ref().map(|facts| facts.sdk.title()).unwrap_or_default();
    let mut page = AppPage {
        frame: opened.frame(),
        head: opened.head(&app, "App").await?,
        app: AppBox { kind, is_newest: true, ..AppBox::default() },
        address: None,
        updated: None,
        lines: Vec::new(),
    };
    if let Some((described, key)) = found {
        page.app.state = described.state.as_str();
        let is_there = matches!(described.state, EndpointState::Ready | EndpointState::Idle);
        page.address = is_there.then(|| format!("{ROOT}/{key}/"));
    }
    show(&page)
}
