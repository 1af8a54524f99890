//! The place where time enters.
//!
//! Refuses to know who asks. Rows hold the time that their writer was given, so that one request has one
//! time; nothing in this crate asks the clock by itself.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// Milliseconds since 1970-01-01 UTC.
pub fn now_ms() -> i64 {
    #[expect(clippy::disallowed_methods, reason = "this is the place where time enters")]
    let now = SystemTime::now();
    let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(AHEAD_MS.load(Ordering::Relaxed))
}

/// Puts the clock of this whole process forward, so that a test need not wait for what expires.
pub fn advance_ms(by_ms: i64) {
    AHEAD_MS.fetch_add(by_ms, Ordering::Relaxed);
}
