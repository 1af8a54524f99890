//! One stream to a runtime, used by one reactor: many requests under way at once, each waiting for its answer.
//!
//! Knows frames and nothing of schemas, rights or processes. What queues while the reactor is busy goes out in
//! one write, without a timer; where much queues, in several, so that the model computes while the reactor reads on.
//! Invariants: every request is answered exactly once, by its own answer or by the news that the stream ended; a
//! request that nobody waits for any longer is cancelled at the runtime.

mod socket;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use spec::frame::{self, Answer, Decoder, Failure, Frame, Hello, Id, IndexedTensor, Method, Part, Writer};
use tokio::io::AsyncReadExt;
use tokio::sync::{Notify, oneshot};

use socket::{Incoming, Outgoing};

/// So many frames that wait are written at once, and do not wait until the reactor has nothing else to do.
const EARLY_FRAMES: usize = 16;

/// A stream to a runtime. Cheap to clone; the stream ends when the last clone is gone.
#[derive(Debug, Clone)]
pub struct Link {
    shared: Arc<Shared>,
    _closer: Arc<Closer>,
}

/// How a request ended without an answer.
#[derive(Debug)]
pub enum Broken {
    /// The runtime said no.
    Refused(Failure),
    /// The stream ended; nothing is known of the request.
    Closed,
    /// The request cannot be put into a frame.
    TooLarge(frame::EncodeError),
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    socket: Outgoing,
    /// Something waits to be written.
    wake: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Frames, of which so many bytes are written.
    outgoing: Vec<u8>,
    n_written: usize,
    /// Frames since something was last written.
    n_frames: usize,
    slots: Vec<Slot>,
    free: Vec<u32>,
    is_closed: bool,
}

#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    /// Also between two pieces, when nobody waits.
    is_used: bool,
    waiter: Option<Waiter>,
}

type Waiter = oneshot::Sender<Result<Reply, Failure>>;

/// What comes back.
#[derive(Debug)]
enum Reply {
    Answer(Answer),
    Part(Part),
}

impl Link {
    /// Connects and waits for the runtime's hello. Must be called on the reactor that will use the link.
    pub async fn connect(socket: &Path) -> std::io::Result<(Self, Hello)> {
        let (mut incoming, socket) = socket::connect(socket).await?;
        let mut decoder = Decoder::new();
        let hello = match next_frame(&mut incoming, &mut decoder).await? {
            Some(Frame::Hello(hello)) if hello.protocol == frame::PROTOCOL => *hello,
            Some(_) => return Err(std::io::Error::other("the runtime speaks another protocol")),
            None => return Err(std::io::ErrorKind::UnexpectedEof.into()),
        };
        let shared = Arc::new(Shared { state: Mutex::default(), socket, wake: Notify::new() });
        tokio::spawn(write_frames(Arc::clone(&shared)));
        tokio::spawn(read_answers(Arc::clone(&shared), incoming, decoder));
        let closer = Arc::new(Closer(Arc::clone(&shared)));
        Ok((Self { shared, _closer: closer }, hello))
    }

    /// Sends a request and waits for its answer. Dropping the future cancels the request.
    pub async fn ask(
        &self,
        method: Method,
        tensors: &[IndexedTensor],
        deadline_ms: u32,
    ) -> Result<Answer, Broken> {
        let (id, receiver) = self.send(method, tensors, deadline_ms)?;
        let mut guard = CancelOnDrop { shared: &self.shared, id: Some(id) };
        let answer = receiver.await;
        guard.id = None;
        match answer {
            Ok(Ok(Reply::Answer(answer))) => Ok(answer),
            Ok(Err(failure)) => Err(Broken::Refused(failure)),
            // Nothing comes in pieces that was not asked for so.
            Ok(Ok(Reply::Part(_))) | Err(_) => Err(Broken::Closed),
        }
    }

    /// Sends a request for an answer in pieces. Dropping what comes of it cancels the request.
    pub fn stream(&self, tensors: &[IndexedTensor], deadline_ms: u32) -> Result<Streaming, Broken> {
        let (id, receiver) = self.send(Method::Stream, tensors, deadline_ms)?;
        Ok(Streaming { link: self.clone(), id, receiver: Some(receiver), has_ended: false })
    }

    fn send(&self, method: Method, tensors: &[IndexedTensor], deadline_ms: u32) -> Result<Sent, Broken> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.shared.lock();
        if state.is_closed {
            return Err(Broken::Closed);
        }
        let id = state.take_slot(sender);
        let deadline_ms = Some(deadline_ms);
        if let Err(error) = write_request(&mut state.outgoing, (id, method), tensors, deadline_ms) {
            state.free_slot(id);
            return Err(Broken::TooLarge(error));
        }
        state.n_frames += 1;
        if state.n_frames == EARLY_FRAMES {
            // What went wrong, the task that writes the rest will meet.
            let _ = state.write_outgoing(&self.shared.socket);
        }
        drop(state);
        self.shared.wake.notify_one();
        Ok((id, receiver))
    }

    pub fn is_closed(&self) -> bool {
        self.shared.lock().is_closed
    }
}

/// A request that was sent, and where its answer comes.
type Sent = (Id, oneshot::Receiver<Result<Reply, Failure>>);

/// An answer that comes in pieces, each when it is asked for.
#[derive(Debug)]
pub struct Streaming {
    link: Link,
    id: Id,
    /// Where the piece comes that was asked for last.
    receiver: Option<oneshot::Receiver<Result<Reply, Failure>>>,
    has_ended: bool,
}

