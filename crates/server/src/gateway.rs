//! The way of a prediction from a door to a runtime and back: which runtime, waking it, counting, the queue.
//!
//! Knows processes and frames; nothing of HTTP, rights or JSON. Invariants: a request is never lost to a swap,
//! a crash or a sleeping runtime, it waits or is told why; an endpoint takes only so many at a time.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use store::db::ids::{RepositoryId, RevisionId};

use crate::provider::Launcher;
use crate::settings::Settings;

pub mod link;
pub mod live;
pub mod metrics;
pub mod rest;
pub mod service;
pub mod slot;
pub mod usage;

pub use live::{Live, Target};
pub use service::{Limits, Service};
pub use slot::Slot;

use metrics::{Metrics, States};

/// What a slot's runtimes answer for: one revision of a repository, whoever asks it by whichever way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub repository: RepositoryId,
    pub revision: RevisionId,
}

/// Everything that was asked for in this process.
#[derive(Debug)]
pub struct Gateway {
    known: RwLock<Known>,
    pub launcher: Launcher,
    pub metrics: Metrics,
    /// The limits of whatever sets none of its own.
    defaults: Limits,
}

#[derive(Debug, Default)]
struct Known {
    slots: BTreeMap<Key, Arc<Slot>>,
    services: BTreeMap<RepositoryId, Arc<Service>>,
}

impl Gateway {
    pub fn new(launcher: Launcher, settings: &Settings) -> Self {
        let defaults = Limits::of(settings);
        Self { known: RwLock::default(), launcher, metrics: Metrics::new(), defaults }
    }

    /// The slot of this revision; made when it is first asked for.
    pub fn slot(&self, key: Key) -> Arc<Slot> {
        if let Some(slot) = self.known.read().unwrap_or_else(PoisonError::into_inner).slots.get(&key) {
            return Arc::clone(slot);
        }
        let service = self.service(key.repository);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.slots.entry(key).or_insert_with(|| Arc::new(Slot::new(key, service))))
    }

    /// What all revisions of a repository share; made when it is first asked for.
    pub fn service(&self, id: RepositoryId) -> Arc<Service> {
        if let Some(service) = self.known.read().unwrap_or_else(PoisonError::into_inner).services.get(&id) {
            return Arc::clone(service);
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let make = || Arc::new(Service::new(id, self.defaults.clone()));
        Arc::clone(known.services.entry(id).or_insert_with(make))
    }

    /// Ends every runtime of a repository that is gone.
    pub fn forget(&self, id: RepositoryId) {
        self.forget_runtimes(id);
        self.known.write().unwrap_or_else(PoisonError::into_inner).services.remove(&id);
    }

    /// Ends every runtime of a repository, which may be started anew. What was counted and logged of it stays.
    pub fn forget_runtimes(&self, id: RepositoryId) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.slots.retain(|key, slot| {
            let is_kept = key.repository != id;
            if !is_kept {
                slot.close();
            }
            is_kept
        });
    }

    /// Ends every runtime of a repository, which may be woken again.
    pub fn close_all_of(&self, id: RepositoryId) {
        self.slots().iter().filter(|slot| slot.key.repository == id).for_each(|slot| slot.close());
    }

    /// Ends every runtime, as the server stops.
    pub fn close(&self) {
        self.slots().iter().for_each(|slot| slot.close());
    }

    /// OpenMetrics text.
    pub fn metrics(&self) -> String {
        let mut states = States::default();
        for slot in self.slots() {
            let n_replicas = slot.n_replicas();
            states.n_runtimes += n_replicas;
            let count = match () {
                () if n_replicas > 0 => &mut states.n_live,
                () if slot.is_starting() => &mut states.n_starting,
                () if slot.rest().is_some() => &mut states.n_crashed,
                () => &mut states.n_asleep,
            };
            *count += 1;
        }
        self.metrics.text(&states)
    }

    /// All slots, by repository and revision.
    pub fn slots(&self) -> Vec<Arc<Slot>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).slots.values().cloned().collect()
    }

    /// All services, by repository.
    pub fn services(&self) -> Vec<Arc<Service>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).services.values().cloned().collect()
    }
}
