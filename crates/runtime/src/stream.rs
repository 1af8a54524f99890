//! One stream from beginning to end: read what has arrived, call the model once, answer in one write.
//!
//! Invariant: every request that is not cancelled gets one answer or one failure, on this stream; what breaks
//! the stream breaks no other.

use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::RecvFlags;
use spec::frame::{self, Decoder, Frame, FrameError, Id, Infer, Method};

use crate::call::{self, Called, Piece};
use crate::listen::Room;
use crate::model::Asking;
use crate::output::Output;
use crate::pieces::Pieces;
use crate::queue::{Pending, Queue};
use crate::request::{self, Refusal};

/// Bytes of one read.
const READ_BYTES: usize = 256 * 1024;
/// Requests that wait take up at most this and one more frame; then the gateway has to wait.
const QUEUE_BYTES: usize = 64 * 1024 * 1024;
/// An answer larger than this gives its memory back.
const KEPT_BYTES: usize = 1024 * 1024;

/// Why a stream ended other than by the gateway's wish.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("could not read or write")]
    Io(#[from] io::Error),
    #[error("what came is not a frame")]
    Frame(#[from] FrameError),
    #[error("a frame came that only a runtime sends")]
    Direction,
    #[error("it ended in the middle of a frame")]
    Truncated,
}

struct Stream<'a> {
    room: &'a Room,
    socket: &'a UnixStream,
    /// Which session this stream calls the model in.
    slot: usize,
    decoder: Decoder,
    queue: Queue,
    pieces: Pieces,
    out: Vec<u8>,
}

/// Serves a stream until it ends.
pub(crate) fn serve(room: &Room, socket: &UnixStream) {
    let slot = room.model.join();
    let (decoder, queue, out) = (Decoder::new(), Queue::default(), room.hello.clone());
    let pieces = Pieces::default();
    let mut stream = Stream { room, socket, slot, decoder, queue, pieces, out };
    if let Err(error) = stream.run() {
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(%error, cause, "closed a stream");
    }
    stream.pieces.close_all(&room.model, slot);
    room.model.leave(slot);
    room.statistics.log();
}

