//! What every request outside the inference doors gets: an id, a line in the log, and a time limit where its
//! answer is not a stream.
//!
//! Never logs a body, a query or a header: any of them may hold a secret. Invariant: the id in the log is the
//! id in the answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use tracing::Instrument;

use super::{Dialect, Refusal};
use crate::app::App;
use crate::error::Error;

/// The header that carries a request's id.
pub const REQUEST_ID: &str = "x-request-id";

/// The id of the request that is being answered, for error pages.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// Gives the request an id and writes a line when it is answered.
pub async fn trace(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = new_id(&app);
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let began = Instant::now();
    request.extensions_mut().insert(RequestId(id.clone()));
    let span = tracing::info_span!("request", id);
    let mut response = next.run(request).instrument(span).await;
    let (status, ms) = (response.status().as_u16(), began.elapsed().as_millis());
    tracing::info!(id, %method, path, status, ms, "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Ends a request that took too long, in the dialect of its door.
pub async fn limit_time<D: Dialect + 'static>(
    State(app): State<Arc<App>>,
    request: Request,
    next: Next,
) -> Response {
    match tokio::time::timeout(app.settings.request_timeout.0, next.run(request)).await {
        Ok(response) => response,
        Err(_) => axum::response::IntoResponse::into_response(Refusal::<D>::from(Error::TooSlow)),
    }
}

/// Ids count up from the moment the process started, so two servers' ids differ.
fn new_id(app: &App) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{:x}-{:x}", app.started_ms, COUNT.fetch_add(1, Ordering::Relaxed))
}
