//! The requests of one stream that wait for the model.
//!
//! Knows neither streams nor models; the time is told to it. Invariant: a request is taken in the order of
//! arrival but for two things: rows of the same shape go along with it, and one that is too large for a call
//! goes to the end of the queue after each piece, so that small ones need not wait for all of it.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

use spec::frame::Id;

use crate::model::Asking;
use crate::output::Output;
use crate::request::Request;

/// A request that waits, and what it was answered so far.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(crate) request: Request,
    /// When nobody waits for it any longer.
    pub(crate) deadline: Option<Instant>,
    pub(crate) n_done: usize,
    /// The outputs of the rows that are done.
    pub(crate) gathered: Vec<Output>,
}

/// The requests that wait.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    pending: VecDeque<Pending>,
    n_bytes: usize,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// What the waiting requests take up.
    pub(crate) fn n_bytes(&self) -> usize {
        self.n_bytes
    }

    /// Puts a request at the end.
    pub(crate) fn push(&mut self, pending: Pending) {
        self.n_bytes += pending.request.n_bytes();
        self.pending.push_back(pending);
    }

    /// Drops a request that nobody waits for.
    pub(crate) fn cancel(&mut self, id: Id) {
        self.take_if(|pending| pending.request.id == id);
    }

    /// Takes out what is too late.
    pub(crate) fn expired(&mut self, now: Instant) -> Vec<Pending> {
        self.take_if(|pending| pending.deadline.is_some_and(|deadline| deadline <= now))
    }

    /// Takes out what the next call computes: requests that are alike, and of each the rows it is to do.
    pub(crate) fn next_call(&mut self, asking: Asking) -> Vec<(Pending, Range<usize>)> {
        let n_max = match asking {
            Asking::Rows { n_max, .. } => n_max,
            Asking::Whole => 1,
        };
        let mut room = n_max;
        let mut call: Vec<(Pending, Range<usize>)> = Vec::new();
        let mut left = VecDeque::with_capacity(self.pending.len());
        for pending in self.pending.drain(..) {
            let fits = call.first().is_none_or(|(first, _)| first.request.is_like(&pending.request));
            if room == 0 || !fits {
                left.push_back(pending);
                continue;
            }
            let n = room.min(pending.request.n_rows - pending.n_done);
            room -= n;
            self.n_bytes -= pending.request.n_bytes();
            let rows = pending.n_done..pending.n_done + n;
            call.push((pending, rows));
        }
        self.pending = left;
        call
    }

    fn take_if(&mut self, is_wanted: impl Fn(&Pending) -> bool) -> Vec<Pending> {
        if !self.pending.iter().any(&is_wanted) {
            return Vec::new();
        }
        let (taken, left): (Vec<_>, Vec<_>) = self.pending.drain(..).partition(is_wanted);
        self.n_bytes -= taken.iter().map(|pending| pending.request.n_bytes()).sum::<usize>();
        self.pending = left.into();
        taken
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use spec::frame::Method;
    use spec::tensor::Datatype;

    use super::*;
    use crate::request::Column;

    const ASKING: Asking = Asking::Rows { n_min: 1, n_max: 4 };

    fn pending(slot: u32, n_rows: usize, width: usize) -> Pending {
        let column = Column::new(Datatype::Uint8, vec![width], vec![0; n_rows * width].into());
        let (id, method) = (Id { slot, generation: 0 }, Method::Predict);
        let request = Request { id, method, n_rows, columns: vec![column] };
        Pending { request, deadline: None, n_done: 0, gathered: Vec::new() }
    }

    fn queue(requests: impl IntoIterator<Item = Pending>) -> Queue {
        let mut queue = Queue::default();
        requests.into_iter().for_each(|pending| queue.push(pending));
        queue
    }

    /// Slots and rows of the next call; what is not done goes back, as a stream does it.
    fn step(queue: &mut Queue) -> Vec<(u32, Range<usize>)> {
        let mut told = Vec::new();
        for (mut pending, rows) in queue.next_call(ASKING) {
            told.push((pending.request.id.slot, rows.clone()));
            pending.n_done = rows.end;
            if pending.n_done < pending.request.n_rows {
                queue.push(pending);
            }
        }
        told
    }

    #[test]
    fn rows_of_one_shape_go_into_one_call() {
        let mut queue = queue([pending(1, 1, 2), pending(2, 1, 3), pending(3, 2, 2), pending(4, 2, 2)]);
        assert_eq!(step(&mut queue), [(1, 0..1), (3, 0..2), (4, 0..1)]);
        assert_eq!(step(&mut queue), [(2, 0..1)]);
        assert_eq!(step(&mut queue), [(4, 1..2)]);
        assert!(queue.is_empty() && queue.n_bytes() == 0);
    }

    #[test]
    fn what_is_asked_for_something_else_is_another_call() {
        let asking = |slot, method| {
            let mut pending = pending(slot, 1, 2);
            pending.request.method = method;
            pending
        };
        let (explain, stream) = (Method::Explain, Method::Stream);
        let mut queue = queue([asking(1, explain), pending(2, 1, 2), asking(3, explain), asking(4, stream)]);
        queue.push(asking(5, stream));
        assert_eq!(step(&mut queue), [(1, 0..1), (3, 0..1)]);
        assert_eq!(step(&mut queue), [(2, 0..1)]);
        assert_eq!(step(&mut queue), [(4, 0..1)]);
        assert_eq!(step(&mut queue), [(5, 0..1)]);
    }

    #[test]
    fn a_large_request_lets_small_ones_pass() {
        let mut queue = queue([pending(1, 9, 2), pending(2, 1, 2), pending(3, 1, 2)]);
        assert_eq!(step(&mut queue), [(1, 0..4)]);
        assert_eq!(step(&mut queue), [(2, 0..1), (3, 0..1), (1, 4..6)]);
        assert_eq!(step(&mut queue), [(1, 6..9)]);
        assert_eq!(step(&mut queue), []);
    }

    #[test]
    fn what_is_cancelled_or_late_is_not_computed() {
        let mut late = pending(2, 1, 2);
        let now = Instant::now();
        late.deadline = Some(now);
        let mut queue = queue([pending(1, 1, 2), late, pending(3, 1, 2)]);
        queue.cancel(Id { slot: 1, generation: 0 });
        queue.cancel(Id { slot: 3, generation: 7 });
        assert!(queue.expired(now - Duration::from_millis(1)).is_empty());
        assert_eq!(queue.expired(now).len(), 1);
        assert_eq!(step(&mut queue), [(3, 0..1)]);
        assert_eq!(queue.n_bytes(), 0);
    }

    #[test]
    fn a_model_asked_as_a_whole_gets_one_request_at_a_time() {
        let mut queue = queue([pending(1, 1, 2), pending(2, 1, 2)]);
        assert_eq!(queue.next_call(Asking::Whole).len(), 1);
    }
}
