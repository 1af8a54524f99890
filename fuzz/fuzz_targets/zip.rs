//! Archives whose listing itself is foreign.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::read_twice("model.zip", bytes));
