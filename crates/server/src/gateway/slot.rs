//! One model that answers in this process: its runtime if it has one, its queue, and how it is woken and swapped.
//!
//! Knows no database: what to start it is told. Invariants: at most one runtime of an endpoint is being started
//! at a time; a request that is let in is counted until it ends, however it ends.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use store::clock;
use tokio::sync::Mutex;

use super::Key;
use super::live::Live;
use crate::error::Error;
use crate::provider::Log;

/// How long after a failed start requests are refused at once, in milliseconds.
const RETRY_AFTER_MS: i64 = 5_000;

/// One model that answers in this process.
#[derive(Debug)]
pub struct Slot {
    pub key: Key,
    pub log: Log,
    live: ArcSwapOption<Live>,
    /// Held while a runtime is started; what the last start failed of, and when.
    starting: Mutex<Option<Failure>>,
    is_starting: AtomicBool,
    n_waiting: AtomicUsize,
    waiting_bytes: AtomicU64,
    last_used_ms: AtomicI64,
}

/// What a start failed of.
#[derive(Debug)]
struct Failure {
    at_ms: i64,
    repository: String,
    reason: String,
}

/// A request's place in the queue, given back when dropped.
#[derive(Debug)]
pub struct Place {
    slot: Arc<Slot>,
    n_bytes: u64,
}

/// How many requests may wait.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    pub n_requests: usize,
    pub n_bytes: u64,
}

impl Slot {
    pub(super) fn new(key: Key) -> Self {
        Self {
            key,
            log: Log::default(),
            live: ArcSwapOption::empty(),
            starting: Mutex::default(),
            is_starting: AtomicBool::new(false),
            n_waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicU64::new(0),
            last_used_ms: AtomicI64::new(clock::now_ms()),
        }
    }

    /// The runtime, if there is one that answers.
    pub fn live(&self) -> Option<Arc<Live>> {
        self.live.load_full().filter(|live| !live.has_ended())
    }

    /// Whether a runtime is being started right now.
    pub fn is_starting(&self) -> bool {
        self.is_starting.load(Ordering::Relaxed)
    }

    /// Takes a place in the queue.
    pub fn enter(self: &Arc<Self>, n_bytes: u64, room: Room) -> Result<Place, Error> {
        let n_before = self.n_waiting.fetch_add(1, Ordering::Relaxed);
        let bytes_before = self.waiting_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        // From here on dropping the place undoes both.
        let place = Place { slot: Arc::clone(self), n_bytes };
        self.last_used_ms.store(clock::now_ms(), Ordering::Relaxed);
        // A single request may be larger than the room, if it has the room to itself.
        let is_full = n_before >= room.n_requests || (n_before > 0 && bytes_before + n_bytes > room.n_bytes);
        if is_full { Err(Error::Overloaded) } else { Ok(place) }
    }

    /// The runtime; starts one where there is none, once for all who wait.
    pub async fn wake<F>(&self, start: impl FnOnce() -> F) -> Result<Arc<Live>, Error>
    where
        F: Future<Output = Result<Arc<Live>, Error>>,
    {
        if let Some(live) = self.live() {
            return Ok(live);
        }
        let mut last_failure = self.starting.lock().await;
        if let Some(live) = self.live() {
            return Ok(live);
        }
        if let Some(failure) = &*last_failure
            && clock::now_ms() - failure.at_ms < RETRY_AFTER_MS
        {
            return Err(failed(&failure.repository, &failure.reason));
        }
        self.fill(&mut last_failure, start).await
    }

    /// Starts a runtime and puts it in the place of the one there is, whose requests come to their end.
    pub async fn swap<F>(&self, start: impl FnOnce() -> F) -> Result<Arc<Live>, Error>
    where
        F: Future<Output = Result<Arc<Live>, Error>>,
    {
        let mut last_failure = self.starting.lock().await;
        self.fill(&mut last_failure, start).await
    }

    /// Lets go of this runtime, which was seen to have ended; one that took its place stays.
    pub fn drop_if(&self, ended: &Arc<Live>) {
        self.live.rcu(|live| live.as_ref().filter(|live| !Arc::ptr_eq(live, ended)).cloned());
    }

    /// Ends the runtime once its requests have come to their end.
    pub fn close(&self) {
        self.live.store(None);
    }

    pub(super) fn sleep_if_idle(&self, idle_after: Duration) -> bool {
        let idle_ms = clock::now_ms() - self.last_used_ms.load(Ordering::Relaxed);
        let is_idle = u128::try_from(idle_ms).is_ok_and(|ms| ms >= idle_after.as_millis());
        if !is_idle || self.n_waiting.load(Ordering::Relaxed) > 0 || self.is_starting() {
            return false;
        }
        self.live.swap(None).is_some()
    }

    async fn fill<F>(
        &self,
        last_failure: &mut Option<Failure>,
        start: impl FnOnce() -> F,
    ) -> Result<Arc<Live>, Error>
    where
        F: Future<Output = Result<Arc<Live>, Error>>,
    {
        self.is_starting.store(true, Ordering::Relaxed);
        let _done = ResetOnDrop(&self.is_starting);
        match start().await {
            Ok(live) => {
                *last_failure = None;
                self.last_used_ms.store(clock::now_ms(), Ordering::Relaxed);
                self.live.store(Some(Arc::clone(&live)));
                Ok(live)
            }
            Err(error) => {
                if let Error::EndpointDown { repository, reason, .. } = &error {
                    let (at_ms, repository) = (clock::now_ms(), repository.clone());
                    *last_failure = Some(Failure { at_ms, repository, reason: reason.clone() });
                }
                Err(error)
            }
        }
    }
}

/// That an endpoint did not start.
pub fn failed(repository: &str, reason: &str) -> Error {
    Error::EndpointDown { repository: repository.to_owned(), state: "failed", reason: reason.to_owned() }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.slot.n_waiting.fetch_sub(1, Ordering::Relaxed);
        self.slot.waiting_bytes.fetch_sub(self.n_bytes, Ordering::Relaxed);
    }
}

struct ResetOnDrop<'a>(&'a AtomicBool);

impl Drop for ResetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
