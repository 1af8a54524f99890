//! Threads as streams of draws: each has a number that says who made it and as which.
//!
//! Four levels of sixteen bits. Invariant: the number depends on who made whom in which order only, never on
//! when; a thread whose making was not seen has a number of its own, which all such threads share.

use core::ffi::c_void;
use core::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use crate::layout::UNKNOWN_STREAM;
use crate::sys;
use crate::text::Text;

/// What is counted for each thread.
pub struct Stream {
    number: AtomicU64,
    n_draws: AtomicU32,
    n_children: AtomicU32,
    n_threads: AtomicU32,
    /// Blocks that were drawn in the task that is under way.
    n_blocks: AtomicU32,
    /// Whether a thread has it, and how often the end of that was told.
    is_taken: AtomicBool,
    n_ends: AtomicU32,
}

impl Stream {
    const fn new(number: u64) -> Self {
        let zero = AtomicU32::new;
        Self {
            number: AtomicU64::new(number),
            n_draws: zero(0),
            n_children: zero(0),
            n_threads: zero(0),
            n_blocks: zero(0),
            is_taken: AtomicBool::new(false),
            n_ends: zero(0),
        }
    }

    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// The number of the next draw, from 0.
    pub fn next_draw(&self) -> u32 {
        self.n_draws.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the next child process, from 0.
    pub fn next_child(&self) -> u32 {
        self.n_children.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the next thread, from 0.
    pub fn next_thread(&self) -> u32 {
        self.n_threads.fetch_add(1, Ordering::Relaxed)
    }

    /// The number of the next block of a task's keystream, from 0.
    pub fn next_block(&self) -> u32 {
        self.n_blocks.fetch_add(1, Ordering::Relaxed)
    }

    pub fn restart_blocks(&self) {
        self.n_blocks.store(0, Ordering::Relaxed);
    }

    fn restart(&self) {
        self.number.store(0, Ordering::Relaxed);
        self.n_draws.store(0, Ordering::Relaxed);
        self.n_children.store(0, Ordering::Relaxed);
        self.n_threads.store(0, Ordering::Relaxed);
        self.restart_blocks();
        self.n_ends.store(0, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        self.is_taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn give_back(&self) {
        self.is_taken.store(false, Ordering::Release);
    }
}

/// More threads than this at a time share the unknown stream.
const MOST: usize = 4096;

static UNKNOWN: Stream = Stream::new(UNKNOWN_STREAM);
static MAIN: Stream = Stream::new(0);
static STREAMS: [Stream; MOST] = [const { Stream::new(0) }; MOST];
/// Where a free one is looked for first.
static NEXT: AtomicU32 = AtomicU32::new(0);
/// The key under which a thread finds its stream, plus one; zero while there is none.
static KEY: AtomicU32 = AtomicU32::new(0);

/// Makes the calling thread the first one of its process.
pub fn begin() {
    if KEY.load(Ordering::Acquire) == 0 {
        let mut key = 0;
        // SAFETY: `key` is ours to be written to, and `end` has the type that is called at a thread's end.
        if unsafe { sys::pthread_key_create(&raw mut key, Some(end)) } == 0 {
            KEY.store(key + 1, Ordering::Release);
        }
    }
    MAIN.restart();
    // In a forked child there is no other thread.
    STREAMS.iter().for_each(Stream::give_back);
    NEXT.store(0, Ordering::Relaxed);
    enter(&MAIN);
}

/// Called at a thread's end, and again where it kept its stream, as often as the C library's other keys are given up:
/// what those draw is the thread's own still.
extern "C" fn end(stream: *mut c_void) {
    const ROUNDS: u32 = 3;
    // SAFETY: nothing is kept under the key but the streams of this file, which live as long as the process.
    let Some(stream) = (unsafe { stream.cast::<Stream>().as_ref() }) else { return };
    match stream.n_ends.fetch_add(1, Ordering::Relaxed) + 1 {
        ROUNDS.. => stream.give_back(),
        _ => enter(stream),
    }
}

/// The calling thread's stream.
pub fn current() -> &'static Stream {
    let Some(key) = KEY.load(Ordering::Acquire).checked_sub(1) else { return &MAIN };
    // SAFETY: the key was made in `begin`.
    let address = unsafe { sys::pthread_getspecific(key) };
    // SAFETY: nothing is kept under the key but the streams of this file, which live as long as the process.
    unsafe { address.cast::<Stream>().as_ref() }.unwrap_or(&UNKNOWN)
}

/// A stream for a thread that `parent` is about to make as its `ordinal`th.
pub fn of_child(parent: &Stream, ordinal: u32) -> &'static Stream {
    let number = match parent.number() {
        above if above >> 48 == 0 && ordinal < 0xffff => (above << 16) | u64::from(ordinal + 1),
        _ => return &UNKNOWN,
    };
    let first = NEXT.fetch_add(1, Ordering::Relaxed) as usize % MOST;
    let (before, after) = STREAMS.split_at_checked(first).unwrap_or_default();
    let Some(stream) = after.iter().chain(before).find(|stream| stream.take()) else { return &UNKNOWN };
    stream.restart();
    stream.number.store(number, Ordering::Relaxed);
    stream
}

/// Makes a stream that of the calling thread.
pub fn enter(stream: &'static Stream) {
    if let Some(key) = KEY.load(Ordering::Acquire).checked_sub(1) {
        // SAFETY: the key was made in `begin`, and the stream lives as long as the process.
        unsafe { sys::pthread_setspecific(key, (&raw const *stream).cast::<c_void>()) };
    }
}

/// Writes a stream's number as its levels: `0`, `3`, `3_1`.
pub fn push_name(text: &mut Text, stream: u64) {
    if stream == UNKNOWN_STREAM {
        text.push(b"u");
        return;
    }
    let mut is_first = true;
    for level in [48, 32, 16, 0] {
        let part = (stream >> level) & 0xffff;
        if part > 0 || (level == 0 && is_first) {
            if !is_first {
                text.push(b"_");
            }
            text.push_number(part);
            is_first = false;
        }
    }
}
