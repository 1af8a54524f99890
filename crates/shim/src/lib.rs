//! What is preloaded into every process of a recorded or replayed run, and stands between it and its entropy.
//!
//! It sees which entropy is drawn, which files are opened, which threads and processes are made, and writes
//! that to a log of its own process; in a replay it gives out again what was recorded. It knows nothing of
//! capsules or Python, and links against nothing but old functions of the C library, so that it loads
//! wherever that is at least glibc 2.17. Invariants: it never allocates with the C library, never panics, and
//! without its variables in the environment it changes nothing.

#![no_std]
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]
#![expect(unsafe_code, reason = "it stands in for functions of the C library")]

mod cell;
mod draw;
mod ends;
mod hooks;
#[path = "../../spec/src/capsule/layout.rs"]
mod layout;
mod log;
mod real;
mod script;
mod site;
mod state;
mod stream;
mod sys;
mod task;
mod text;

/// Nothing here panics; if something did after all, the program must not go on with half a log.
#[cfg(feature = "preload")]
#[panic_handler]
fn panicked(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(sys::BROKEN)
}

// The core library was built to unwind and names this function, which nothing here ever calls.
#[cfg(feature = "preload")]
core::arch::global_asm!(
    ".globl rust_eh_personality",
    ".hidden rust_eh_personality",
    "rust_eh_personality:",
    "ud2",
);