impl Streaming {
    /// The next piece; none at the end of the answer.
    pub async fn next(&mut self) -> Result<Option<String>, Broken> {
        if self.has_ended {
            return Ok(None);
        }
        if self.receiver.is_none() {
            let (sender, receiver) = oneshot::channel();
            if !self.link.shared.ask_more(self.id, sender) {
                self.has_ended = true;
                return Err(Broken::Closed);
            }
            self.receiver = Some(receiver);
        }
        let Some(receiver) = &mut self.receiver else { return Ok(None) };
        let reply = receiver.await;
        self.receiver = None;
        self.has_ended = !matches!(reply, Ok(Ok(Reply::Part(_))));
        match reply {
            Ok(Ok(Reply::Part(part))) => Ok(Some(part.text)),
            Ok(Ok(Reply::Answer(_))) => Ok(None),
            Ok(Err(failure)) => Err(Broken::Refused(failure)),
            Err(_) => Err(Broken::Closed),
        }
    }
}

impl Drop for Streaming {
    fn drop(&mut self) {
        if !self.has_ended {
            self.link.shared.cancel(self.id);
        }
    }
}

fn write_request(
    out: &mut Vec<u8>,
    (id, method): (Id, Method),
    tensors: &[IndexedTensor],
    deadline_ms: Option<u32>,
) -> Result<(), frame::EncodeError> {
    let mut writer = Writer::ask(out, id, deadline_ms, method);
    for tensor in tensors {
        writer.tensor(tensor.index, tensor.datatype, &tensor.shape, &tensor.data)?;
    }
    writer.finish()
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here panics with the lock held, and a state seen halfway is still whole.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for the next piece of an answer; false where the stream has ended.
    fn ask_more(&self, id: Id, waiter: Waiter) -> bool {
        let mut state = self.lock();
        if state.is_closed {
            return false;
        }
        let Some(slot) = state.used(id) else { return false };
        slot.waiter = Some(waiter);
        frame::write_more(&mut state.outgoing, id);
        drop(state);
        self.wake.notify_one();
        true
    }

    /// Tells the runtime that nobody waits for this any longer.
    fn cancel(&self, id: Id) {
        let mut state = self.lock();
        if state.used(id).is_some() {
            state.free_slot(id);
            if !state.is_closed {
                frame::write_cancel(&mut state.outgoing, id);
            }
            drop(state);
            self.wake.notify_one();
        }
    }

    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        // Dropping a waiter tells its request that the stream ended.
        state.slots.iter_mut().for_each(|slot| slot.waiter = None);
        drop(state);
        self.socket.end();
        self.wake.notify_one();
    }
}

impl State {
    /// Writes what waits, as far as there is room; whether that was all.
    fn write_outgoing(&mut self, socket: &Outgoing) -> std::io::Result<bool> {
        if self.outgoing.is_empty() {
            return Ok(true);
        }
        self.n_frames = 0;
        self.n_written += socket.write(&self.outgoing[self.n_written..])?;
        // Moved to the front only when that is less than what was written, so that no byte is moved twice.
        if 2 * self.n_written >= self.outgoing.len() {
            self.outgoing.drain(..self.n_written);
            self.n_written = 0;
        }
        Ok(self.outgoing.is_empty())
    }

    fn take_slot(&mut self, waiter: Waiter) -> Id {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let entry = &mut self.slots[slot as usize];
        entry.generation = entry.generation.wrapping_add(1);
        entry.is_used = true;
        entry.waiter = Some(waiter);
        Id { slot, generation: entry.generation }
    }

    fn free_slot(&mut self, id: Id) -> Option<Waiter> {
        let slot = self.used(id)?;
        slot.is_used = false;
        let waiter = slot.waiter.take();
        self.free.push(id.slot);
        waiter
    }

    /// The slot of a request that has not ended.
    fn used(&mut self, id: Id) -> Option<&mut Slot> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        (slot.is_used && slot.generation == id.generation).then_some(slot)
    }
}

struct CancelOnDrop<'a> {
    shared: &'a Shared,
    id: Option<Id>,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.cancel(id);
        }
    }
}

#[derive(Debug)]
struct Closer(Arc<Shared>);

impl Drop for Closer {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn write_frames(shared: Arc<Shared>) {
    loop {
        shared.wake.notified().await;
        loop {
            let written = {
                let mut state = shared.lock();
                if state.is_closed {
                    return;
                }
                state.write_outgoing(&shared.socket)
            };
            match written {
                Ok(true) => break,
                Ok(false) if shared.socket.room().await.is_ok() => {}
                Ok(false) | Err(_) => return shared.close(),
            }
        }
    }
}

async fn read_answers(shared: Arc<Shared>, mut incoming: Incoming, mut decoder: Decoder) {
    loop {
        let (id, result) = match next_frame(&mut incoming, &mut decoder).await {
            Ok(Some(Frame::Answer(answer))) => (answer.id, Ok(Reply::Answer(answer))),
            Ok(Some(Frame::Part(part))) => (part.id, Ok(Reply::Part(part))),
            Ok(Some(Frame::Failure(failure))) => (failure.id, Err(failure)),
            Ok(Some(_) | None) | Err(_) => return shared.close(),
        };
        let waiter = match &result {
            // More may come of it.
            Ok(Reply::Part(_)) => shared.lock().used(id).and_then(|slot| slot.waiter.take()),
            _ => shared.lock().free_slot(id),
        };
        if let Some(waiter) = waiter {
            // Whoever waited may have gone in this very moment; then nobody misses the answer.
            let _ = waiter.send(result);
        }
    }
}

async fn next_frame(incoming: &mut Incoming, decoder: &mut Decoder) -> std::io::Result<Option<Frame>> {
    loop {
        if let Some(frame) = decoder.next_frame().map_err(std::io::Error::other)? {
            return Ok(Some(frame));
        }
        if incoming.read_buf(decoder.space()).await? == 0 {
            return Ok(None);
        }
    }
}
