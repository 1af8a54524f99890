//! One revision that answers in this process: its runtimes, its queue, and how they are woken, swapped and ended.
//!
//! Knows no database: what to start it is told. Invariants: at most one runtime of a revision is being started
//! at a time; a request that is let in is counted until it ends, however it ends.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use store::clock;
use tokio::sync::Mutex;

use super::live::Live;
use super::rest::{Crashes, Rest};
use super::{Key, Service};
use crate::error::Error;

mod tend;

pub use tend::Need;
use tend::Tended;

/// How long after a failed start requests are refused at once, in milliseconds.
const RETRY_AFTER_MS: i64 = 5_000;
/// How long requests are held after a crash, in milliseconds; beyond that they are told to come again.
const HELD_MS: i64 = 2_000;

/// One revision that answers in this process.
#[derive(Debug)]
pub struct Slot {
    pub key: Key,
    pub service: Arc<Service>,
    replicas: ArcSwap<Vec<Arc<Live>>>,
    /// Held while a runtime is started; what the last start failed of, and when.
    starting: Mutex<Option<Failure>>,
    is_starting: AtomicBool,
    n_waiting: AtomicUsize,
    waiting_bytes: AtomicU64,
    last_used_ms: AtomicI64,
    crashes: Lock<Crashes>,
    tended: Tended,
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

impl Slot {
    pub(super) fn new(key: Key, service: Arc<Service>) -> Self {
        Self {
            key,
            service,
            replicas: ArcSwap::default(),
            starting: Mutex::default(),
            is_starting: AtomicBool::new(false),
            n_waiting: AtomicUsize::new(0),
            waiting_bytes: AtomicU64::new(0),
            last_used_ms: AtomicI64::new(clock::now_ms()),
            crashes: Lock::default(),
            tended: Tended::default(),
        }
    }

    /// The runtime that has least to do, if there is one that answers.
    pub fn live(&self) -> Option<Arc<Live>> {
        let replicas = self.replicas.load();
        match replicas.as_slice() {
            [] => None,
            [live] => (!live.has_ended()).then(|| Arc::clone(live)),
            several => {
                let standing = several.iter().filter(|live| !live.has_ended());
                standing.min_by_key(|live| live.n_under_way()).cloned()
            }
        }
    }

    /// Runtimes that answer.
    pub fn n_replicas(&self) -> usize {
        self.replicas.load().iter().filter(|live| !live.has_ended()).count()
    }

    /// Whether a runtime is being started right now.
    pub fn is_starting(&self) -> bool {
        self.is_starting.load(Ordering::Relaxed)
    }

    /// The pause after crashes that runs now, where no runtime answers.
    pub fn rest(&self) -> Option<Rest> {
        if self.live().is_some() {
            return None;
        }
        self.crashes.lock().unwrap_or_else(PoisonError::into_inner).rest(clock::now_ms())
    }

    /// Takes a place in the queue.
    pub fn enter(self: &Arc<Self>, n_bytes: u64) -> Result<Place, Error> {
        let n_before = self.n_waiting.fetch_add(1, Ordering::Relaxed);
        let bytes_before = self.waiting_bytes.fetch_add(n_bytes, Ordering::Relaxed);
        // From here on dropping the place undoes both.
        let place = Place { slot: Arc::clone(self), n_bytes };
        self.last_used_ms.store(clock::now_ms(), Ordering::Relaxed);
        let limits = self.service.limits();
        // A single request may be larger than the room, if it has the room to itself.
        let is_full =
            n_before >= limits.concurrency || (n_before > 0 && bytes_before + n_bytes > limits.queue_bytes);
        if is_full { Err(Error::Overloaded) } else { Ok(place) }
    }

    /// The runtime; starts one where there is none, once for all who wait. After crashes it waits, or says how long
    /// to wait.
    pub async fn wake<F>(&self, name: &str, start: impl FnOnce() -> F) -> Result<Arc<Live>, Error>
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
        // One that has just ended is seen here first.
        self.replicas.load().iter().filter(|live| live.has_ended()).for_each(|live| self.drop_if(live));
        if let Some(rest) = self.rest() {
            if rest.left_ms > HELD_MS {
                return Err(crashed(name, &rest));
            }
            tokio::time::sleep(Duration::from_millis(rest.left_ms.unsigned_abs())).await;
        }
        let live = self.fill(&mut last_failure, start).await?;
        self.replicas.store(Arc::new(vec![Arc::clone(&live)]));
        Ok(live)
    }

    /// Starts a runtime and puts it in the place of those there are, whose requests come to their end.
    pub async fn swap<F>(&self, start: impl FnOnce() -> F) -> Result<Arc<Live>, Error>
    where
        F: Future<Output = Result<Arc<Live>, Error>>,
    {
        let mut last_failure = self.starting.lock().await;
        self.crashes.lock().unwrap_or_else(PoisonError::into_inner).forgive();
        let live = self.fill(&mut last_failure, start).await?;
        self.replicas.store(Arc::new(vec![Arc::clone(&live)]));
        Ok(live)
    }

    /// Starts one more runtime beside those there are, if so many are not there yet.
    pub async fn grow<F>(&self, n_wanted: usize, start: impl FnOnce() -> F) -> Result<(), Error>
    where
        F: Future<Output = Result<Arc<Live>, Error>>,
    {
        let mut last_failure = self.starting.lock().await;
        if self.n_replicas() >= n_wanted {
            return Ok(());
        }
        let live = self.fill(&mut last_failure, start).await?;
        self.replicas.rcu(|replicas| {
            let mut more = Vec::clone(replicas);
            more.push(Arc::clone(&live));
            more
        });
        Ok(())
    }

    /// Lets go of this runtime, which was seen to have ended; the others stay.
    pub fn drop_if(&self, ended: &Arc<Live>) {
        let before = self.replicas.rcu(|replicas| {
            replicas.iter().filter(|live| !Arc::ptr_eq(live, ended)).cloned().collect::<Vec<_>>()
        });
        // Of all who see it end, one counts it.
        if before.iter().any(|live| Arc::ptr_eq(live, ended)) {
            let mut crashes = self.crashes.lock().unwrap_or_else(PoisonError::into_inner);
            crashes.note(ended.end(), ended.life_ms(), clock::now_ms());
        }
    }

    /// Ends the runtimes once their requests have come to their end.
    pub fn close(&self) {
        self.replicas.store(Arc::default());
        self.crashes.lock().unwrap_or_else(PoisonError::into_inner).forgive();
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

/// That an endpoint is not started again yet.
fn crashed(repository: &str, rest: &Rest) -> Error {
    Error::EndpointDown { repository: repository.to_owned(), state: "crashed", reason: rest.reason() }
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
