//! Any bytes under any name: telling the format, and whatever it is told to be. The first byte chooses the name.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((name, bytes)) = bytes.split_first() else { return };
    fuzz::read_twice(NAMES[usize::from(*name) % NAMES.len()], bytes);
});

/// One for each way in which a name decides anything.
const NAMES: &[&str] = &["model.onnx", "model.pkl", "model.npy", "model.bin", "model", "a/b.c/model.KERAS"];
