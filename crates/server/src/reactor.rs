//! Reactors: threads that each accept connections and answer them, start to end.
//!
//! Each is a current-thread runtime: a request that never leaves its thread costs no wake-ups of others, and
//! predictions that arrive together go to the model together. Invariant: nothing on a reactor blocks.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::app::App;
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
                runtime.block_on(accept(&app, listener, router, stop));
                // What is still running had its time.
                runtime.shutdown_timeout(Duration::from_millis(100));
            };
            thread.spawn(run).during("start a reactor")
        })
        .collect()
}

async fn accept(app: &App, listener: TcpListener, router: Router, stop: CancellationToken) {
    let listener = match tokio::net::TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("could not listen on a reactor: {error}"),
    };
    let connections = GracefulShutdown::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let stream = match stream {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: wait for connections to end instead of spinning.
                tracing::warn!("could not accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        // Answers are written whole; waiting for more to send with them only costs time.
        let _ = stream.set_nodelay(true);
        let service = TowerToHyperService::new(router.clone());
        let watcher = connections.watcher();
        let stop = stop.clone();
        tokio::spawn(async move {
            // Whoever has said nothing yet must not hold up the end.
            let version = tokio::select! {
                version = tokio::time::timeout(HEAD_TIMEOUT, is_http2(&stream)) => version,
                () = stop.cancelled() => return,
            };
            let ended = match version {
                Ok(Ok(true)) => watcher.watch(http2(stream, service)).await,
                Ok(Ok(false)) => watcher.watch(http1(stream, service)).await,
                Ok(Err(error)) => return tracing::trace!("a connection ended: {error}"),
                Err(_) => return,
            };
            if let Err(error) = ended {
                tracing::trace!("a connection ended: {error}");
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(app.settings.shutdown_timeout.0, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
}

type Service = TowerToHyperService<Router>;

fn http1(stream: TcpStream, service: Service) -> http1::Connection<TokioIo<TcpStream>, Service> {
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service)
}

fn http2(
    stream: TcpStream,
    service: Service,
) -> http2::Connection<TokioIo<TcpStream>, Service, TokioExecutor> {
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