impl Stream<'_> {
    fn run(&mut self) -> Result<(), Broken> {
        let mut scratch = vec![0; READ_BYTES];
        self.flush()?;
        loop {
            let is_open = self.read(&mut scratch)?;
            self.take_frames()?;
            self.refuse_expired();
            self.give_piece();
            self.compute();
            self.flush()?;
            // A gateway that has only closed its sending half still gets what it asked for.
            if !is_open && self.is_idle() {
                return if self.decoder.is_between_frames() { Ok(()) } else { Err(Broken::Truncated) };
            }
        }
    }

    /// Reads all that has arrived, and waits for something where there is nothing else to do. False at the end.
    fn read(&mut self, scratch: &mut [u8]) -> Result<bool, Broken> {
        if self.is_idle() {
            // A thread that waits in a read would also be woken each time that the gateway has read an answer.
            match poll(&mut [PollFd::new(self.socket, PollFlags::IN)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(Broken::Io(error.into())),
            }
        }
        let mut n_read = 0;
        while self.queue.n_bytes() + n_read < QUEUE_BYTES {
            match rustix::net::recv(self.socket, &mut *scratch, RecvFlags::DONTWAIT) {
                Ok((_, 0)) => return Ok(false),
                Ok((n, _)) => {
                    self.decoder.push(&scratch[..n]);
                    n_read += n;
                    if n < scratch.len() {
                        break;
                    }
                }
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break,
                Err(error) => return Err(Broken::Io(error.into())),
            }
        }
        Ok(true)
    }

    fn take_frames(&mut self) -> Result<(), Broken> {
        while let Some(frame) = self.decoder.next_frame()? {
            match frame {
                Frame::Infer(infer) => self.enqueue(infer),
                Frame::More(id) => self.pieces.ask(id),
                Frame::Cancel(id) => {
                    self.queue.cancel(id);
                    self.pieces.close(id, &self.room.model, self.slot);
                }
                Frame::Hello(_) | Frame::Answer(_) | Frame::Failure(_) | Frame::Part(_) => {
                    return Err(Broken::Direction);
                }
            }
        }
        Ok(())
    }

    fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.pieces.is_asked()
    }

    fn enqueue(&mut self, infer: Infer) {
        let Infer { id, deadline_ms, method, tensors } = infer;
        let deadline = deadline_ms.map(|ms| Instant::now() + Duration::from_millis(ms.into()));
        match request::check(&self.room.model, (id, method), tensors) {
            Ok(request) => self.queue.push(Pending { request, deadline, n_done: 0, gathered: Vec::new() }),
            Err(refusal) => self.refuse(id, &refusal),
        }
    }

    fn refuse_expired(&mut self) {
        for pending in self.queue.expired(Instant::now()) {
            self.refuse(pending.request.id, &Refusal::Deadline);
        }
    }

    /// Makes the next call and writes what it answers.
    fn compute(&mut self) {
        let next = self.queue.next_call(self.room.model.asking);
        if next.is_empty() {
            return;
        }
        if let [(pending, _)] = next.as_slice()
            && pending.request.method == Method::Stream
        {
            let piece = self.pieces.open(&pending.request, &self.room.model, self.slot);
            return self.send_piece(pending.request.id, piece);
        }
        let pieces: Vec<_> = next
            .iter()
            .map(|(pending, rows)| Piece { request: &pending.request, rows: rows.clone() })
            .collect();
        match self.call(&pieces) {
            Ok(called) => {
                let mut start = 0;
                for (pending, rows) in next {
                    let end = start + rows.len();
                    self.deliver(pending, &called, start..end);
                    start = end;
                }
            }
            Err(refusal) if next.len() == 1 => self.refuse(next[0].0.request.id, &refusal),
            Err(refusal) if refusal.is_for_all() => {
                next.iter().for_each(|(pending, _)| self.refuse(pending.request.id, &refusal));
            }
            // One of them is at fault: each has to stand for itself.
            Err(_) => next.into_iter().for_each(|(pending, rows)| self.compute_alone(pending, rows)),
        }
    }

    /// Asks for the piece that has been wanted longest.
    fn give_piece(&mut self) {
        if let Some((id, piece)) = self.pieces.next(&self.room.model, self.slot) {
            self.send_piece(id, piece);
        }
    }

    fn send_piece(&mut self, id: Id, piece: Result<Option<String>, Refusal>) {
        let sent = piece.and_then(|piece| match piece {
            Some(text) => Ok(frame::write_part(&mut self.out, id, &text)?),
            None => {
                self.room.statistics.count_answer();
                Ok(frame::Writer::answer(&mut self.out, id, 0).finish()?)
            }
        });
        if let Err(refusal) = sent {
            self.pieces.close(id, &self.room.model, self.slot);
            self.refuse(id, &refusal);
        }
    }

    fn compute_alone(&mut self, pending: Pending, rows: Range<usize>) {
        let n_rows = rows.len();
        match self.call(&[Piece { request: &pending.request, rows }]) {
            Ok(called) => self.deliver(pending, &called, 0..n_rows),
            Err(refusal) => self.refuse(pending.request.id, &refusal),
        }
    }

    fn call(&self, pieces: &[Piece<'_>]) -> Result<Called, Refusal> {
        let model = &self.room.model;
        let called =
            model.with_session(self.slot, |session| call::call(session, model, model.asking, pieces));
        let called = called.unwrap_or(Err(Refusal::Panic))?;
        self.room.statistics.count_call(pieces.iter().map(|piece| piece.rows.len()).sum(), called.took);
        Ok(called)
    }

    /// Hands `rows` of what was computed to a request: its answer, or a part of it.
    fn deliver(&mut self, mut pending: Pending, called: &Called, rows: Range<usize>) {
        pending.n_done += rows.len();
        let is_done = pending.n_done == pending.request.n_rows;
        if is_done && pending.gathered.is_empty() {
            return self.answer(pending.request.id, called.took, &called.outputs, rows);
        }
        if pending.gathered.is_empty() {
            pending.gathered = called.outputs.iter().map(|output| output.cut(rows.clone())).collect();
        } else {
            for (place, (whole, output)) in pending.gathered.iter_mut().zip(&called.outputs).enumerate() {
                if !whole.append(output.cut(rows.clone())) {
                    let name = self.room.model.outputs.get(place).map(|spec| spec.name.clone());
                    let name = name.unwrap_or_default();
                    return self.refuse(pending.request.id, &Refusal::OutputShape { name });
                }
            }
        }
        if is_done {
            let n_rows = pending.request.n_rows;
            self.answer(pending.request.id, called.took, &pending.gathered, 0..n_rows);
        } else {
            self.queue.push(pending);
        }
    }

    fn answer(&mut self, id: Id, took: Duration, outputs: &[Output], rows: Range<usize>) {
        match self.write_answer(id, took, outputs, rows) {
            Ok(()) => self.room.statistics.count_answer(),
            Err(refusal) => self.refuse(id, &refusal),
        }
    }

    fn write_answer(
        &mut self,
        id: Id,
        took: Duration,
        outputs: &[Output],
        rows: Range<usize>,
    ) -> Result<(), Refusal> {
        let compute_us = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        let mut writer = frame::Writer::answer(&mut self.out, id, compute_us);
        for (index, output) in (0..).zip(outputs) {
            match self.room.model.asking {
                Asking::Rows { .. } => {
                    let shape = output.shape_of(rows.len());
                    writer.tensor(index, output.datatype, &shape, output.rows(rows.clone()))?;
                }
                Asking::Whole => {
                    writer.tensor(index, output.datatype, &output.shape, &output.data)?;
                }
            }
        }
        Ok(writer.finish()?)
    }

    fn refuse(&mut self, id: Id, refusal: &Refusal) {
        self.room.statistics.count_failure();
        frame::write_failure(&mut self.out, id, refusal.code(), &refusal.to_string());
    }

    fn flush(&mut self) -> Result<(), Broken> {
        self.socket.write_all(&self.out)?;
        self.out.clear();
        if self.out.capacity() > KEPT_BYTES {
            self.out = Vec::new();
        }
        Ok(())
    }
}
