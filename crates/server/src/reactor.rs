//! Reactors: threads that each accept connections and answer them, start to end.
//!
//! Each is a current-thread runtime: a request that never leaves its thread costs no wake-ups of others, and
//! predictions that arrive together go to the model together. Invariant: nothing on a reactor blocks.

use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::error::{During, Error};
use crate::gateway::live;

/// How long a client may take to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

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
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .serve_connection(TokioIo::new(stream), service);
        let watched = connections.watch(connection);
        tokio::spawn(async move {
            if let Err(error) = watched.await {
                tracing::trace!("a connection ended: {error}");
            }
        });
    }
    drop(listener);
    app.closing.cancel();
    if tokio::time::timeout(app.settings.shutdown_timeout.0, connections.shutdown()).await.is_err() {
        tracing::warn!("some requests did not end in time and were cut off");
    }
}
