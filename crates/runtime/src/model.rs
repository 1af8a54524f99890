//! The model: what it takes and gives, and the sessions in which it is called.
//!
//! Knows nothing of requests. Invariant: inputs and outputs are tensors of types that the protocol has, in
//! the order of the model, which is the order of their indexes everywhere.

use std::sync::{Mutex, MutexGuard, PoisonError};

use spec::limits;
use spec::tensor::TensorSpec;

use crate::backend::{Session, Source};
use crate::{Error, Settings};

/// A model that is loaded.
pub(crate) struct Model {
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
    pub(crate) asking: Asking,
    sessions: Vec<Mutex<Option<Box<dyn Session>>>>,
    streams: Mutex<Vec<usize>>,
    source: Box<dyn Source>,
}

/// How many rows the model is given at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// The first dimension of everything counts rows that have nothing to do with each other.
    Rows {
        /// A call with fewer is filled up by repeating the last row.
        n_min: usize,
        n_max: usize,
    },
    /// One request, one call, whatever its dimensions mean.
    Whole,
}

/// A model whose first session is open.
pub(crate) struct Loaded {
    pub(crate) inputs: Vec<TensorSpec>,
    pub(crate) outputs: Vec<TensorSpec>,
    pub(crate) first: Box<dyn Session>,
    pub(crate) source: Box<dyn Source>,
}

impl Model {
    /// The model, asked as its declared shapes let one hope for.
    pub(crate) fn new(loaded: Loaded, settings: &Settings) -> Result<Self, Error> {
        let Loaded { inputs, outputs, first, source } = loaded;
        let n = inputs.len().max(outputs.len());
        if n > limits::REQUEST_TENSORS {
            return Err(Error::TooManyTensors { n });
        }
        let n_max = settings.n_batch_rows.clamp(1, limits::BATCH_ROWS);
        let n_sessions = settings.n_sessions.max(1);
        let mut sessions = vec![Mutex::new(Some(first))];
        sessions.resize_with(n_sessions, Mutex::default);
        let asking = asking(&inputs, &outputs, n_max);
        Ok(Self { inputs, outputs, asking, sessions, streams: Mutex::new(vec![0; n_sessions]), source })
    }

    /// The session that the fewest streams use, made if it is not there yet. To be given back.
    pub(crate) fn join(&self) -> usize {
        let slot = {
            let mut streams = held(&self.streams);
            let fewest = (0..streams.len()).min_by_key(|slot| streams[*slot]).unwrap_or(0);
            streams[fewest] += 1;
            fewest
        };
        let mut session = held(&self.sessions[slot]);
        if session.is_none() {
            match self.source.session() {
                Ok(made) => *session = Some(made),
                Err(error) => {
                    // There may not be memory for a second one; the first serves this stream too.
                    tracing::warn!(%error, "could not make another session; streams share one");
                    drop(session);
                    self.leave(slot);
                    held(&self.streams)[0] += 1;
                    return 0;
                }
            }
        }
        slot
    }

    /// Gives a session back that a stream used.
    pub(crate) fn leave(&self, slot: usize) {
        let mut streams = held(&self.streams);
        streams[slot] = streams[slot].saturating_sub(1);
    }

    /// Does something with a session, when nobody else does.
    pub(crate) fn with_session<T>(&self, slot: usize, act: impl FnOnce(&mut dyn Session) -> T) -> Option<T> {
        held(&self.sessions[slot]).as_mut().map(|session| act(session.as_mut()))
    }
}

/// What the declared shapes let one hope for; probing may find that rows are not independent after all.
fn asking(inputs: &[TensorSpec], outputs: &[TensorSpec], n_max: usize) -> Asking {
    let all_begin = |tensors: &[TensorSpec], with: &[i64]| {
        !tensors.is_empty()
            && tensors.iter().all(|tensor| tensor.shape.first().is_some_and(|n| with.contains(n)))
    };
    // An output whose rank the model does not declare has no shape here; the answer will show its rows.
    let declared: Vec<_> = outputs.iter().filter(|output| !output.shape.is_empty()).cloned().collect();
    let outputs_begin = |with: &[i64]| declared.is_empty() || all_begin(&declared, with);
    if all_begin(inputs, &[-1]) && outputs_begin(&[-1]) {
        Asking::Rows { n_min: 1, n_max }
    } else if all_begin(inputs, &[1]) && outputs_begin(&[1, -1]) {
        Asking::Rows { n_min: 1, n_max: 1 }
    } else {
        Asking::Whole
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What a panic left half-done is a call of the model, and a session has no half-done state of ours.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use spec::tensor::Datatype;

    use super::*;

    #[test]
    fn the_first_dimension_says_how_a_model_is_asked() {
        let tensor =
            |shape: &[i64]| TensorSpec { name: "x".into(), datatype: Datatype::Fp32, shape: shape.into() };
        let asked = |input: &[i64], output: &[i64]| asking(&[tensor(input)], &[tensor(output)], 64);
        assert_eq!(asked(&[-1, 4], &[-1]), Asking::Rows { n_min: 1, n_max: 64 });
        assert_eq!(asked(&[1, 4], &[1, 3]), Asking::Rows { n_min: 1, n_max: 1 });
        assert_eq!(asked(&[-1, 4], &[]), Asking::Rows { n_min: 1, n_max: 64 });
        assert_eq!(asked(&[-1, 4], &[3]), Asking::Whole);
        assert_eq!(asked(&[3, 224, 224], &[1000]), Asking::Whole);
        assert_eq!(asking(&[], &[tensor(&[-1])], 64), Asking::Whole);
    }
}
