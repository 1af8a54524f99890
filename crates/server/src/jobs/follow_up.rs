//! The job that a commit to `main` leaves behind: lists, searches and facts follow the branch's new head.
//!
//! It is queued in the commit's own transaction. Invariant: whenever the server died, what is shown of a
//! repository catches up with its head.

use store::db::ids::RepositoryId;

use super::{Task, read_id};
use crate::app::App;
use crate::error::Error;
use crate::ops::revisions;

pub const KIND: &str = "follow-up";

/// Following up the commits to a repository.
pub fn task(repository: RepositoryId) -> Task {
    Task::new(KIND, repository)
}

pub(super) async fn run(app: &App, payload: &str) -> Result<(), Error> {
    revisions::follow_up(app, read_id(payload)?).await
}
