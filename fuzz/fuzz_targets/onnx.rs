//! ONNX: a protobuf message, walked field by field.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::read_twice("model.onnx", bytes));
