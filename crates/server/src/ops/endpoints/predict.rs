//! Asking an endpoint.
//!
//! Invariants: rights are checked, and a place in the queue taken, before anything is woken or parsed; a
//! request that meets a runtime's sudden end is asked again of the next one, once.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use spec::frame::{Answer, FailureCode, IndexedTensor, Method};
use spec::name::{RepositoryKind, RepositoryName};
use store::db::endpoints;
use store::db::ids::{AccountId, RepositoryId};
use store::db::repositories;

use super::options;
use super::record::{self, Asked, Outcome};
use super::start::{self, Pinned, wake};
use super::targets::{self, Choice, KnownTarget, Traffic};
use super::{FullName, UNTOLD};
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::link::Broken;
use crate::gateway::live::Names;
use crate::gateway::slot::{self, Place};
use crate::gateway::{Key, Live, Slot};
use crate::ops::access::{self, Action, Actor, Subject};
use crate::ops::links::{Guest, guard, watch};
use crate::predict::blunt::Blunt;
use crate::predict::rows::Rows;
use crate::predict::{answers, media};

pub mod stream;

/// How a request is counted that got what it asked for.
const ANSWERED: &str = "answered";
/// The same of an answer in pieces whose reader went away before its end.
const LEFT: &str = "left";

/// What decides whether somebody may ask an endpoint, remembered for a moment.
#[derive(Debug)]
pub struct KnownEndpoint {
    pub repository: RepositoryId,
    /// `owner/name` as its owner writes it.
    pub name: String,
    owner: AccountId,
    is_private: bool,
    is_stopped: bool,
    /// None if it was never deployed.
    traffic: Option<Traffic>,
}

/// Endpoints by lower-case `owner/name`, for so long as a change by another process may stay unseen.
#[derive(Debug)]
pub struct KnownEndpoints(moka::sync::Cache<String, Arc<KnownEndpoint>>);

impl Default for KnownEndpoints {
    fn default() -> Self {
        let lifetime = Duration::from_secs(2);
        Self(moka::sync::Cache::builder().max_capacity(10_000).time_to_live(lifetime).build())
    }
}

impl KnownEndpoints {
    /// Forgets an endpoint whose facts have changed.
    pub fn forget(&self, name: &str) {
        self.0.invalidate(&name.to_ascii_lowercase());
    }
}

/// An endpoint that somebody may ask, with a place in its queue.
#[derive(Debug)]
pub struct Open {
    pub live: Arc<Live>,
    source: Source,
    slot: Arc<Slot>,
    _place: Place,
    began: Instant,
    /// How long whoever asks waits, where that is less than everybody may.
    patience: Option<Duration>,
}

/// What is asked, and on whose behalf.
#[derive(Debug, Clone)]
enum Source {
    Endpoint(Arc<KnownEndpoint>),
    Link(Arc<Guest>),
}

/// What a model answered.
#[derive(Debug)]
pub struct Predicted {
    /// The runtime that answered; its schema is the one to read the tensors by.
    pub live: Arc<Live>,
    pub answer: Answer,
    is_anonymous: bool,
}

impl Open {
    /// What names the model to whoever asks.
    pub fn names(&self) -> &Names {
        self.live.names(self.source.is_anonymous())
    }

    /// `owner/name` of what is asked, where whoever asks may know it.
    pub fn repository(&self) -> Option<String> {
        match &self.source {
            Source::Endpoint(_) => Some(self.live.target.repository.clone()),
            Source::Link(guest) if guest.identity.is_some() => None,
            Source::Link(guest) => Some(link_name(guest)),
        }
    }

    /// How much answers tell.
    pub fn blunt(&self) -> Blunt {
        match &self.source {
            Source::Endpoint(_) => Blunt::default(),
            Source::Link(guest) => guest.blunt(),
        }
    }

    /// For somebody who waits so long and no longer.
    #[must_use]
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = Some(patience.saturating_sub(self.began.elapsed()));
        self
    }

    /// Whether this request is one of those that are recorded. What comes by a link never is.
    fn is_sampled(&self) -> bool {
        matches!(self.source, Source::Endpoint(_)) && self.slot.service.is_sampled()
    }

    fn limit(&self) -> Duration {
        let limit = self.slot.service.limits().request_timeout;
        self.patience.map_or(limit, |patience| patience.min(limit))
    }
}

