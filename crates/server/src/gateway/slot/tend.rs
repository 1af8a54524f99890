//! What a slot needs when it is looked at: one more runtime, one less, none at all.
//!
//! Decides by counts alone and starts nothing. Invariants: a runtime that computes is never ended; one that is to be
//! kept awake does not sleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::time::Duration;

use store::clock;

use super::Slot;

/// Looks in a row at which requests waited, after which there is one more runtime.
const BUSY_LOOKS: u32 = 3;
/// How soon a revision that answers no longer goes to sleep.
const RETIRED_AFTER: Duration = Duration::from_secs(5);

/// What was seen at the looks before.
#[derive(Debug, Default)]
pub(super) struct Tended {
    n_busy_looks: AtomicU32,
    /// Since when one runtime less would do; 0 where it would not.
    spare_since_ms: AtomicI64,
    /// Whether its endpoint keeps it from sleeping.
    is_kept: AtomicBool,
    /// Whether its endpoint answers with other revisions now.
    is_retired: AtomicBool,
}

/// What came of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    Nothing,
    /// One more runtime than there are.
    Another {
        n_wanted: usize,
    },
    /// It went to sleep.
    Slept,
}

impl Slot {
    pub fn set_kept(&self, is_kept: bool) {
        self.tended.is_kept.store(is_kept, Ordering::Relaxed);
    }

    /// Its endpoint answers with other revisions now; it may sleep soon.
    pub fn retire(&self) {
        self.tended.is_retired.store(true, Ordering::Relaxed);
    }

    /// Its endpoint answers with it.
    pub fn recall(&self) {
        self.tended.is_retired.store(false, Ordering::Relaxed);
    }

    /// Counts what its runtimes computed.
    pub fn count_processor_time(&self) {
        for live in self.replicas.load().iter() {
            self.service.usage.computed(live.take_processor_time());
        }
    }

    /// Looks after it; to be called about every second.
    pub fn tend(&self) -> Need {
        let replicas = self.replicas.load_full();
        replicas.iter().filter(|live| live.has_ended()).for_each(|live| self.drop_if(live));
        let (n, limits) = (self.n_replicas(), self.service.limits());
        if n == 0 || self.is_starting() {
            return Need::Nothing;
        }
        let n_waiting = self.n_waiting.load(Ordering::Relaxed);
        let is_kept = self.tended.is_kept.load(Ordering::Relaxed);
        let n_least = if is_kept { limits.min_replicas } else { 0 };
        if n < n_least {
            return Need::Another { n_wanted: n_least };
        }
        if n_waiting > n * limits.n_workers && n < limits.max_replicas {
            if self.tended.n_busy_looks.fetch_add(1, Ordering::Relaxed) + 1 >= BUSY_LOOKS {
                self.tended.n_busy_looks.store(0, Ordering::Relaxed);
                return Need::Another { n_wanted: n + 1 };
            }
            return Need::Nothing;
        }
        self.tended.n_busy_looks.store(0, Ordering::Relaxed);
        if n > 1 && n > n_least {
            self.shrink((n, n_waiting), (limits.n_workers, limits.idle_after));
        }
        if n_least == 0 && self.sleep_if_idle(limits.idle_after) { Need::Slept } else { Need::Nothing }
    }

    /// Ends one runtime if the others would have done for so long.
    fn shrink(&self, (n, n_waiting): (usize, usize), (n_workers, after): (usize, Duration)) {
        let (since, now_ms) = (&self.tended.spare_since_ms, clock::now_ms());
        if n_waiting > (n - 1) * n_workers {
            return since.store(0, Ordering::Relaxed);
        }
        let since_ms = match since.load(Ordering::Relaxed) {
            0 => {
                since.store(now_ms, Ordering::Relaxed);
                now_ms
            }
            since_ms => since_ms,
        };
        if u128::try_from(now_ms - since_ms).is_ok_and(|ms| ms >= after.as_millis()) {
            since.store(0, Ordering::Relaxed);
            // Whoever asks it now keeps it until the answer is there.
            self.replicas.rcu(|replicas| {
                let n_kept = replicas.len().saturating_sub(1).max(1);
                replicas.iter().take(n_kept).cloned().collect::<Vec<_>>()
            });
        }
    }

    fn sleep_if_idle(&self, idle_after: Duration) -> bool {
        let is_retired = self.tended.is_retired.load(Ordering::Relaxed);
        let idle_after = if is_retired { idle_after.min(RETIRED_AFTER) } else { idle_after };
        let idle_ms = clock::now_ms() - self.last_used_ms.load(Ordering::Relaxed);
        let is_idle = u128::try_from(idle_ms).is_ok_and(|ms| ms >= idle_after.as_millis());
        if !is_idle || self.n_waiting.load(Ordering::Relaxed) > 0 {
            return false;
        }
        self.count_processor_time();
        self.tended.is_retired.store(false, Ordering::Relaxed);
        !self.replicas.swap(Arc::default()).is_empty()
    }
}
