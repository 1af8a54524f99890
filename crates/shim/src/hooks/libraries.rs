//! The function that unloads libraries: what was known of their addresses is forgotten.
//!
//! Invariant: no address is said to be a library's that another lies at now.

use core::ffi::{c_int, c_void};

use crate::real::real;
use crate::site;

// SAFETY: it has the type of `dlclose(3)`, and passes on what it was given.
#[unsafe(no_mangle)]
pub extern "C" fn dlclose(handle: *mut c_void) -> c_int {
    let closed = real!(c"dlclose" as fn(*mut c_void) -> c_int, (handle), -1);
    // Afterwards, since a library may draw in its last moments.
    site::forget();
    closed
}
