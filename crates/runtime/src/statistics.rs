//! What was done, counted.
//!
//! Invariant: counters only grow; reading them disturbs nobody.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Counters of all streams together.
#[derive(Debug, Default)]
pub(crate) struct Statistics {
    n_answers: AtomicU64,
    n_failures: AtomicU64,
    n_calls: AtomicU64,
    n_rows: AtomicU64,
    busy_us: AtomicU64,
}

impl Statistics {
    pub(crate) fn count_call(&self, n_rows: usize, took: Duration) {
        self.n_calls.fetch_add(1, Ordering::Relaxed);
        self.n_rows.fetch_add(n_rows as u64, Ordering::Relaxed);
        self.busy_us.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn count_answer(&self) {
        self.n_answers.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn count_failure(&self) {
        self.n_failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes one line to the log.
    pub(crate) fn log(&self) {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (n_calls, n_rows) = (read(&self.n_calls), read(&self.n_rows));
        tracing::info!(
            n_answers = read(&self.n_answers),
            n_failures = read(&self.n_failures),
            n_calls,
            n_rows,
            rows_per_call = n_rows as f64 / n_calls.max(1) as f64,
            busy_us = read(&self.busy_us),
            "a stream has ended; counted so far",
        );
    }
}
