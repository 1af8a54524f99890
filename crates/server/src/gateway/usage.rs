//! What is counted of one repository's endpoint: by the minute for the last hour, by the hour until it is stored.
//!
//! Knows no clock and no database. Invariants: counting a request takes no lock; what was counted is told once to
//! whoever stores it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::db::endpoints::usage::N_BUCKETS;

/// Minutes that are remembered.
pub const MINUTES: usize = 60;
pub const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;
/// Up to which time a request is in the first bucket; each bound is four times the last.
const FIRST_BOUND_US: u64 = 100;

/// What was counted in some time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counted {
    pub n_requests: u64,
    pub n_errors: u64,
    pub n_cold_starts: u64,
    pub cpu_us: u64,
    /// Requests by how long they took.
    pub took: [u64; N_BUCKETS],
}

/// The counters, and what they were.
#[derive(Debug, Default)]
pub struct Usage {
    n_requests: AtomicU64,
    n_errors: AtomicU64,
    n_cold_starts: AtomicU64,
    cpu_us: AtomicU64,
    took: [AtomicU64; N_BUCKETS],
    past: Mutex<Past>,
}

#[derive(Debug, Default)]
struct Past {
    /// By when they began, oldest first; those in which nothing happened are left out.
    minutes: VecDeque<(i64, Counted)>,
    /// By when they began, what is not stored yet.
    hours: BTreeMap<i64, Counted>,
}

impl Usage {
    /// One request came to its end.
    pub fn predicted(&self, is_answered: bool, took: Duration) {
        self.n_requests.fetch_add(1, Ordering::Relaxed);
        if !is_answered {
            self.n_errors.fetch_add(1, Ordering::Relaxed);
        }
        self.took[bucket(took)].fetch_add(1, Ordering::Relaxed);
    }

    pub fn cold_start(&self) {
        self.n_cold_starts.fetch_add(1, Ordering::Relaxed);
    }

