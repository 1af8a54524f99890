//! Downloads, counted in memory and written down together, so that reading costs no write.
//!
//! Invariant: a count waits at most [`DELAY`]; that much a crash may cost, since it is only a statistic.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::db::entries::{self, Listing};
use store::db::ids::{RepositoryId, TreeId};
use store::db::repositories::{self, Repository};

use crate::app::App;
use crate::error::{During, Error};

/// How long counts gather.
const DELAY: Duration = Duration::from_secs(1);
/// Trees whose counted file is remembered.
const KNOWN_TREES: u64 = 10_000;
/// What clients read before they read anything else.
const READ_FIRST: &[&str] = &[
    "config.json",
    "model_index.json",
    "adapter_config.json",
    "config.yaml",
    "hyperparams.yaml",
    "params.json",
    "meta.yaml",
    "reenact.toml",
];
/// What is there in most repositories and taken along with the rest.
const SAYS_LITTLE: &[&str] = &[".gitattributes", ".gitignore", "LICENSE", "README.md"];
/// Entries among which the counted file is looked for.
const LOOKED_AT: u32 = 100;

/// Counts that are not written down yet.
#[derive(Debug)]
pub struct Downloads {
    waiting: Mutex<BTreeMap<RepositoryId, i64>>,
    /// Which file counts in a tree that was asked for before.
    counted: moka::sync::Cache<TreeId, Option<Arc<str>>>,
}

impl Default for Downloads {
    fn default() -> Self {
        Self { waiting: Mutex::default(), counted: moka::sync::Cache::new(KNOWN_TREES) }
    }
}

impl Downloads {
    /// Adds one. True if nothing was waiting before, so that whoever added it sees to the writing.
    fn add(&self, repository: RepositoryId) -> bool {
        let mut counts = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = counts.is_empty();
        *counts.entry(repository).or_default() += 1;
        is_first
    }

    fn take(&self) -> Vec<(RepositoryId, i64)> {
        let mut counts = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *counts).into_iter().collect()
    }
}

/// Notes that a file of the repository was downloaded. Whoever takes a whole revision takes many files, of which one
/// stands for all: only that one counts.
pub async fn count_download(app: &Arc<App>, repository: &Repository, tree: TreeId, path: &str) {
    match counted_file(app, tree).await {
        Ok(counted) if counted.as_deref() != Some(path) => return,
        Ok(_) => {}
        Err(error) => {
            tracing::warn!(%error, "a download was not counted");
            return;
        }
    }
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

/// The file of a tree whose downloads count: the first of those that clients read before all others, or else the first
/// that says more than what the repository is about. A tree never changes, so neither does this.
async fn counted_file(app: &App, tree: TreeId) -> Result<Option<Arc<str>>, Error> {
    if let Some(known) = app.downloads.counted.get(&tree) {
        return Ok(known);
    }
    let known = entries::by_paths(&app.store.db, tree, READ_FIRST).await.during("find entries")?;
    let counted = match known.into_iter().find(|entry| !entry.is_folder()) {
        Some(entry) => Some(entry),
        None => {
            let listing = Listing { folder: "", is_recursive: true, after: None, limit: LOOKED_AT };
            let page = entries::list(&app.store.db, tree, &listing).await.during("list a tree")?;
            let mut files: Vec<_> = page.items.into_iter().filter(|entry| !entry.is_folder()).collect();
            // The order of paths stays, but for those that stand for the rest only where there is no rest.
            files.sort_by_key(|entry| SAYS_LITTLE.contains(&entry.path.as_str()));
            files.into_iter().next()
        }
    };
    let counted = counted.map(|entry| Arc::from(entry.path));
    app.downloads.counted.insert(tree, counted.clone());
    Ok(counted)
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
