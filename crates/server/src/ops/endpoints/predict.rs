//! Asking an endpoint.
//!
//! Invariants: rights are checked, and a place in the queue taken, before anything is woken or parsed; a
//! request that meets a runtime's sudden end is asked again of the next one, once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use spec::frame::{Answer, FailureCode, IndexedTensor, Method};
use spec::name::{RepositoryKind, RepositoryName};
use store::db::endpoints;
use store::db::ids::{AccountId, RepositoryId};
use store::db::repositories;

use super::FullName;
use super::start::{self, Pinned, wake, wake_pinned};
use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::link::Broken;
use crate::gateway::live::Names;
use crate::gateway::slot::{self, Place, Room};
use crate::gateway::{Key, Live, Slot};
use crate::ops::access::{self, Action, Actor, Subject};
use crate::ops::links::{Guest, guard};
use crate::predict::answers;
use crate::predict::blunt::Blunt;
use crate::predict::rows::Rows;

pub mod stream;

/// What decides whether somebody may ask an endpoint, remembered for a moment.
#[derive(Debug, Clone)]
pub struct KnownEndpoint {
    pub repository: RepositoryId,
    /// `owner/name` as its owner writes it.
    pub name: String,
    owner: AccountId,
    is_private: bool,
    is_deployed: bool,
    is_stopped: bool,
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
    Endpoint(RepositoryId),
    /// A link, and the revision that it leads to.
    Link(Arc<Guest>, Pinned),
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

    /// For somebody who waits so long and no longer.
    #[must_use]
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = Some(patience.saturating_sub(self.began.elapsed()));
        self
    }

    fn limit(&self, app: &App) -> Duration {
        let limit = app.settings.predict_timeout.0;
        self.patience.map_or(limit, |patience| patience.min(limit))
    }
}

impl Predicted {
    /// What names the model to whoever asked.
    pub fn names(&self) -> &Names {
        self.live.names(self.is_anonymous)
    }
}

