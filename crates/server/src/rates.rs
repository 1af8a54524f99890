//! How fast things may be tried and made: counted for a while in memory, never written down.
//!
//! Knows keys, not who or what they are. Invariant: what is refused here says when to come again; what nobody did for a
//! while is forgotten.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::error::Error;
use crate::settings::Settings;

/// Keys that are remembered at a time of each kind.
const KEYS: u64 = 100_000;

/// All that is counted.
#[derive(Debug)]
pub struct Rates {
    /// Attempts to sign in, by address and by account.
    pub sign_ins: Rate,
    /// Accounts that were made by themselves, by address.
    pub sign_ups: Rate,
    /// Tokens, links and invitations that are none, by address.
    pub guesses: Rate,
    /// Repositories, tokens, links and webhooks that were made, by account.
    pub makings: Rate,
}

impl Rates {
    pub fn new(settings: &Settings) -> Self {
        let minute = Duration::from_mins(1);
        Self {
            sign_ins: Rate::new("signing in", settings.sign_in_rate, minute),
            sign_ups: Rate::new("making accounts", settings.sign_up_rate, Duration::from_hours(1)),
            guesses: Rate::new("trying secrets", settings.guess_rate, minute),
            makings: Rate::new("making things", settings.making_rate, minute),
        }
    }
}

/// How often something may happen under one key.
#[derive(Debug)]
pub struct Rate {
    what: &'static str,
    /// None where there is no limit.
    quota: Option<Quota>,
    limiters: moka::sync::Cache<String, Arc<DefaultDirectRateLimiter>>,
}

impl Rate {
    /// `most` in a period, all at once or spread over it; 0 for no limit.
    fn new(what: &'static str, most: usize, period: Duration) -> Self {
        let most = NonZeroU32::new(u32::try_from(most).unwrap_or(u32::MAX));
        let quota = most.and_then(|most| Some(Quota::with_period(period / most.get())?.allow_burst(most)));
        // After that long all of the quota is there again, as for a key that was never seen.
        let limiters = moka::sync::Cache::builder().max_capacity(KEYS).time_to_idle(period).build();
        Self { what, quota, limiters }
    }

    /// Counts one more under this key, or refuses it.
    pub fn take(&self, key: &str) -> Result<(), Error> {
        let Some(quota) = self.quota else { return Ok(()) };
        let limiter = self.limiters.get_with_by_ref(key, || Arc::new(RateLimiter::direct(quota)));
        limiter.check().map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Error::TooFast { what: self.what, retry_s: wait.as_secs().saturating_add(1) }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_key_has_its_own_quota_and_a_refusal_says_when_to_come_again() {
        let rate = Rate::new("trying", 3, Duration::from_mins(1));
        for _ in 0..3 {
            rate.take("a").unwrap();
        }
        let Err(Error::TooFast { retry_s, .. }) = rate.take("a") else { panic!("a fourth was let pass") };
        assert!((1..=21).contains(&retry_s), "{retry_s}");
        rate.take("b").unwrap();
    }

    #[test]
    fn none_is_no_limit() {
        let rate = Rate::new("trying", 0, Duration::from_mins(1));
        assert!((0..1000).all(|_| rate.take("a").is_ok()));
    }
}
