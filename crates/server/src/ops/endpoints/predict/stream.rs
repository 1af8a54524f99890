//! Asking for an answer piece by piece.
//!
//! A piece is asked of the runtime when the last one was taken, so a slow reader makes nothing pile up. Invariants: a
//! link's budget is counted once, and given back if not even the first piece came; an answer ends after so many bytes
//! and so much time, and at once when nobody reads it any longer.

use std::sync::Arc;

use spec::frame::IndexedTensor;
use spec::limits;
use tokio::sync::mpsc;

use super::{Open, Source, discreet_to_all, infer, note, told, wake_apart};
use crate::app::App;
use crate::error::Error;
use crate::gateway::Live;
use crate::gateway::link::Broken;
use crate::gateway::live::{Names, Streaming};
use crate::ops::links::guard;
use crate::predict::answers;

/// Pieces that wait for their reader.
const WAITING: usize = 1;

/// An answer of which the first piece is there.
#[derive(Debug)]
pub struct Pieces {
    app: Arc<App>,
    open: Open,
    first: Option<String>,
    /// None for a model that answers in one piece.
    rest: Option<Rest>,
    n_bytes: usize,
}

/// What is to come, and the runtime that it comes from, which must not end before.
#[derive(Debug)]
struct Rest {
    streaming: Streaming,
    live: Arc<Live>,
}

/// Asks for the answer to one row. A model that does not answer in pieces gives its answer as the only one.
pub async fn begin(app: &Arc<App>, open: Open, tensors: &[IndexedTensor]) -> Result<Pieces, Error> {
    let (first, rest) = match open.live.offers().streams {
        true => first(app, &open, tensors).await?,
        false => (Some(one(app, &open, tensors).await?), None),
    };
    Ok(Pieces { app: Arc::clone(app), open, first, rest, n_bytes: 0 })
}

impl Pieces {
    /// The runtime that answers.
    pub fn live(&self) -> &Live {
        self.rest.as_ref().map_or(&self.open.live, |rest| &rest.live)
    }

    /// What names the model to whoever asked.
    pub fn names(&self) -> &Names {
        self.live().names(self.open.source.is_anonymous())
    }

    /// The pieces as they come, for a reader that takes each within the time that a prediction may take. Ends with the
    /// answer, with an error, or with its reader.
    pub fn relay(mut self) -> mpsc::Receiver<Result<String, Error>> {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let limit = self.open.limit();
            let whole = self.app.settings.stream_timeout.0;
            let relayed = async {
                loop {
                    let next = tokio::select! {
                        next = self.next() => next.transpose(),
                        () = sender.closed() => return,
                    };
                    let Some(piece) = next else { break };
                    let is_last = piece.is_err();
                    if is_last {
                        self.note(piece.as_ref().err());
                    }
                    match tokio::time::timeout(limit, sender.send(piece)).await {
                        Ok(Ok(())) if !is_last => {}
                        _ => return,
                    }
                }
                self.note(None);
            };
            let is_over = tokio::time::timeout(whole, relayed).await.is_err();
            if is_over {
                // Where even this cannot be told, nobody reads.
                let _ = sender.try_send(Err(Error::PredictTimeout(format!("{whole:?}"))));
            }
        });
        receiver
    }

    /// Counts how it ended. An answer in one piece was counted when it was asked for.
    fn note(&self, error: Option<&Error>) {
        if self.rest.is_some() {
            note(&self.app, &self.open, error);
        }
    }

    async fn next(&mut self) -> Result<Option<String>, Error> {
        let limit = self.open.limit();
        let piece = match (self.first.take(), &mut self.rest) {
            (Some(first), _) => Some(first),
            (None, None) => None,
            (None, Some(rest)) => match tokio::time::timeout(limit, rest.streaming.next()).await {
                Ok(piece) => piece.map_err(|broken| told(broken, limit))?,
                Err(_) => return Err(Error::PredictTimeout(format!("{limit:?}"))),
            },
        };
        self.n_bytes += piece.as_ref().map_or(0, String::len);
        match self.n_bytes > limits::STREAM_BYTES {
            true => Err(Error::Model(format!("its answer has more than {} bytes", limits::STREAM_BYTES))),
            false => Ok(piece),
        }
    }
}

/// The first piece, which shows whether there is an answer at all.
async fn first(
    app: &Arc<App>,
    open: &Open,
    tensors: &[IndexedTensor],
) -> Result<(Option<String>, Option<Rest>), Error> {
    let limit = open.limit();
    if let Source::Link(guest) = &open.source {
        guard::take(app, guest, 1).await?;
    }
    let outcome = match tokio::time::timeout(limit, started(app, open, tensors)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::PredictTimeout(format!("{limit:?}"))),
    };
    if let Err(error) = &outcome {
        if let Source::Link(guest) = &open.source {
            guard::give_back(app, guest, 1).await;
        }
        note(app, open, Some(error));
    }
    let (first, rest) = outcome?;
    Ok((first, Some(rest)))
}

async fn started(
    app: &Arc<App>,
    open: &Open,
    tensors: &[IndexedTensor],
) -> Result<(Option<String>, Rest), Error> {
    let (mut live, limit) = (Arc::clone(&open.live), open.limit());
    for attempt in 0.. {
        let begun = async {
            let mut streaming = live.stream(tensors, limit).await?;
            Ok((streaming.next().await?, streaming))
        };
        match begun.await {
            Ok((first, streaming)) => return Ok((first, Rest { streaming, live })),
            Err(Broken::Closed) if attempt == 0 => {
                open.slot.drop_if(&live);
                live = match open.slot.live() {
                    Some(other) => other,
                    None => wake_apart(app, (&open.source, &open.slot)).await.map_err(discreet_to_all)?,
                };
            }
            Err(broken) => return Err(told(broken, limit)),
        }
    }
    Err(told(Broken::Closed, limit))
}

/// The whole answer as text.
async fn one(app: &Arc<App>, open: &Open, tensors: &[IndexedTensor]) -> Result<String, Error> {
    let predicted = infer(app, open, tensors).await?;
    let predictions = answers::predictions(&predicted.live.schema, &predicted.answer.tensors);
    Ok(predictions.first().map(answers::text).unwrap_or_default())
}