impl Source {
    fn is_anonymous(&self) -> bool {
        matches!(self, Self::Link(guest, _) if guest.identity.is_some())
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

/// Opens an endpoint for one request of so many bytes; wakes it if it sleeps.
pub async fn open(app: &Arc<App>, actor: &Actor, name: &str, n_bytes: u64) -> Result<Open, Error> {
    let began = Instant::now();
    let known = known(app, name).await?;
    let (id, owner, is_private) = (known.repository, known.owner, known.is_private);
    let granted = access::granted(app, actor, id, owner).await?;
    let subject = Subject { name, id, owner, is_private, granted };
    access::check(actor, Action::Predict, &subject)?;
    if !known.is_deployed {
        return Err(Error::EndpointNotFound(known.name.clone()));
    }
    if known.is_stopped {
        return Err(start::stopped(&known.name));
    }
    let source = Source::Endpoint(known.repository);
    let slot = app.gateway.slot(known.repository);
    let room = Room { n_requests: app.settings.queue, n_bytes: app.settings.queue_bytes.0 };
    let place = slot
        .enter(n_bytes, room)
        .inspect_err(|_| app.gateway.metrics.predicted("overloaded", began.elapsed()))?;
    let live = match slot.live() {
        Some(live) => live,
        None => wake_apart(app, &source).await.map_err(|error| discreet(error, actor, &subject))?,
    };
    Ok(Open { live, source, slot, _place: place, began, patience: None })
}

/// Opens what a link leads to, for one request of so many bytes; wakes it if it sleeps.
pub async fn open_link(app: &Arc<App>, guest: &Arc<Guest>, n_bytes: u64) -> Result<Open, Error> {
    let began = Instant::now();
    let link = &guest.link;
    let name = match guest.identity {
        Some(_) => "the model".to_owned(),
        None => format!("{}/{}", link.owner_name, link.repository_name),
    };
    let pinned = Pinned { repository: link.repository_id, revision: link.revision_id, name };
    let slot = app.gateway.slot_of(Key::Pinned(pinned.repository, pinned.revision));
    let room = Room { n_requests: app.settings.queue, n_bytes: app.settings.queue_bytes.0 };
    let place = slot.enter(n_bytes, room)?;
    let source = Source::Link(Arc::clone(guest), pinned);
    // The endpoint's runtime will do while it serves just this revision.
    let endpoint = app.gateway.slot(link.repository_id).live();
    let live = match slot.live().or(endpoint.filter(|live| live.target.revision == link.oid)) {
        Some(live) => live,
        None => wake_apart(app, &source).await.map_err(discreet_to_guest)?,
    };
    Ok(Open { live, source, slot, _place: place, began, patience: None })
}

fn discreet_to_guest(error: Error) -> Error {
    match error {
        Error::EndpointDown { repository, state: "failed", .. } => slot::failed(&repository, super::UNTOLD),
        other => other,
    }
}

/// Why a model did not start is for its owner; everybody else is told that it did not.
fn discreet(error: Error, actor: &Actor, subject: &Subject<'_>) -> Error {
    match error {
        Error::EndpointDown { repository, state: "failed", .. }
            if access::check(actor, Action::Write, subject).is_err() =>
        {
            slot::failed(&repository, super::UNTOLD)
        }
        other => other,
    }
}

/// Asks.
pub async fn infer(app: &Arc<App>, open: &Open, tensors: &[IndexedTensor]) -> Result<Predicted, Error> {
    let mut predicted = counted(app, open, Method::Predict, tensors).await?;
    if let Source::Link(guest, _) = &open.source {
        guest.blunt().apply(&predicted.live.schema, &mut predicted.answer.tensors);
    }
    Ok(predicted)
}

/// Asks why a model's outputs for these rows are what they are: one explanation a row, in its one output.
pub async fn explain(app: &Arc<App>, open: &Open, tensors: &[IndexedTensor]) -> Result<Predicted, Error> {
    if !open.live.offers().explains {
        return Err(Error::NotOffered("explanations"));
    }
    if let Source::Link(guest, _) = &open.source
        && guest.blunt() != Blunt::default()
    {
        // They tell more than the answers that this link rounds or leaves out.
        return Err(Error::NotOffered("explanations by this link"));
    }
    counted(app, open, Method::Explain, tensors).await
}

/// Asks, and counts that somebody did.
async fn counted(
    app: &Arc<App>,
    open: &Open,
    method: Method,
    tensors: &[IndexedTensor],
) -> Result<Predicted, Error> {
    let limit = open.limit(app);
    let n_rows = tensors.iter().map(IndexedTensor::n_rows).max().unwrap_or(1);
    if let Source::Link(guest, _) = &open.source {
        guard::take(app, guest, n_rows).await?;
    }
    let outcome = match tokio::time::timeout(limit, ask(app, open, method, tensors)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::PredictTimeout(format!("{limit:?}"))),
    };
    if let (Err(_), Source::Link(guest, _)) = (&outcome, &open.source) {
        guard::give_back(app, guest, n_rows).await;
    }
    note(app, open, outcome.as_ref().err());
    outcome
}

/// Counts how a request ended.
fn note(app: &App, open: &Open, error: Option<&Error>) {
    let name = error.map_or("answered", |error| error.entry().name);
    app.gateway.metrics.predicted(name, open.began.elapsed());
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
        match live.ask(method, tensors, open.limit(app)).await {
            Ok(answer) => {
                return Ok(Predicted { live, answer, is_anonymous: open.source.is_anonymous() });
            }
            Err(Broken::Closed) if attempt == 0 => {
                open.slot.drop_if(&live);
                live = wake_apart(app, &open.source).await?;
            }
            Err(Broken::Closed) => break,
            Err(broken) => return Err(told(broken, open.limit(app))),
        }
    }
    Err(told(Broken::Closed, open.limit(app)))
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

/// Wakes in a task of its own, so that a client who goes away does not stop what others wait for.
async fn wake_apart(app: &Arc<App>, source: &Source) -> Result<Arc<Live>, Error> {
    let (app_of_task, source) = (Arc::clone(app), source.clone());
    let woken = app.background.spawn(async move {
        match source {
            Source::Endpoint(repository) => wake(&app_of_task, repository).await,
            Source::Link(_, pinned) => wake_pinned(&app_of_task, &pinned).await,
        }
    });
    woken.await.map_err(|_| Error::Internal("wake an endpoint"))?
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
    let known = Arc::new(KnownEndpoint {
        repository: repository.id,
        name: row.as_ref().map_or_else(|| name.to_owned(), FullName::full_name),
        owner: repository.owner_id,
        is_private: repository.is_private,
        is_deployed: row.is_some(),
        is_stopped: row.is_some_and(|row| row.is_stopped),
    });
    // Under an old name it could not be forgotten when somebody's rights change.
    if is_current {
        app.known_endpoints.0.insert(key, Arc::clone(&known));
    }
    Ok(known)
}
