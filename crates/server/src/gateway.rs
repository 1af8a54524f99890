//! The way of a prediction from a door to a runtime and back: which runtime, waking it, counting, the queue.
//!
//! Knows processes and frames; nothing of HTTP, rights or JSON. Invariants: a request is never lost to a swap,
//! a crash or a sleeping runtime, it waits or is told why; an endpoint takes only so many at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use store::db::ids::{RepositoryId, RevisionId};

use crate::provider::Launcher;

pub mod link;
pub mod live;
pub mod metrics;
pub mod slot;

pub use live::{Live, Target};
pub use slot::Slot;

use metrics::Metrics;

/// What a slot's runtime answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The endpoint of a repository, at whatever revision it is deployed.
    Endpoint(RepositoryId),
    /// One revision for good, which links lead to.
    Pinned(RepositoryId, RevisionId),
}

impl Key {
    fn repository(self) -> RepositoryId {
        match self {
            Self::Endpoint(repository) | Self::Pinned(repository, _) => repository,
        }
    }
}

/// Everything that was asked for in this process.
#[derive(Debug)]
pub struct Gateway {
    slots: RwLock<BTreeMap<Key, Arc<Slot>>>,
    pub launcher: Launcher,
    pub metrics: Metrics,
}

impl Gateway {
    pub fn new(launcher: Launcher) -> Self {
        Self { slots: RwLock::default(), launcher, metrics: Metrics::new() }
    }

    /// The slot of this repository's endpoint; made when it is first asked for.
    pub fn slot(&self, id: RepositoryId) -> Arc<Slot> {
        self.slot_of(Key::Endpoint(id))
    }

    /// The slot of this key; made when it is first asked for.
    pub fn slot_of(&self, key: Key) -> Arc<Slot> {
        if let Some(slot) = self.slots.read().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(slot);
        }
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(key).or_insert_with(|| Arc::new(Slot::new(key))))
    }

    /// Ends every runtime of a repository that is gone.
    pub fn forget(&self, id: RepositoryId) {
        let mut slots = self.slots.write().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|key, slot| {
            let is_kept = key.repository() != id;
            if !is_kept {
                slot.close();
            }
            is_kept
        });
    }

    /// Ends every runtime that nobody asked for so long; returns whose endpoints they were.
    pub fn put_to_sleep(&self, idle_after: Duration) -> Vec<RepositoryId> {
        let slots: Vec<_> = self.all();
        let slept = slots.iter().filter(|slot| slot.sleep_if_idle(idle_after));
        slept
            .filter_map(|slot| match slot.key {
                Key::Endpoint(repository) => Some(repository),
                Key::Pinned(..) => None,
            })
            .collect()
    }

    /// Ends every runtime, as the server stops.
    pub fn close(&self) {
        self.all().iter().for_each(|slot| slot.close());
    }

    /// OpenMetrics text.
    pub fn metrics(&self) -> String {
        let n_live = self.all().iter().filter(|slot| slot.live().is_some()).count();
        self.metrics.text(n_live)
    }

    fn all(&self) -> Vec<Arc<Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }
}
