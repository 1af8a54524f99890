//! Reactors: threads that each accept connections and answer them, start to end.
//!
//! Each is a current-thread runtime: a request that never leaves its thread costs no wake-ups of others, and
//! predictions that arrive together go to the model together. Invariant: nothing on a reactor blocks.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::app::App;
use crate::doors::browser;
use crate::error::{During, Error};
use crate::gateway::live;

/// How long a client may take to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How the head of a request of HTTP/2 begins; no method of HTTP/1 begins so.
const HTTP2: &[u8; 3] = b"PRI";
/// How often a silent client of HTTP/2 is asked whether it is still there, and how long it has for an answer.
const PING_INTERVAL: Duration = Duration::from_secs(60);
const PING_TIMEOUT: Duration = Duration::from_secs(20);

/// Starts the reactors; they end when told, after the requests at hand.
pub fn start(
    app: &Arc<App>,
    listener: &TcpListener,
    router: &Router,
    stop: &CancellationToken,
) -> Result<Vec<JoinHandle<()>>, Error> {
    (0..app.settings.n_reactors())
        .map(|index| {
            let listener = listener.try_clone().during("share the port listened on")?;
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .during("start a reactor")?;
            let (app, router, stop) = (Arc::clone(app), router.clone(), stop.clone());
            let thread = std::thread::Builder::new().name(format!("reactor-{index}"));
            let run = move || {
                live::set_reactor(index);
                runtime.block_on(accept(app, listener, router, stop));
                // What is still running had its time.
                runtime.shutdown_timeout(Duration::from_millis(100));
            };
            thread.spawn(run).during("start a reactor")
        })
        .collect()
}

async fn accept(app: Arc<App>, listener: TcpListener, router: Router, stop: CancellationToken) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("could not listen on a reactor: {error}"),
    };
    let connections = GracefulShutdown::new();
    // Those of HTTP/1, which may become web sockets.
    let (closing, _) = watch::channel(());
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, peer) = match stream {
            Ok((stream, peer)) => (stream, peer.ip()),
            Err(error) => {
                // Out of file descriptors, most likely: wait for connections to end instead of spinning.
                tracing::warn!("could not accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are written whole; waiting for more to send with them only costs time.
        let _ = stream.set_nodelay(true);
        let (app, router) = (Arc::clone(&app), router.clone());
        let service = service_fn(move |mut request: Request<Incoming>| {
            let (app, router) = (Arc::clone(&app), router.clone());
            let from = browser::address(&app, peer, request.headers());
            request.extensions_mut().insert(from);
            async move {
                let answered = router.oneshot(request.map(Body::new)).await;
                answered.map(|response| browser::count_guess(&app, from, response))
            }
        });
        let (watcher, told) = (connections.watcher(), closing.subscribe());
        let stop = stop.clone();
        tokio::spawn(async move {
            // Whoever has said nothing yet must not hold up the end.
            let version = tokio::select! {
                version = tokio::time::timeout(HEAD_TIMEOUT, is_http2(&stream)) => version,
                () = stop.cancelled() => return,
            };
            let ended = match version {
                Ok(Ok(true)) => watcher.watch(http2(stream, service)).await,
                Ok(Ok(false)) => until_told(http1(stream, service), told).await,
                Ok(Err(error)) => return tracing::trace!("a connection ended: {error}"),
                Err(_) => return,
            };
            if let Err(error) = ended {
                tracing::trace!("a connection ended: {error}");
            }
        });
    }
    drop(listener);
    app.closing.cancel();
    closing.send_replace(());
    let ended = async { tokio::join!(connections.shutdown(), closing.closed()) };
    if tokio::time::timeout(app.settings.shutdown_timeout.0, ended).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
}

fn http1<S>(stream: TcpStream, service: S) -> http1::UpgradeableConnection<TokioIo<TcpStream>, S>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
{
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades()
}

/// Answers on a connection until it ends; once the server stops, the request at hand is the last.
async fn until_told<S>(
    connection: http1::UpgradeableConnection<TokioIo<TcpStream>, S>,
    mut told: watch::Receiver<()>,
) -> hyper::Result<()>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
{
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        biased;
        ended = connection.as_mut() => return ended,
        _ = told.changed() => connection.as_mut().graceful_shutdown(),
    }
    connection.await
}

fn http2<S>(stream: TcpStream, service: S) -> http2::Connection<TokioIo<TcpStream>, S, TokioExecutor>
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
}

/// Whether a client speaks HTTP/2, as gRPC does, from its first bytes, which stay where they are.
async fn is_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut first = [0; HTTP2.len()];
    loop {
        let n = stream.peek(&mut first).await?;
        if n == 0 || n == first.len() || !HTTP2.starts_with(&first[..n]) {
            return Ok(first[..n] == *HTTP2);
        }
        // The rest of three bytes is on its way, and looking again at once would find no more.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
