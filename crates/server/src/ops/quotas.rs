//! Quotas: how much the repositories of an account may hold.
//!
//! Knows nothing of how files are kept. Invariant: a file counts in full for every repository that has it in a commit, and
//! once for each, so that what others push or delete changes nobody's count.

use std::collections::BTreeMap;

use spec::digest::Sha256;
use store::db::chunked_files;
use store::db::ids::{AccountId, RepositoryId};
use store::db::storage;

use crate::app::App;
use crate::error::{During, Error};

/// What an account's repositories hold, and may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    pub used_bytes: u64,
    /// `None` where there is no limit.
    pub quota_bytes: Option<u64>,
}

pub async fn usage(app: &App, owner: AccountId) -> Result<Usage, Error> {
    let used = storage::bytes_of(&app.store.db, owner).await.during("count what an account has")?;
    let quota_bytes = Some(app.settings.account_quota.0).filter(|quota| *quota > 0);
    Ok(Usage { used_bytes: u64::try_from(used).unwrap_or(0), quota_bytes })
}

/// [`Error::QuotaUsedUp`] where there is no room for so many bytes more.
pub async fn check(app: &App, owner: AccountId, n_bytes: u64) -> Result<(), Error> {
    if app.settings.account_quota.0 == 0 {
        return Ok(());
    }
    let Usage { used_bytes, quota_bytes } = usage(app, owner).await?;
    match quota_bytes {
        Some(quota) if used_bytes.saturating_add(n_bytes) > quota => {
            Err(Error::QuotaUsedUp { used_bytes, n_bytes, quota_bytes: quota })
        }
        _ => Ok(()),
    }
}

/// The same for files that are about to be committed, of which the repository may have some already.
pub async fn check_files(
    app: &App,
    (owner, repository): (AccountId, RepositoryId),
    files: &BTreeMap<Sha256, u64>,
) -> Result<(), Error> {
    if app.settings.account_quota.0 == 0 {
        return Ok(());
    }
    let digests: Vec<Sha256> = files.keys().copied().collect();
    let there = chunked_files::in_repository(&app.store.db, repository, &digests).await;
    let there: BTreeMap<Sha256, _> = there.during("find files of chunks")?.into_iter().collect();
    let new = files.iter().filter(|(sha256, _)| !there.contains_key(sha256)).map(|(_, n_bytes)| n_bytes);
    check(app, owner, new.fold(0, |sum, n_bytes| sum.saturating_add(*n_bytes))).await
}
