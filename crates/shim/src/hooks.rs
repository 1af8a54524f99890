//! The functions of the C library that this library stands in for, by what they are about.
//!
//! A hook translates and calls; what is done stands beside this folder. Invariant: a hook answers as the real
//! function would, `errno` included.

mod entropy;
pub mod files;
mod libraries;
mod processes;
mod threads;
