//! Pickles, whatever protocol, and PyTorch's older stream of pickles.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::read_twice("model.pkl", bytes));
