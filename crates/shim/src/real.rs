//! The functions that the hooks stand in front of, looked up when they are first needed.
//!
//! Invariant: what is found is the next of that name behind this library, so the user's own preloaded
//! libraries keep their turn.

use core::ffi::{CStr, c_void};
use core::sync::atomic::{AtomicPtr, Ordering};

use crate::sys;

pub struct Real {
    name: &'static CStr,
    found: AtomicPtr<c_void>,
}

impl Real {
    pub const fn new(name: &'static CStr) -> Self {
        Self { name, found: AtomicPtr::new(core::ptr::null_mut()) }
    }

    /// The address of the function; null where there is none.
    pub fn address(&self) -> *mut c_void {
        let known = self.found.load(Ordering::Acquire);
        if !known.is_null() {
            return known;
        }
        const NEXT: *mut c_void = usize::MAX as *mut c_void;
        // SAFETY: the name ends with a zero, and -1 is the handle for "behind the caller".
        let found = unsafe { sys::dlsym(NEXT, self.name.as_ptr()) };
        self.found.store(found, Ordering::Release);
        found
    }
}

/// Calls the real function of a name with this type, or gives `$missing` where there is none.
macro_rules! real {
    ($name:literal as fn($($kind:ty),*) -> $result:ty, ($($argument:expr),*), $missing:expr) => {{
        static REAL: $crate::real::Real = $crate::real::Real::new($name);
        // SAFETY: the C library declares the function of this name with this type; an absent one is none.
        let real: Option<unsafe extern "C" fn($($kind),*) -> $result> =
            unsafe { core::mem::transmute(REAL.address()) };
        match real {
            // SAFETY: the arguments are those that the program gave for this very function.
            Some(real) => unsafe { real($($argument),*) },
            None => $missing,
        }
    }};
}

pub(crate) use real;
