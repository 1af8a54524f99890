//! The job that starts a web app after somebody asked for it.

use std::sync::Arc;

use store::db::ids::RepositoryId;

use super::{Task, read_id};
use crate::app::App;
use crate::error::Error;
use crate::ops::apps;

pub const KIND: &str = "start-app";

/// Starting the app of a repository.
pub fn task(repository: RepositoryId) -> Task {
    Task::new(KIND, repository)
}

pub(super) async fn run(app: &Arc<App>, payload: &str) -> Result<(), Error> {
    apps::run_job(app, read_id(payload)?).await
}