    /// Processes of this repository's runtimes computed so long.
    pub fn computed(&self, cpu: Duration) {
        self.cpu_us.fetch_add(u64::try_from(cpu.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Puts what was counted into the minute that began then and has just ended.
    pub fn end_minute(&self, began_ms: i64) {
        let take = |counter: &AtomicU64| counter.swap(0, Ordering::Relaxed);
        let counted = self.read(take);
        if counted == Counted::default() {
            return;
        }
        let mut past = self.past();
        let oldest_ms = began_ms - i64::try_from(MINUTES).unwrap_or(i64::MAX).saturating_mul(MINUTE_MS);
        while past.minutes.front().is_some_and(|(at_ms, _)| *at_ms <= oldest_ms) {
            past.minutes.pop_front();
        }
        if past.minutes.len() >= MINUTES {
            past.minutes.pop_front();
        }
        past.minutes.push_back((began_ms, counted));
        past.hours.entry(began_ms - began_ms.rem_euclid(HOUR_MS)).or_default().add(&counted);
    }

    /// The minutes since then in which anything was counted, oldest first; the last is the one that runs.
    pub fn minutes(&self, since_ms: i64, now_ms: i64) -> Vec<(i64, Counted)> {
        let running = self.read(|counter| counter.load(Ordering::Relaxed));
        let began_ms = now_ms - now_ms.rem_euclid(MINUTE_MS);
        let past = self.past();
        let ended = past.minutes.iter().filter(|(at_ms, _)| *at_ms >= since_ms && *at_ms < began_ms);
        ended.copied().chain([(began_ms, running)]).collect()
    }

    /// What is not stored yet, by hour, the running minute left out.
    pub fn unstored(&self) -> Vec<(i64, Counted)> {
        self.past().hours.iter().map(|(hour_ms, counted)| (*hour_ms, *counted)).collect()
    }

    /// Hands over what is to be stored.
    pub fn take_unstored(&self) -> Vec<(i64, Counted)> {
        std::mem::take(&mut self.past().hours).into_iter().collect()
    }

    /// Takes back what could not be stored.
    pub fn give_back(&self, hour_ms: i64, counted: &Counted) {
        self.past().hours.entry(hour_ms).or_default().add(counted);
    }

    fn read(&self, value: impl Fn(&AtomicU64) -> u64) -> Counted {
        Counted {
            n_requests: value(&self.n_requests),
            n_errors: value(&self.n_errors),
            n_cold_starts: value(&self.n_cold_starts),
            cpu_us: value(&self.cpu_us),
            took: std::array::from_fn(|i| value(&self.took[i])),
        }
    }

    fn past(&self) -> MutexGuard<'_, Past> {
        self.past.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    pub fn add(&mut self, more: &Self) {
        self.n_requests += more.n_requests;
        self.n_errors += more.n_errors;
        self.n_cold_starts += more.n_cold_starts;
        self.cpu_us += more.cpu_us;
        self.took.iter_mut().zip(more.took).for_each(|(n, more)| *n += more);
    }

    /// The time in seconds within which this part of the requests was answered, as closely as the buckets tell it;
    /// none without requests.
    pub fn quantile_s(&self, part: f64) -> Option<f64> {
        let n_all: u64 = self.took.iter().sum();
        if n_all == 0 {
            return None;
        }
        let rank = part * n_all as f64;
        let (mut n_below, mut lower_us) = (0_u64, 0.0);
        for (i, n) in self.took.iter().enumerate() {
            let upper_us = (FIRST_BOUND_US << (2 * i)) as f64;
            if *n > 0 && (n_below + n) as f64 >= rank {
                let within = (rank - n_below as f64) / *n as f64;
                return Some((lower_us + (upper_us - lower_us) * within) / 1e6);
            }
            n_below += n;
            lower_us = upper_us;
        }
        Some(lower_us / 1e6)
    }
}

fn bucket(took: Duration) -> usize {
    let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    (0..N_BUCKETS - 1).find(|i| us <= FIRST_BOUND_US << (2 * i)).unwrap_or(N_BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_minute_and_hour_and_handed_over_once() {
        let usage = Usage::default();
        usage.predicted(true, Duration::from_micros(90));
        usage.predicted(false, Duration::from_secs(1000));
        usage.end_minute(HOUR_MS + MINUTE_MS);
        usage.end_minute(HOUR_MS + 2 * MINUTE_MS);
        usage.cold_start();
        let minutes = usage.minutes(0, HOUR_MS + 3 * MINUTE_MS + 5);
        assert_eq!(minutes.len(), 2);
        assert_eq!((minutes[0].1.n_requests, minutes[0].1.n_errors, minutes[0].1.took[9]), (2, 1, 1));
        assert_eq!((minutes[1].0, minutes[1].1.n_cold_starts), (HOUR_MS + 3 * MINUTE_MS, 1));
        let hours = usage.take_unstored();
        assert_eq!((hours.len(), hours[0].0, hours[0].1.n_requests), (1, HOUR_MS, 2));
        assert!(usage.take_unstored().is_empty());
    }

    #[test]
    fn an_hour_of_minutes_is_kept() {
        let usage = Usage::default();
        for minute in 0..200 {
            usage.cold_start();
            usage.end_minute(minute * MINUTE_MS);
        }
        assert_eq!(usage.minutes(0, 200 * MINUTE_MS).len(), MINUTES + 1);
    }

    #[test]
    fn quantiles_lie_in_the_bucket_of_their_rank() {
        let mut counted = Counted::default();
        assert_eq!(counted.quantile_s(0.5), None);
        counted.took[1] = 99;
        counted.took[5] = 1;
        let (half, most) = (counted.quantile_s(0.5).unwrap(), counted.quantile_s(0.995).unwrap());
        assert!((0.0001..0.0004).contains(&half) && (0.0256..0.11).contains(&most), "{half} {most}");
    }
}
