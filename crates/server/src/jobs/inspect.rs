//! The job that reads the files of a new revision.

use store::db::ids::RevisionId;

use crate::app::App;
use crate::error::Error;
use crate::ops::facts;

pub const KIND: &str = "inspect";

/// Has a revision's files read.
pub async fn enqueue(app: &App, revision: RevisionId) -> Result<(), Error> {
    super::enqueue(app, KIND, &revision.to_string(), &revision).await
}

pub(super) async fn run(app: &App, payload: &str) -> Result<(), Error> {
    let revision = serde_json::from_str(payload).map_err(|_| Error::Internal("read a job's payload"))?;
    match facts::ensure(app, revision).await {
        // The repository was deleted while its job waited.
        Err(Error::NotFound { .. }) => Ok(()),
        result => result.map(|_| ()),
    }
}
