//! The job that starts an endpoint's runtime after a deploy.

use std::sync::Arc;

use store::db::ids::RepositoryId;

use crate::app::App;
use crate::error::Error;
use crate::ops::endpoints;

pub const KIND: &str = "start-endpoint";

/// Has the endpoint of a repository started.
pub async fn enqueue(app: &App, repository: RepositoryId) -> Result<(), Error> {
    super::enqueue(app, KIND, &repository.to_string(), &repository).await
}

pub(super) async fn run(app: &Arc<App>, payload: &str) -> Result<(), Error> {
    let repository = serde_json::from_str(payload).map_err(|_| Error::Internal("read a job's payload"))?;
    endpoints::start(app, repository).await
}
