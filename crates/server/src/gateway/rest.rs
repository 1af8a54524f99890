//! How long nobody starts a runtime again whose predecessors crashed one after the other.
//!
//! Pure but for the moments it is told. Invariants: the first crash costs nothing; a model that crashes again and
//! again is started ever more rarely; one that ran for a while begins anew.

use std::sync::{Arc, OnceLock};

/// How a process ended, once it has.
pub type End = Arc<OnceLock<String>>;

/// The pause after the second crash in a row; each further one doubles it.
const FIRST_PAUSE_MS: i64 = 1_000;
const LONGEST_PAUSE_MS: i64 = 60_000;
/// Whoever ran so long did not crash because it was started.
const HEALTHY_MS: i64 = 60_000;

/// The crashes of a model's runtimes.
#[derive(Debug, Default)]
pub(super) struct Crashes {
    /// In a row.
    n: u32,
    until_ms: i64,
    last: Option<End>,
}

/// A pause that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    pub n_crashes: u32,
    pub left_ms: i64,
    /// How the last runtime ended.
    pub how: String,
}

impl Crashes {
    /// A runtime that had run so long ended by itself.
    pub(super) fn note(&mut self, end: End, life_ms: i64, now_ms: i64) {
        self.n = if life_ms >= HEALTHY_MS { 1 } else { self.n.saturating_add(1) };
        let pause_ms = match self.n {
            0 | 1 => 0,
            n => FIRST_PAUSE_MS.saturating_mul(1 << (n - 2).min(16)).min(LONGEST_PAUSE_MS),
        };
        self.until_ms = now_ms.saturating_add(pause_ms);
        self.last = Some(end);
    }

    pub(super) fn rest(&self, now_ms: i64) -> Option<Rest> {
        let left_ms = self.until_ms - now_ms;
        let how = || self.last.as_ref().and_then(|end| end.get().cloned());
        (left_ms > 0).then(|| Rest {
            n_crashes: self.n,
            left_ms,
            how: how().unwrap_or_else(|| "its connection closed".to_owned()),
        })
    }

    /// Its owner deployed it again.
    pub(super) fn forgive(&mut self) {
        *self = Self::default();
    }
}

impl Rest {
    /// Why there is no answer now, in words.
    pub fn reason(&self) -> String {
        let seconds = (self.left_ms.max(0) + 999) / 1000;
        format!(
            "its runtime crashed {} times in a row ({}); it can be started again in {seconds} s",
            self.n_crashes, self.how
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_from_the_second_crash_on_and_are_bounded() {
        let mut crashes = Crashes::default();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            crashes.note(End::default(), 10, 0);
            pauses.push(crashes.rest(0).map_or(0, |rest| rest.left_ms));
        }
        assert_eq!(pauses, [0, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    }

    #[test]
    fn whoever_ran_for_a_while_begins_anew() {
        let mut crashes = Crashes::default();
        for _ in 0..5 {
            crashes.note(End::default(), 10, 0);
        }
        assert!(crashes.rest(0).unwrap().reason().contains("crashed 5 times"));
        crashes.note(End::default(), HEALTHY_MS, 100_000);
        assert_eq!(crashes.rest(100_000), None);
    }
}
