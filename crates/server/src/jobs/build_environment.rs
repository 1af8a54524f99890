//! The job that builds a Python environment.

use std::sync::Arc;

use spec::digest::Sha256;

use super::{Task, read_id};
use crate::app::App;
use crate::error::Error;
use crate::ops::environments;

pub const KIND: &str = "build-environment";

/// Building what has this digest.
pub fn task(wanted: &Sha256) -> Task {
    Task::new(KIND, wanted)
}

pub(super) async fn run(app: &Arc<App>, payload: &str) -> Result<(), Error> {
    environments::build(app, &read_id(payload)?).await
}
