//! Asking for an answer piece by piece.
//!
//! A piece is asked of the runtime when the last one was taken, so a slow reader makes nothing pile up. Invariants: what
//! is asked passes all that a whole answer passes; an answer ends after so many bytes and so much time, and at once when
//! nobody reads it any longer, and however it ends is counted once.

use std::sync::Arc;

use spec::frame::IndexedTensor;
use spec::limits;
use tokio::sync::mpsc;

use super::super::record::{self, Asked, Outcome};
use super::{ANSWERED, LEFT, Open, counted, discreet_to_all, infer, note, told, wake_apart};
use crate::app::App;
use crate::error::Error;
use crate::gateway::Live;
use crate::gateway::link::Broken;
use crate::gateway::live::{Names, Streaming};
use crate::predict::answers;
use crate::predict::blunt::Blunt;

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
    /// None where nothing is recorded.
    kept: Option<Kept>,
}

/// What is recorded of an answer in pieces.
#[derive(Debug)]
struct Kept {
    asked: Vec<IndexedTensor>,
    /// The beginning of the answer.
    answered: String,
}

/// What is to come, and the runtime that it comes from, which must not end before.
#[derive(Debug)]
struct Rest {
    streaming: Streaming,
    live: Arc<Live>,
}

/// How an answer in pieces ended.
enum End {
    Whole,
    /// Nobody reads it any longer.
    Left,
    Failed(Error),
}

/// Asks for the answer to one row. A model that does not answer in pieces, or whose answers are not told as they are,
/// gives its answer as the only one.
pub async fn begin(app: &Arc<App>, open: Open, tensors: &[IndexedTensor]) -> Result<Pieces, Error> {
    if !open.live.offers().streams || open.blunt() != Blunt::default() {
        let first = Some(one(app, &open, tensors).await?);
        return Ok(Pieces { app: Arc::clone(app), open, first, rest: None, n_bytes: 0, kept: None });
    }
    let kept = open.is_sampled().then(|| Kept { asked: tensors.to_vec(), answered: String::new() });
    let begun = counted(app, &open, tensors, started(app, &open, tensors)).await;
    if let (Err(error), Some(kept)) = (&begun, &kept) {
        kept.record(app, (&open, &open.live), Outcome::Failed(error));
    }
    let (first, rest) = begun?;
    Ok(Pieces { app: Arc::clone(app), open, first, rest: Some(rest), n_bytes: 0, kept })
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
            let whole = self.app.settings.stream_timeout.0;
            let relayed = tokio::time::timeout(whole, self.relay_to(&sender)).await;
            let end = relayed.unwrap_or_else(|_| End::Failed(Error::PredictTimeout(format!("{whole:?}"))));
            self.note(&end);
            if let End::Failed(error) = end {
                let limit = self.open.limit();
                // The runtime does not wait with us. Where even this cannot be told, nobody reads.
                drop(self);
                let _ = tokio::time::timeout(limit, sender.send(Err(error))).await;
            }
        });
        receiver
    }

    async fn relay_to(&mut self, sender: &mpsc::Sender<Result<String, Error>>) -> End {
        let limit = self.open.limit();
        loop {
            let next = tokio::select! {
                next = self.next() => next,
                () = sender.closed() => return End::Left,
            };
            let piece = match next {
                Ok(Some(piece)) => piece,
                Ok(None) => return End::Whole,
                Err(error) => return End::Failed(error),
            };
            match tokio::time::timeout(limit, sender.send(Ok(piece))).await {
                Ok(Ok(())) => {}
                _ => return End::Left,
            }
        }
    }

    /// Counts how it ended. An answer in one piece was counted when it was asked for.
    fn note(&self, end: &End) {
        let Some(rest) = &self.rest else { return };
        let outcome = match end {
            End::Whole => ANSWERED,
            End::Left => LEFT,
            End::Failed(error) => error.entry().name,
        };
        note(&self.app, &self.open, outcome);
        if let Some(kept) = &self.kept {
            let outcome = match end {
                End::Whole | End::Left => Outcome::Text(&kept.answered),
                End::Failed(error) => Outcome::Failed(error),
            };
            kept.record(&self.app, (&self.open, &rest.live), outcome);
        }
    }

    async fn next(&mut self) -> Result<Option<String>, Error> {
        let limit = self.open.limit();
        let piece = match (self.first.take(), &mut self.rest) {
            (Some(first), _) => Some(first),
            (None, None) => None,
            (None, Some(rest)) => match tokio::time::timeout(limit, rest.streaming.next()).await {
                Ok(piece) => piece.map_err(|broken| self.open.source.told(told(broken, limit)))?,
                Err(_) => return Err(Error::PredictTimeout(format!("{limit:?}"))),
            },
        };
        self.n_bytes += piece.as_ref().map_or(0, String::len);
        if let (Some(kept), Some(piece)) = (&mut self.kept, &piece) {
            kept.add(piece);
        }
        match self.n_bytes > limits::STREAM_BYTES {
            true => Err(Error::Model(format!("its answer has more than {} bytes", limits::STREAM_BYTES))),
            false => Ok(piece),
        }
    }
}

impl Kept {
    fn add(&mut self, piece: &str) {
        if self.answered.len() < limits::RECORDED_BYTES {
            self.answered.push_str(piece);
        }
    }

    fn record(&self, app: &Arc<App>, (open, live): (&Open, &Live), outcome: Outcome<'_>) {
        let asked = Asked { live, tensors: &self.asked, outcome, took: open.began.elapsed() };
        record::note(app, &open.slot.service, &asked);
    }
}

/// The first piece, which shows whether there is an answer at all.
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
