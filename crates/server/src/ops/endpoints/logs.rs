//! What an endpoint's runtimes wrote: the last lines, and those that come.
//!
//! Knows no process. A log may quote what was sent, so only those read it who may change the endpoint. Invariants:
//! who follows it sees each line once; following ends with the server, and after a while by itself.

use std::time::Duration;

use spec::name::{RepositoryKind, RepositoryName};
use store::db::endpoints;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::start;
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::service::FollowerPlace;
use crate::ops::access::{Action, Actor};
use crate::ops::repositories;

/// How long a log is followed at most.
const LONGEST: Duration = Duration::from_secs(3600);

/// Somebody who follows a log.
#[derive(Debug)]
pub struct Follower {
    place: FollowerPlace,
    /// What was there before.
    first: Option<Vec<String>>,
    n_seen: u64,
    until: Instant,
    closing: CancellationToken,
}

/// What building its environment wrote, and the last lines that an endpoint's runtimes wrote.
pub async fn read(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Vec<String>, Error> {
    Ok(begin(app, actor, name).await?.0)
}

/// The same, and what is written from then on. [`Error::Overloaded`] if too many follow it already.
pub async fn follow(app: &App, actor: &Actor, name: &RepositoryName) -> Result<Follower, Error> {
    let (lines, n_seen, place) = begin(app, actor, name).await?;
    let place = place.ok_or(Error::Overloaded)?;
    let (until, closing) = (Instant::now() + LONGEST, app.closing.clone());
    Ok(Follower { place, first: Some(lines), n_seen, until, closing })
}

async fn begin(
    app: &App,
    actor: &Actor,
    name: &RepositoryName,
) -> Result<(Vec<String>, u64, Option<FollowerPlace>), Error> {
    let repository = repositories::get(app, actor, RepositoryKind::Model, name, Action::Write).await?;
    let row = endpoints::by_repository(&app.store.db, repository.id).await.during("look up an endpoint")?;
    let row = row.ok_or_else(|| Error::EndpointNotFound(name.to_string()))?;
    let mut lines = start::build_log(app, &row).await?;
    let service = app.gateway.service(repository.id);
    let (written, n_seen) = service.log.since(0);
    lines.extend(written);
    Ok((lines, n_seen, service.follow()))
}

impl Follower {
    /// The next lines; none at the end.
    pub async fn next(&mut self) -> Option<Vec<String>> {
        if let Some(first) = self.first.take().filter(|first| !first.is_empty()) {
            return Some(first);
        }
        tokio::select! {
            () = self.place.log().wait(self.n_seen) => {}
            () = self.closing.cancelled() => return None,
            () = tokio::time::sleep_until(self.until) => return None,
        }
        let (lines, n_seen) = self.place.log().since(self.n_seen);
        self.n_seen = n_seen;
        Some(lines)
    }
}
