//! What all runtimes of one repository share: their limits, their log, what is counted of them, whose turn it is.
//!
//! Knows no runtime. Invariant: nothing that a request reads here makes it wait for another.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use store::db::ids::RepositoryId;

use super::usage::Usage;
use crate::provider::Log;
use crate::settings::Settings;

/// Readers that may follow one log at a time.
const FOLLOWERS: usize = 16;
/// What a share of recorded requests is written in.
pub const MILLION: u64 = 1_000_000;

/// What one repository's runtimes may take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    pub min_replicas: usize,
    pub max_replicas: usize,
    /// Requests to one revision that may be under way at a time.
    pub concurrency: usize,
    /// Bytes of requests to one revision that may be under way at a time.
    pub queue_bytes: u64,
    pub request_timeout: Duration,
    pub load_timeout: Duration,
    pub idle_after: Duration,
    pub memory_bytes: u64,
    /// Of a million requests so many are recorded.
    pub log_sample: u64,
    /// Requests that one runtime computes at a time.
    pub n_workers: usize,
}

/// What all runtimes of one repository share.
#[derive(Debug)]
pub struct Service {
    pub repository: RepositoryId,
    pub log: Log,
    pub usage: Usage,
    limits: ArcSwap<Limits>,
    /// Counts requests, to deal them out.
    turn: AtomicU64,
    n_samples: AtomicU64,
    n_followers: AtomicUsize,
}

/// Somebody's place among those who follow a log, given back when dropped.
#[derive(Debug)]
pub struct FollowerPlace(Arc<Service>);

impl Limits {
    /// Those of whatever sets none of its own.
    pub fn of(settings: &Settings) -> Self {
        Self {
            min_replicas: 0,
            max_replicas: 1,
            concurrency: settings.queue,
            queue_bytes: settings.queue_bytes.0,
            request_timeout: settings.predict_timeout.0,
            load_timeout: settings.load_timeout.0,
            idle_after: settings.idle_after.0,
            memory_bytes: settings.runtime_memory.0,
            log_sample: 0,
            n_workers: settings.python_workers.max(1),
        }
    }
}

impl Service {
    pub(super) fn new(repository: RepositoryId, limits: Limits) -> Self {
        Self {
            repository,
            log: Log::default(),
            usage: Usage::default(),
            limits: ArcSwap::from_pointee(limits),
            turn: AtomicU64::new(0),
            n_samples: AtomicU64::new(0),
            n_followers: AtomicUsize::new(0),
        }
    }

    pub fn limits(&self) -> Guard<Arc<Limits>> {
        self.limits.load()
    }

    /// New limits; those of a runtime's process hold for the next one that is started.
    pub fn set_limits(&self, limits: Limits) {
        if **self.limits.load() != limits {
            self.limits.store(Arc::new(limits));
        }
    }

    /// The number of this request among those that are dealt out.
    pub fn next_turn(&self) -> u64 {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether this request is one of those to be recorded: spread evenly, never by chance.
    pub fn is_sampled(&self) -> bool {
        let sample = self.limits().log_sample;
        if sample == 0 {
            return false;
        }
        let n = self.n_samples.fetch_add(1, Ordering::Relaxed);
        let due = |n: u64| u128::from(n) * u128::from(sample) / u128::from(MILLION);
        due(n.wrapping_add(1)) > due(n)
    }

    /// A place among those who follow the log; none if there are too many.
    pub fn follow(self: &Arc<Self>) -> Option<FollowerPlace> {
        let n_before = self.n_followers.fetch_add(1, Ordering::Relaxed);
        // Dropping the place undoes the count.
        let place = FollowerPlace(Arc::clone(self));
        (n_before < FOLLOWERS).then_some(place)
    }
}

impl FollowerPlace {
    pub fn log(&self) -> &Log {
        &self.0.log
    }
}

impl Drop for FollowerPlace {
    fn drop(&mut self) {
        self.0.n_followers.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn samples_are_spread_evenly() {
        let settings = Settings::load(&BTreeMap::new(), |_| None, None).unwrap();
        let service = Service::new(RepositoryId(1), Limits { log_sample: 250_000, ..Limits::of(&settings) });
        let sampled: Vec<bool> = (0..8).map(|_| service.is_sampled()).collect();
        assert_eq!(sampled, [false, false, false, true, false, false, false, true]);
        service.set_limits(Limits::of(&settings));
        assert!(!(0..8).any(|_| service.is_sampled()));
    }
}
