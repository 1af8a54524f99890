//! Shards: what a client tells of the files that it sent, answered at once or with frames that say how far it is.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes, HttpBody};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use spec::xet::shard::{self, Shard};
use tokio::sync::mpsc;

use super::{Answer, Writer, Xet};
use crate::app::App;
use crate::error::Error;
use crate::ops::chunked_files::{self, Progress};
use crate::ops::transfers::Pass;

/// How long nothing is said at most: clients give up on a silent server.
const SILENCE: Duration = Duration::from_secs(10);
/// Frames that wait to be sent. One that finds no room says nothing that the next does not.
const FRAMES: usize = 16;

/// `POST …/v1/shards`, answered when all is done
pub async fn receive(
    State(app): State<Arc<App>>,
    Writer(pass): Writer,
    body: Body,
) -> Answer<Json<Value>, Xet> {
    let shard = read(body).await?;
    chunked_files::register(&app, &pass, &shard, |_| {}).await?;
    Ok(Json(json!({ "result": 1 })))
}

/// `POST …/v2/shards`, answered by lines of JSON of which the last one says how it ended
pub async fn follow(
    State(app): State<Arc<App>>,
    Writer(pass): Writer,
    body: Body,
) -> Answer<impl IntoResponse, Xet> {
    let shard = read(body).await?;
    let (frames, told) = mpsc::channel(FRAMES);
    let task_app = Arc::clone(&app);
    app.background.spawn(async move { work(&task_app, &pass, &shard, frames).await });
    let first = frame(Progress { n_verified: 0, n_total: 0 });
    let lines = futures_util::stream::unfold((told, first), |(mut told, last)| async move {
        let line = match tokio::time::timeout(SILENCE, told.recv()).await {
            Ok(None) => return None,
            Ok(Some(line)) => line,
            Err(_) => last,
        };
        let text = Bytes::from(format!("{line}\n"));
        Some((Ok::<_, std::convert::Infallible>(text), (told, line)))
    });
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)))
}

async fn work(app: &App, pass: &Pass, shard: &Shard, frames: mpsc::Sender<Value>) {
    // A client that went away hears nothing; what it sent is taken all the same.
    let tell = |progress| drop(frames.try_send(frame(progress)));
    let last = match chunked_files::register(app, pass, shard, tell).await {
        Ok(()) => json!({ "type": "result" }),
        Err(error) => {
            let is_ours = error.entry().status >= 500;
            if is_ours {
                tracing::error!(cause = ?std::error::Error::source(&error), "a shard was not taken: {error}");
            }
            json!({ "type": "error", "message": error.detail(), "retryable": is_ours })
        }
    };
    drop(frames.send(last).await);
}

fn frame(progress: Progress) -> Value {
    json!({ "type": "validating", "verified": progress.n_verified, "total": progress.n_total })
}

/// One that is announced to be too long is not read at all.
async fn read(body: Body) -> Result<Shard, Error> {
    let too_large = || Error::TooLarge { limit: format!("{} bytes in a shard", shard::BYTES) };
    if body.size_hint().lower() > shard::BYTES as u64 {
        return Err(too_large());
    }
    let bytes = axum::body::to_bytes(body, shard::BYTES).await.map_err(|_| too_large())?;
    chunked_files::parse(bytes).await
}
