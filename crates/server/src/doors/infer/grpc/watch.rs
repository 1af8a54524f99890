//! Health that is watched: how the server or a model stands, told at once and whenever it changes.
//!
//! Source: the health checking protocol of gRPC. Knows no more than a check does, and asks as that does each time, so
//! that whoever may ask no longer is told no more. Invariants: so many watch at a time and no more; watching ends with
//! the server, and after a while by itself.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::response::Response;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;
use tonic::Status;
use tonic::server::Grpc;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;

use super::{standing, status};
use crate::app::App;
use crate::doors::browser;
use crate::error::Error;

/// Those who may watch at a time in this process.
const WATCHERS: usize = 256;
/// How often it is looked whether something has changed.
const EVERY: Duration = Duration::from_secs(2);
/// How long one watches at most; clients then watch anew by themselves.
const LONGEST: Duration = Duration::from_secs(3600);
/// Longest question.
const QUESTION_BYTES: usize = 4096;

/// A place for each who watches.
static PLACES: Semaphore = Semaphore::const_new(WATCHERS);

/// Somebody who watches.
struct Watcher {
    app: Arc<App>,
    metadata: HeaderMap,
    /// What is watched.
    service: String,
    /// What was told last.
    told: Option<ServingStatus>,
    until: Instant,
    _place: SemaphorePermit<'static>,
}

/// Of the server, of our service by its name, or of a model by its own.
pub async fn health(State(app): State<Arc<App>>, request: Request) -> Response {
    let service = tower::service_fn(|request: tonic::Request<HealthCheckRequest>| {
        let app = Arc::clone(&app);
        async move {
            let (metadata, _, message) = request.into_parts();
            let place = PLACES.try_acquire().map_err(|_| status::of(&Error::Overloaded))?;
            let mut watcher = Watcher {
                app,
                metadata: metadata.into_headers(),
                service: message.service,
                told: None,
                until: Instant::now() + LONGEST,
                _place: place,
            };
            // What is refused is refused before anything is told.
            let first = watcher.next().await.map_err(|error| status::of(&error))?;
            let next = stream::try_unfold(watcher, |mut watcher| async move {
                let next = watcher.next().await.map_err(|error| status::of(&error))?;
                Ok::<_, Status>(next.map(|now| (now, watcher)))
            });
            let told = stream::iter(first.map(Ok)).chain(next);
            Ok(tonic::Response::new(told.map_ok(|now| HealthCheckResponse { status: now.into() })))
        }
    });
    let mut grpc = Grpc::new(ProstCodec::<HealthCheckResponse, HealthCheckRequest>::default())
        .max_decoding_message_size(QUESTION_BYTES);
    let mut response = grpc.server_streaming(service, request).await.map(Body::new);
    status::note_guess(&mut response);
    response
}

impl Watcher {
    /// How it stands, at once for the first time and then when that has changed; none at the end.
    async fn next(&mut self) -> Result<Option<ServingStatus>, Error> {
        loop {
            if self.told.is_some() {
                tokio::select! {
                    () = tokio::time::sleep(EVERY) => {}
                    () = self.app.closing.cancelled() => return Ok(None),
                    () = tokio::time::sleep_until(self.until) => return Ok(None),
                }
            }
            let now = self.look().await?;
            if self.told.replace(now) != Some(now) {
                return Ok(Some(now));
            }
        }
    }

    /// What is not there may come to be, and is watched until then; only a secret that is none is refused.
    async fn look(&self) -> Result<ServingStatus, Error> {
        match standing(&self.app, &self.metadata, &self.service).await {
            Err(error) if error.entry().status == 404 && !browser::is_guess(error.code()) => {
                Ok(ServingStatus::ServiceUnknown)
            }
            looked => looked,
        }
    }
}
