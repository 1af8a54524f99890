//! Pickles with arrays between their opcodes; the first byte says how the whole is packed.

#![no_main]

use std::io::Read as _;

use flate2::Compression;
use flate2::read::{GzEncoder, ZlibEncoder};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((packing, pickle)) = bytes.split_first() else { return };
    let packed = match packing % 3 {
        0 => pickle.to_vec(),
        1 => ZlibEncoder::new(pickle, Compression::fast())
            .bytes()
            .collect::<Result<_, _>>()
            .expect("it is in memory"),
        _ => GzEncoder::new(pickle, Compression::fast())
            .bytes()
            .collect::<Result<_, _>>()
            .expect("it is in memory"),
    };
    fuzz::read_twice("model.joblib", &packed);
});
