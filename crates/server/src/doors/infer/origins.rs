//! Pages of other origins, which may ask models.
//!
//! With a token or a link and never with a cookie: what a browser adds by itself is not sent where every origin is
//! allowed. Invariant: a request that no browser sent passes as if nothing were here.

use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use axum::http::{HeaderName, Method};
use axum::response::Response;
use futures_util::future::Either;
use tower::{Layer, Service};
use tower_http::cors::{Any, Cors, CorsLayer, ResponseFuture};

use super::{KEY, REVISION, receipt, v2};

/// Lets pages of other origins ask.
pub fn other_origins() -> OtherOrigins {
    let json_length = HeaderName::from_static(v2::JSON_LENGTH);
    let headers = [AUTHORIZATION, CONTENT_TYPE, json_length, REVISION, KEY, receipt::HEADER];
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(headers)
        .expose_headers(Any)
        .max_age(Duration::from_hours(1));
    OtherOrigins(cors)
}

/// See [`other_origins`].
#[derive(Debug, Clone)]
pub struct OtherOrigins(CorsLayer);

impl<S: Clone> Layer<S> for OtherOrigins {
    type Service = Asked<S>;

    fn layer(&self, inner: S) -> Asked<S> {
        Asked { by_pages: self.0.layer(inner.clone()), by_others: inner }
    }
}

/// What is asked by pages and by others.
#[derive(Debug, Clone)]
pub struct Asked<S> {
    by_pages: Cors<S>,
    by_others: S,
}

impl<S: Service<Request, Response = Response>> Service<Request> for Asked<S> {
    type Response = Response;
    type Error = S::Error;
    type Future = Either<ResponseFuture<S::Future>, S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        match self.by_pages.poll_ready(context) {
            Poll::Ready(Ok(())) => self.by_others.poll_ready(context),
            other => other,
        }
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match request.headers().contains_key(ORIGIN) {
            true => Either::Left(self.by_pages.call(request)),
            false => Either::Right(self.by_others.call(request)),
        }
    }
}
