//! The apps that run in this process: which is awake, who visits it, which sleeps so that another may run.
//!
//! Knows processes; nothing of HTTP, rights or files. Invariants: only so many run at a time; one that somebody visits is
//! not put to sleep for another; an app that crashes again and again is started ever more rarely.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::clock;
use store::db::ids::{RepositoryId, RevisionId};

use super::rest::{Crashes, Rest};
use crate::provider::Log;
use crate::provider::app::Process;

/// Most requests to one app that are under way at a time, streams included.
const VISITS: usize = 256;

/// Everything that was visited or started in this process.
#[derive(Debug)]
pub struct Apps {
    stages: Mutex<BTreeMap<RepositoryId, Arc<Stage>>>,
    /// Apps that may run at a time.
    n_places: usize,
}

/// The place of one repository's app, whether it runs or sleeps.
#[derive(Debug)]
pub struct Stage {
    pub repository: RepositoryId,
    pub log: Log,
    awake: Mutex<Awake>,
    /// Held while it is started, once for all who wait.
    starting: tokio::sync::Mutex<()>,
    is_starting: AtomicBool,
}

#[derive(Debug, Default)]
struct Awake {
    live: Option<Arc<Live>>,
    crashes: Crashes,
}

/// An app that answers.
#[derive(Debug)]
pub struct Live {
    pub revision: RevisionId,
    process: Process,
    n_visits: AtomicUsize,
    last_ms: AtomicI64,
    started_ms: i64,
}

/// Somebody whose request is under way.
#[derive(Debug)]
pub struct Visit(Arc<Live>);

/// Why there is none to visit.
#[derive(Debug)]
pub enum Closed<E> {
    /// As many apps run as may, and all are visited.
    Full,
    /// As many requests to it are under way as it takes.
    Busy,
    Resting(Rest),
    Start(E),
}

impl Apps {
    pub fn new(n_places: usize) -> Self {
        Self { stages: Mutex::default(), n_places }
    }

    /// The stage of a repository; made when it is first asked for.
    pub fn stage(&self, repository: RepositoryId) -> Arc<Stage> {
        Arc::clone(self.lock().entry(repository).or_insert_with(|| Arc::new(Stage::new(repository))))
    }

    /// Ends the app of a repository that is gone.
    pub fn forget(&self, repository: RepositoryId) {
        if let Some(stage) = self.lock().remove(&repository) {
            stage.close();
        }
    }

    /// Ends all, as the server stops.
    pub fn close(&self) {
        self.lock().values().for_each(|stage| stage.close());
    }

    /// Puts to sleep what nobody visited for so long.
    pub fn tend(&self, idle_after: Duration) {
        let stages: Vec<_> = self.lock().values().cloned().collect();
        let before_ms = clock::now_ms() - i64::try_from(idle_after.as_millis()).unwrap_or(i64::MAX);
        for stage in stages {
            if stage.live().is_some_and(|live| live.is_left_since(before_ms)) {
                stage.close();
            }
        }
    }

    /// Takes a place for this stage, which is starting from then on; puts another to sleep for it where that must be.
    /// False if there is none: all that run are visited.
    fn take_place(&self, own: &Stage) -> bool {
        // Held to the end, so that no two take the last place.
        let stages = self.lock();
        let others = || stages.values().filter(|stage| stage.repository != own.repository);
        let n_running = others().filter(|stage| stage.live().is_some() || stage.is_starting()).count();
        if n_running >= self.n_places {
            let awake = others().filter_map(|stage| Some((stage.live()?, stage)));
            let left = awake.filter(|(live, _)| live.n_visits.load(Ordering::Relaxed) == 0);
            let longest = left.min_by_key(|(live, _)| live.last_ms.load(Ordering::Relaxed));
            let Some((_, stage)) = longest.filter(|_| self.n_places > 0) else { return false };
            stage.log.voice().push("the app was put to sleep for another");
            stage.close();
        }
        own.is_starting.store(true, Ordering::Relaxed);
        true
    }

    /// Visits the app of a stage; starts it where it sleeps.
    pub async fn visit<E, F>(&self, stage: &Stage, start: impl FnOnce() -> F) -> Result<Visit, Closed<E>>
    where
        F: Future<Output = Result<Live, E>>,
    {
        if let Some(live) = stage.live() {
            return Visit::of(live);
        }
        let _turn = stage.starting.lock().await;
        if let Some(live) = stage.live() {
            return Visit::of(live);
        }
        if let Some(rest) = stage.rest() {
            return Err(Closed::Resting(rest));
        }
        if !self.take_place(stage) {
            return Err(Closed::Full);
        }
        let _done = ResetOnDrop(&stage.is_starting);
        let live = Arc::new(start().await.map_err(Closed::Start)?);
        stage.lock().live = Some(Arc::clone(&live));
        Visit::of(live)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RepositoryId, Arc<Stage>>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stage {
    fn new(repository: RepositoryId) -> Self {
        let (awake, starting) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { repository, log: Log::default(), awake, starting, is_starting: AtomicBool::new(false) }
    }

    /// The app, if it answers. One that has ended by itself is seen here, and its crash counted.
    pub fn live(&self) -> Option<Arc<Live>> {
        let mut awake = self.lock();
        let live = awake.live.as_ref()?;
        if live.process.end.get().is_none() {
            return Some(Arc::clone(live));
        }
        let (end, now_ms) = (Arc::clone(&live.process.end), clock::now_ms());
        let life_ms = now_ms - live.started_ms;
        awake.crashes.note(end, life_ms, now_ms);
        awake.live = None;
        None
    }

    pub fn is_starting(&self) -> bool {
        self.is_starting.load(Ordering::Relaxed)
    }

    /// The pause after crashes that runs now.
    pub fn rest(&self) -> Option<Rest> {
        if self.live().is_some() {
            return None;
        }
        self.lock().crashes.rest(clock::now_ms())
    }

    /// Ends the app, which may be woken again.
    pub fn close(&self) {
        let mut awake = self.lock();
        awake.crashes.forgive();
        if let Some(live) = awake.live.take() {
            // Whoever visits it holds it still, and would not let it go for hours.
            live.process.kill();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Awake> {
        self.awake.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    pub fn new(revision: RevisionId, process: Process) -> Self {
        let now_ms = clock::now_ms();
        let (n_visits, last_ms) = (AtomicUsize::new(0), AtomicI64::new(now_ms));
        Self { revision, process, n_visits, last_ms, started_ms: now_ms }
    }

    fn is_left_since(&self, before_ms: i64) -> bool {
        self.n_visits.load(Ordering::Relaxed) == 0 && self.last_ms.load(Ordering::Relaxed) < before_ms
    }
}

impl Visit {
    fn of<E>(live: Arc<Live>) -> Result<Self, Closed<E>> {
        let n_before = live.n_visits.fetch_add(1, Ordering::Relaxed);
        // From here on dropping it undoes that.
        let visit = Self(live);
        if n_before >= VISITS { Err(Closed::Busy) } else { Ok(visit) }
    }

    /// Where the app answers.
    pub fn socket(&self) -> &std::path::Path {
        &self.0.process.socket
    }

    /// Whether the app has ended, or does so within this time.
    pub async fn has_ended(&self, within: Duration) -> bool {
        tokio::time::timeout(within, self.0.process.ended()).await.is_ok()
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.0.last_ms.store(clock::now_ms(), Ordering::Relaxed);
        self.0.n_visits.fetch_sub(1, Ordering::Relaxed);
    }
}

struct ResetOnDrop<'a>(&'a AtomicBool);

impl Drop for ResetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}
