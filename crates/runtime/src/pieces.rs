//! Answers that are given piece by piece, on one stream.
//!
//! A piece is computed when it is asked for and not before, so a slow reader makes nothing pile up; in between the
//! session answers others. Knows no frame. Invariant: an answer that ended, failed or was cancelled is forgotten here
//! and in its session.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU32, Ordering};

use spec::frame::Id;

use crate::backend::Pull;
use crate::call;
use crate::model::Model;
use crate::request::{Refusal, Request};

/// Most answers of one stream that are given in pieces at a time.
const MOST: usize = 64;

/// Streams share sessions, which know an answer by a number of its own.
static NUMBER: AtomicU32 = AtomicU32::new(1);

/// The answers under way, and of which the next piece is wanted.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    open: BTreeMap<Id, u32>,
    wanted: VecDeque<Id>,
}

impl Pieces {
    /// Whether there is a piece to be computed.
    pub(crate) fn is_asked(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// Wants the next piece. Of an answer that has ended there is none, and the gateway knows by now.
    pub(crate) fn ask(&mut self, id: Id) {
        if self.open.contains_key(&id) && !self.wanted.contains(&id) {
            self.wanted.push_back(id);
        }
    }

    /// Begins an answer: its first piece, or none where it is empty.
    pub(crate) fn open(
        &mut self,
        request: &Request,
        model: &Model,
        slot: usize,
    ) -> Result<Option<String>, Refusal> {
        if self.open.len() >= MOST {
            return Err(Refusal::TooManyStreams);
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let pulled = model.with_session(slot, |session| call::open(session, model, (request, number)));
        let pulled = pulled.unwrap_or(Err(Refusal::Panic))?;
        if pulled.is_some() {
            self.open.insert(request.id, number);
        }
        Ok(pulled)
    }

    /// The piece that has been wanted longest; none inside where the answer ended.
    pub(crate) fn next(
        &mut self,
        model: &Model,
        slot: usize,
    ) -> Option<(Id, Result<Option<String>, Refusal>)> {
        let id = self.wanted.pop_front()?;
        let number = *self.open.get(&id)?;
        let pulled = model.with_session(slot, |session| call::pull(session, number, Pull::Next));
        let pulled = pulled.unwrap_or(Err(Refusal::Panic));
        if !matches!(pulled, Ok(Some(_))) {
            self.open.remove(&id);
        }
        Some((id, pulled))
    }

    /// Ends an answer that nobody wants any longer.
    pub(crate) fn close(&mut self, id: Id, model: &Model, slot: usize) {
        self.wanted.retain(|wanted| *wanted != id);
        if let Some(number) = self.open.remove(&id) {
            model.with_session(slot, |session| session.close(number));
        }
    }

    /// Ends all of them, as the stream ends.
    pub(crate) fn close_all(&mut self, model: &Model, slot: usize) {
        self.wanted.clear();
        for number in std::mem::take(&mut self.open).into_values() {
            model.with_session(slot, |session| session.close(number));
        }
    }
}
