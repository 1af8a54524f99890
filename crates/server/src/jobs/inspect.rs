//! The job that reads the files of a new revision.

use store::db::ids::RevisionId;

use super::{Task, read_id};
use crate::app::App;
use crate::error::Error;
use crate::ops::facts;

pub const KIND: &str = "inspect";

/// Reading a revision's files.
pub fn task(revision: RevisionId) -> Task {
    Task::new(KIND, revision)
}

pub(super) async fn run(app: &App, payload: &str) -> Result<(), Error> {
    match facts::ensure(app, read_id::<RevisionId>(payload)?).await {
        // The repository was deleted while its job waited.
        Err(Error::NotFound { .. }) => Ok(()),
        result => result.map(|_| ()),
    }
}
