//! The architecture in a Keras archive.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::read_twice("model.keras", &fuzz::keras(bytes)));
