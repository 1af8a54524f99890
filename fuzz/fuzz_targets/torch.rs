//! The pickle that describes the model in a PyTorch archive.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::read_twice("model.pt", &fuzz::torch(bytes)));
