//! State that all threads of a process share, behind a lock that waits by turning.
//!
//! The C library's locks may not be used: a fork can leave them held for ever. Invariant: what is inside is
//! reached by one thread at a time, and the lock of a forked child is open again.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::sys;

pub struct Locked<T> {
    is_held: AtomicBool,
    inner: UnsafeCell<T>,
}

// SAFETY: `with` lets one thread at a time to what is inside.
unsafe impl<T> Sync for Locked<T> {}

impl<T> Locked<T> {
    pub const fn new(inner: T) -> Self {
        Self { is_held: AtomicBool::new(false), inner: UnsafeCell::new(inner) }
    }

    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        while self.is_held.compare_exchange_weak(false, true, Ordering::Acquire, Ordering::Relaxed).is_err() {
            sys::give_way();
        }
        // SAFETY: the flag was taken above and is given back below, so nobody else is inside.
        let result = work(unsafe { &mut *self.inner.get() });
        self.is_held.store(false, Ordering::Release);
        result
    }

    /// Opens the lock in a child that was just forked, where whoever held it does not exist.
    pub fn open_after_fork(&self) {
        self.is_held.store(false, Ordering::Release);
    }
}