impl Predicted {
    /// What names the model to whoever asked.
    pub fn names(&self) -> &Names {
        self.live.names(self.is_anonymous)
    }

    /// How much there is to write.
    pub fn n_bytes(&self) -> usize {
        self.answer.tensors.iter().map(|tensor| tensor.data.len()).sum()
    }
}

impl Source {
    fn is_anonymous(&self) -> bool {
        matches!(self, Self::Link(guest) if guest.identity.is_some())
    }

    /// An error as whoever asks may read it.
    fn told(&self, error: Error) -> Error {
        match self {
            Self::Endpoint(_) => error,
            Self::Link(guest) => discreet_to_guest(error, guest),
        }
    }
}

/// One answer for people, from rows as people write them.
#[derive(Debug)]
pub struct Told {
    pub predictions: Vec<Value>,
    pub probabilities: Vec<Vec<f64>>,
    pub live: Arc<Live>,
    /// From the request's arrival to its answer.
    pub took: Duration,
}

/// Opens an endpoint for one request of so many bytes; wakes the target that is to answer if it sleeps.
pub async fn open(
    app: &Arc<App>,
    actor: &Actor,
    name: &str,
    (n_bytes, choice): (u64, Choice<'_>),
) -> Result<Open, Error> {
    let began = Instant::now();
    let known = known(app, name).await?;
    let (id, owner, is_private) = (known.repository, known.owner, known.is_private);
    let granted = access::granted(app, actor, id, owner).await?;
    let subject = Subject { name, id, owner, is_private, granted };
    access::check(actor, Action::Predict, &subject)?;
    let Some(traffic) = &known.traffic else { return Err(Error::EndpointNotFound(known.name.clone())) };
    if known.is_stopped {
        return Err(start::stopped(&known.name));
    }
    let KnownTarget { slot, .. } = traffic.draw(choice)?;
    let slot = Arc::clone(slot);
    let place = slot.enter(n_bytes).inspect_err(|_| count(app, &slot, ("overloaded", began)))?;
    let source = Source::Endpoint(Arc::clone(&known));
    let live = match slot.live() {
        Some(live) => live,
        None => {
            let woken = wake_apart(app, (&source, &slot)).await;
            woken.map_err(|error| discreet(error, actor, &subject)).inspect_err(|error| {
                count(app, &slot, (error.entry().name, began));
            })?
        }
    };
    Ok(Open { live, source, slot, _place: place, began, patience: None })
}

/// Opens what a link leads to, for one request of so many bytes; wakes it if it sleeps.
pub async fn open_link(app: &Arc<App>, guest: &Arc<Guest>, n_bytes: u64) -> Result<Open, Error> {
    let began = Instant::now();
    let key = Key { repository: guest.link.repository_id, revision: guest.link.revision_id };
    let slot = app.gateway.slot(key);
    let place = slot.enter(n_bytes)?;
    let source = Source::Link(Arc::clone(guest));
    let live = match slot.live() {
        Some(live) => live,
        None => wake_apart(app, (&source, &slot)).await?,
    };
    Ok(Open { live, source, slot, _place: place, began, patience: None })
}

/// What a guest is told: not why, and not whose it is if that is hidden. What a model writes may tell.
fn discreet_to_guest(error: Error, guest: &Guest) -> Error {
    let name = match guest.identity {
        Some(_) => "the model".to_owned(),
        None => link_name(guest),
    };
    match error {
        Error::EndpointDown { state: "failed", .. } => slot::failed(&name, UNTOLD),
        Error::NotServable { reason, .. } => {
            Error::NotServable { repository: name, reason: guest.shown(&reason) }
        }
        Error::EndpointDown { state, reason, .. } => {
            Error::EndpointDown { repository: name, state, reason: guest.shown(&reason) }
        }
        Error::BadInput(reason) => Error::BadInput(guest.shown(&reason)),
        Error::Model(reason) => Error::Model(guest.shown(&reason)),
        other => other,
    }
}

fn link_name(guest: &Guest) -> String {
    format!("{}/{}", guest.link.owner_name, guest.link.repository_name)
}

/// Why a model did not start is for its owner; everybody else is told that it did not.
fn discreet(error: Error, actor: &Actor, subject: &Subject<'_>) -> Error {
    match error {
        Error::EndpointDown { repository, state: "failed", .. }
            if access::check(actor, Action::Write, subject).is_err() =>
        {
            slot::failed(&repository, UNTOLD)
        }
        other => other,
    }
}

/// Asks.
pub async fn infer(app: &Arc<App>, open: &Open, tensors: &[IndexedTensor]) -> Result<Predicted, Error> {
    let outcome = whole(app, open, Method::Predict, tensors).await;
    if open.is_sampled() {
        let (live, outcome) = match &outcome {
            Ok(predicted) => (&*predicted.live, Outcome::Tensors(&predicted.answer.tensors)),
            Err(error) => (&*open.live, Outcome::Failed(error)),
        };
        let took = open.began.elapsed();
        record::note(app, &open.slot.service, &Asked { live, tensors, outcome, took });
    }
    let mut predicted = outcome?;
    open.blunt().apply(&predicted.live.schema, &mut predicted.answer.tensors);
    Ok(predicted)
}

/// Asks why a model's outputs for these rows are what they are: one explanation a row, in its one output.
pub async fn explain(app: &Arc<App>, open: &Open, tensors: &[IndexedTensor]) -> Result<Predicted, Error> {
    if !open.live.offers().explains {
        return Err(Error::NotOffered("explanations"));
    }
    if open.blunt() != Blunt::default() {
        // They tell more than the answers that this link rounds or leaves out.
        return Err(Error::NotOffered("explanations by this link"));
    }
    whole(app, open, Method::Explain, tensors).await
}

/// Asks for an answer that comes at once.
async fn whole(
    app: &Arc<App>,
    open: &Open,
    method: Method,
    tensors: &[IndexedTensor],
) -> Result<Predicted, Error> {
    let predicted = counted(app, open, tensors, ask(app, open, method, tensors)).await?;
    note(app, open, ANSWERED);
    Ok(predicted)
}

/// What every request has to pass: its files are looked at, a link's rows are counted, and an answer, or the first piece
/// of one, comes in time or not at all. Only an answer's end is left to be noted.
async fn counted<T>(
    app: &Arc<App>,
    open: &Open,
    tensors: &[IndexedTensor],
    asking: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let limit = open.limit();
    media::check(&open.live.schema, tensors)?;
    let n_rows = tensors.iter().map(IndexedTensor::n_rows).max().unwrap_or(1);
    let taken = match &open.source {
        Source::Link(guest) => Some((guest, guard::take(app, guest, n_rows).await?)),
        Source::Endpoint(_) => None,
    };
    let outcome = match tokio::time::timeout(limit, asking).await {
        Ok(outcome) => outcome.map_err(|error| open.source.told(error)),
        Err(_) => Err(Error::PredictTimeout(format!("{limit:?}"))),
    };
    match (&outcome, taken) {
        (Ok(_), Some((guest, taken))) => {
            taken.keep();
            watch::note(app, guest, tensors, n_rows).await;
        }
        (Err(_), Some((_, taken))) => taken.give_back().await,
        (_, None) => {}
    }
    outcome.inspect_err(|error| note(app, open, error.entry().name))
}

/// Counts how a request ended.
fn note(app: &App, open: &Open, outcome: &'static str) {
    count(app, &open.slot, (outcome, open.began));
}

/// Counts a request that came to its end.
fn count(app: &App, slot: &Slot, (outcome, began): (&'static str, Instant)) {
    let took = began.elapsed();
    app.gateway.metrics.predicted(outcome, took);
    slot.service.usage.predicted(matches!(outcome, ANSWERED | LEFT), took);
}

/// Asks with rows of texts, as a form or a line of CSV has them.
pub async fn infer_texts(app: &Arc<App>, open: &Open, rows: &[Vec<String>]) -> Result<Told, Error> {
    let plan = open.live.plan.as_ref();
    let plan = plan.ok_or_else(|| Error::BadInput("this model takes tensors, not rows".to_owned()))?;
    let mut read = Rows::new(plan);
    for row in rows {
        read.read_texts(row.iter().map(String::as_str))?;
    }
    let tensors = read.into_tensors()?;
    let Predicted { live, answer, .. } = infer(app, open, &tensors).await?;
    let predictions = answers::predictions(&live.schema, &answer.tensors);
    let probabilities = answers::probabilities(&live.schema, &answer.tensors);
    Ok(Told { predictions, probabilities, live, took: open.began.elapsed() })
}

async fn ask(
    app: &Arc<App>,
    open: &Open,
    method: Method,
    tensors: &[IndexedTensor],
) -> Result<Predicted, Error> {
    let mut live = Arc::clone(&open.live);
    for attempt in 0.. {
        match live.ask(method, tensors, open.limit()).await {
            Ok(answer) => {
                return Ok(Predicted { live, answer, is_anonymous: open.source.is_anonymous() });
            }
            Err(Broken::Closed) => {
                open.slot.drop_if(&live);
                if attempt > 0 {
                    break;
                }
                live = match open.slot.live() {
                    Some(other) => other,
                    None => wake_apart(app, (&open.source, &open.slot)).await.map_err(discreet_to_all)?,
                };
            }
            Err(broken) => return Err(told(broken, open.limit())),
        }
    }
    Err(told(Broken::Closed, open.limit()))
}

/// What whoever asked is told of a request that broke.
fn told(broken: Broken, limit: Duration) -> Error {
    match broken {
        Broken::Closed => Error::Model("the runtime ended while it computed, twice".to_owned()),
        Broken::TooLarge(error) => Error::BadInput(error.to_string()),
        Broken::Refused(failure) => match failure.code {
            FailureCode::BadInput => Error::BadInput(failure.message),
            FailureCode::Overloaded => Error::Overloaded,
            FailureCode::Deadline => Error::PredictTimeout(format!("{limit:?}")),
            FailureCode::Internal => Error::Model(failure.message),
        },
    }
}

/// Why a runtime did not start again is in its log.
fn discreet_to_all(error: Error) -> Error {
    match error {
        Error::EndpointDown { repository, state: "failed", .. } => slot::failed(&repository, UNTOLD),
        other => other,
    }
}

/// Wakes in a task of its own, so that a client who goes away does not stop what others wait for.
async fn wake_apart(app: &Arc<App>, (source, slot): (&Source, &Slot)) -> Result<Arc<Live>, Error> {
    let name = match source {
        Source::Endpoint(known) => known.name.clone(),
        Source::Link(guest) => link_name(guest),
    };
    let pinned = Pinned { repository: slot.key.repository, revision: slot.key.revision, name };
    let app_of_task = Arc::clone(app);
    let woken = app.background.spawn(async move { wake(&app_of_task, &pinned).await });
    let woken = woken.await.map_err(|_| Error::Internal("wake an endpoint"))?;
    match source {
        Source::Endpoint(_) => woken,
        Source::Link(guest) => woken.map_err(|error| discreet_to_guest(error, guest)),
    }
}

async fn known(app: &App, name: &str) -> Result<Arc<KnownEndpoint>, Error> {
    let key = name.to_ascii_lowercase();
    if let Some(known) = app.known_endpoints.0.get(&key) {
        return Ok(known);
    }
    let parsed: RepositoryName = name.parse()?;
    let (db, kind) = (&app.store.db, RepositoryKind::Model);
    let found = repositories::by_name(db, kind, &parsed).await.during("look up a repository")?;
    let is_current = found.is_some();
    // Who calls an endpoint rarely follows a redirection, so an old name simply answers.
    let found = match found {
        None => repositories::by_former_name(db, kind, &parsed).await.during("look up a former name")?,
        found => found,
    };
    let repository = found.ok_or_else(|| Error::RepositoryNotFound(name.to_owned()))?;
    let row = endpoints::by_repository(&app.store.db, repository.id).await.during("look up an endpoint")?;
    let is_stopped = row.as_ref().is_some_and(|row| row.is_stopped);
    let traffic = match &row {
        Some(row) if !is_stopped => {
            app.gateway.service(repository.id).set_limits(options::limits(app, &row.options));
            Some(targets::traffic(app, row).await?)
        }
        Some(row) => Some(targets::traffic_of(app, row, &[])),
        None => None,
    };
    let known = Arc::new(KnownEndpoint {
        repository: repository.id,
        name: row.as_ref().map_or_else(|| name.to_owned(), FullName::full_name),
        owner: repository.owner_id,
        is_private: repository.is_private,
        is_stopped,
        traffic,
    });
    // Under an old name it could not be forgotten when somebody's rights change.
    if is_current {
        app.known_endpoints.0.insert(key, Arc::clone(&known));
    }
    Ok(known)
}
