//! The job that starts an endpoint's runtime after a deploy.

use std::sync::Arc;

use store::db::ids::RepositoryId;

use super::{Task, read_id};
use crate::app::App;
use crate::error::Error;
use crate::ops::endpoints;

pub const KIND: &str = "start-endpoint";

/// Starting the endpoint of a repository.
pub fn task(repository: RepositoryId) -> Task {
    Task::new(KIND, repository)
}

pub(super) async fn run(app: &Arc<App>, payload: &str) -> Result<(), Error> {
    endpoints::start(app, read_id(payload)?).await
}
