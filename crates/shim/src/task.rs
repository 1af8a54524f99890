//! Tasks that a pool gives to whichever worker is free: what a task draws comes from a key of its own.
//!
//! The key was drawn where the task was made, and so is recorded there; which process computes the task, and
//! what that one did before, then matters to nothing. It knows no pool. Invariants: a thread draws the same in a
//! task in whichever process it is computed, and a child that a task forks gets a key that nobody else has.

use core::sync::atomic::{AtomicBool, Ordering};

use crate::cell::Locked;
use crate::stream::{self, Stream};

/// A key, in words of four bytes.
pub type Key = [u32; 8];

struct Task {
    key: Key,
    index: u64,
}

static TASK: Locked<Task> = Locked::new(Task { key: [0; 8], index: 0 });
/// Whether this process has begun a task. It stays so: what it draws between two belongs to neither, and must
/// not come from what was recorded of the process, since another one may have got the task.
static IS_ON: AtomicBool = AtomicBool::new(false);

const BLOCK_BYTES: usize = 64;

/// Begins the task of a number, with a key of 32 bytes. The hooks in Python call it.
// SAFETY: no function of the C library is called so.
#[unsafe(no_mangle)]
pub extern "C" fn reenact_begin_task(key: *const [u8; 32], index: u64) {
    // SAFETY: the caller gives 32 bytes, or nothing.
    let Some(bytes) = (unsafe { key.as_ref() }) else { return };
    begin(words(bytes), index);
}

fn begin(key: Key, index: u64) {
    TASK.with(|task| *task = Task { key, index });
    stream::current().restart_blocks();
    IS_ON.store(true, Ordering::Release);
}

/// Fills a space where a task is under way; whether there is one.
pub fn fill(stream: &Stream, space: &mut [u8]) -> bool {
    if !IS_ON.load(Ordering::Acquire) {
        return false;
    }
    let (key, index) = TASK.with(|task| (task.key, task.index));
    let nonce = [stream.number() as u32, index as u32, (index >> 32) as u32];
    for part in space.chunks_mut(BLOCK_BYTES) {
        let block = block(&key, stream.next_block(), nonce);
        let bytes = block.iter().flat_map(|word| word.to_le_bytes());
        part.iter_mut().zip(bytes).for_each(|(space, byte)| *space = byte);
    }
    true
}

/// A key for a child that is about to be forked; none outside of tasks.
pub fn key_of_child() -> Option<Key> {
    let mut bytes = [0; 32];
    fill(stream::current(), &mut bytes).then(|| words(&bytes))
}

/// Goes on in a child that was just forked, with the key that was made for it.
pub fn become_forked(key: Option<Key>) {
    TASK.open_after_fork();
    IS_ON.store(false, Ordering::Release);
    if let Some(key) = key {
        begin(key, 0);
    }
}

fn words(bytes: &[u8; 32]) -> Key {
    let mut key = [0; 8];
    for (word, part) in key.iter_mut().zip(bytes.chunks_exact(4)) {
        let mut four = [0; 4];
        four.iter_mut().zip(part).for_each(|(space, byte)| *space = *byte);
        *word = u32::from_le_bytes(four);
    }
    key
}

/// One block of ChaCha20, by RFC 8439.
fn block(key: &Key, counter: u32, nonce: [u32; 3]) -> [u32; 16] {
    let [a, b, c, d, e, f, g, h] = *key;
    let [x, y, z] = nonce;
    let start =
        [0x6170_7865, 0x3320_646e, 0x7962_2d32, 0x6b20_6574, a, b, c, d, e, f, g, h, counter, x, y, z];
    let mut state = start;
    for _ in 0..10 {
        quarter::<0, 4, 8, 12>(&mut state);
        quarter::<1, 5, 9, 13>(&mut state);
        quarter::<2, 6, 10, 14>(&mut state);
        quarter::<3, 7, 11, 15>(&mut state);
        quarter::<0, 5, 10, 15>(&mut state);
        quarter::<1, 6, 11, 12>(&mut state);
        quarter::<2, 7, 8, 13>(&mut state);
        quarter::<3, 4, 9, 14>(&mut state);
    }
    state.iter_mut().zip(start).for_each(|(word, first)| *word = word.wrapping_add(first));
    state
}

fn quarter<const A: usize, const B: usize, const C: usize, const D: usize>(state: &mut [u32; 16]) {
    state[A] = state[A].wrapping_add(state[B]);
    state[D] = (state[D] ^ state[A]).rotate_left(16);
    state[C] = state[C].wrapping_add(state[D]);
    state[B] = (state[B] ^ state[C]).rotate_left(12);
    state[A] = state[A].wrapping_add(state[B]);
    state[D] = (state[D] ^ state[A]).rotate_left(8);
    state[C] = state[C].wrapping_add(state[D]);
    state[B] = (state[B] ^ state[C]).rotate_left(7);
}
