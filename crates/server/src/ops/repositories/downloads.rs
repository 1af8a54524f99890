//! Downloads, counted in memory and written down together, so that reading costs no write.
//!
//! Invariant: a count waits at most [`DELAY`]; that much a crash may cost, since it is only a statistic.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::db::ids::RepositoryId;
use store::db::repositories::{self, Repository};

use crate::app::App;

/// How long counts gather.
const DELAY: Duration = Duration::from_secs(1);

/// Counts that are not written down yet.
#[derive(Debug, Default)]
pub struct Downloads(Mutex<BTreeMap<RepositoryId, i64>>);

impl Downloads {
    /// Adds one. True if nothing was waiting before, so that whoever added it sees to the writing.
    fn add(&self, repository: RepositoryId) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = counts.is_empty();
        *counts.entry(repository).or_default() += 1;
        is_first
    }

    fn take(&self) -> Vec<(RepositoryId, i64)> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *counts).into_iter().collect()
    }
}

/// Notes that a file of the repository was downloaded.
pub fn count_download(app: &Arc<App>, repository: &Repository) {
    if app.downloads.add(repository.id) {
        let app_then = Arc::clone(app);
        app.background.spawn(async move {
            tokio::time::sleep(DELAY).await;
            let counts = app_then.downloads.take();
            if let Err(error) = repositories::add_downloads(&app_then.store.db, &counts).await {
                tracing::warn!(%error, n_repositories = counts.len(), "downloads were not counted");
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_gather_until_they_are_taken() {
        let downloads = Downloads::default();
        let (a, b) = (RepositoryId(1), RepositoryId(2));
        assert!(downloads.add(b) && !downloads.add(a) && !downloads.add(b));
        assert_eq!(downloads.take(), [(a, 1), (b, 2)]);
        assert!(downloads.take().is_empty() && downloads.add(a));
    }
}
