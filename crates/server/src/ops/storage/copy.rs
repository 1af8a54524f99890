//! Stored bytes copied from one storage to another, and held where they are meanwhile.
//!
//! Knows no rows. Invariants: what counts as copied has its digest, and what counts as there its length; bytes that the
//! source has no more, or not as they were, are told and left out.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use serde::Serialize;
use spec::digest::Sha256;
use store::backups::Object;
use store::db::holds;
use store::{Blobs, Db, clock};

use crate::error::{During, Error};
use crate::secrets;

/// How long what is stored stays where whoever copies it was killed.
const HOLD_MS: i64 = 10 * 60 * 1000;
const RENEW: Duration = Duration::from_secs(60);
/// Objects on their way at once.
const AT_ONCE: usize = 4;
/// Stored files that are listed together.
const PAGE: u32 = 1000;

/// How a copy goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Begun { n_objects: usize, n_bytes: u64 },
    Copied { n_bytes: u64 },
    WasThere { n_bytes: u64 },
}

/// Whom the steps are told.
pub type Tell<'a> = &'a (dyn Fn(Step) + Sync);

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Copied {
    pub n_copied: u64,
    pub copied_bytes: u64,
    pub n_there: u64,
    pub there_bytes: u64,
    /// Stored bytes that rows name and that the source has no more, or not as they were.
    pub lost: BTreeMap<String, String>,
}

impl Copied {
    /// The names of what was lost.
    pub(super) fn lost_objects(&self) -> BTreeSet<Sha256> {
        self.lost.keys().filter_map(|name| name.parse().ok()).collect()
    }
}

/// Lets nothing of what is stored be collected while the work goes on.
pub(super) async fn held<T>(db: &Db, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let name = secrets::generate("copy-")?;
    let name = name.expose();
    hold(db, name).await?;
    let done = tokio::select! {
        done = work => done,
        error = renew(db, name) => Err(error),
    };
    let released = holds::release(db, name, clock::now_ms()).await.during("let go of what is stored");
    let done = done?;
    released.map(|()| done)
}

async fn renew(db: &Db, name: &str) -> Error {
    loop {
        tokio::time::sleep(RENEW).await;
        if let Err(error) = hold(db, name).await {
            return error;
        }
    }
}

async fn hold(db: &Db, name: &str) -> Result<(), Error> {
    let until_ms = clock::now_ms().saturating_add(HOLD_MS);
    holds::take(db, name, until_ms).await.during("hold what is stored")
}

/// How long each of these objects is; what is not there goes to what is lost.
pub(super) async fn measure(
    blobs: &Blobs,
    wanted: Vec<Sha256>,
    copied: &mut Copied,
) -> Result<Vec<Object>, Error> {
    let mut lengths = BTreeMap::new();
    let mut after: Option<String> = None;
    loop {
        let page = blobs.list(after.as_deref(), PAGE).await.during("list what is stored")?;
        lengths.extend(page.items.into_iter().map(|found| (found.sha256, found.n_bytes)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut objects = Vec::with_capacity(wanted.len());
    for sha256 in wanted {
        match lengths.get(&sha256) {
            Some(n_bytes) => objects.push(Object { sha256, n_bytes: *n_bytes }),
            None => drop(copied.lost.insert(sha256.to_string(), "it is not there".to_owned())),
        }
    }
    Ok(objects)
}

/// Copies what is not there yet.
pub(super) async fn copy(
    (from, to): (&Blobs, &Blobs),
    objects: &[Object],
    copied: &mut Copied,
    tell: Tell<'_>,
) -> Result<(), Error> {
    tell(Step::Begun {
        n_objects: objects.len(),
        n_bytes: objects.iter().map(|object| object.n_bytes).sum(),
    });
    let each = objects.iter().map(|object| copy_one(from, to, *object));
    let mut each = futures_util::stream::iter(each).buffer_unordered(AT_ONCE);
    while let Some((object, outcome)) = each.try_next().await? {
        let n_bytes = object.n_bytes;
        match outcome {
            Outcome::Copied => {
                copied.n_copied += 1;
                copied.copied_bytes += n_bytes;
                tell(Step::Copied { n_bytes });
            }
            Outcome::WasThere => {
                copied.n_there += 1;
                copied.there_bytes += n_bytes;
                tell(Step::WasThere { n_bytes });
            }
            Outcome::Lost { reason } => drop(copied.lost.insert(object.sha256.to_string(), reason)),
        }
    }
    Ok(())
}

enum Outcome {
    Copied,
    WasThere,
    Lost { reason: String },
}

async fn copy_one(from: &Blobs, to: &Blobs, object: Object) -> Result<(Object, Outcome), Error> {
    let Object { sha256, n_bytes } = object;
    if to.size(&sha256).await.during("look for bytes")? == Some(n_bytes) {
        return Ok((object, Outcome::WasThere));
    }
    match to.copy_from(from, &sha256).await {
        Ok(_) => Ok((object, Outcome::Copied)),
        Err(error @ (store::Error::NoBlob(_) | store::Error::Damaged { .. })) => {
            Ok((object, Outcome::Lost { reason: error.to_string() }))
        }
        Err(store::Error::StorageFull { .. }) => Err(Error::TargetFull),
        Err(source) => Err(Error::Store { operation: "copy what is stored", source }),
    }
}
