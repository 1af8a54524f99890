//! Frames between gateway and runtime: however the stream is cut, the same frames come.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spec::frame::Decoder;

fuzz_target!(|bytes: &[u8]| {
    let (mut whole, mut cut) = (Decoder::new(), Decoder::new());
    whole.push(bytes);
    let (mut at_once, mut piecemeal) = (Vec::new(), Vec::new());
    while let Ok(Some(frame)) = whole.next_frame() {
        at_once.push(frame);
    }
    for piece in bytes.chunks(7) {
        cut.push(piece);
        while let Ok(Some(frame)) = cut.next_frame() {
            piecemeal.push(frame);
        }
    }
    assert_eq!(at_once, piecemeal);
    assert_eq!(whole.is_between_frames(), cut.is_between_frames());
});
