//! Xorbs as they arrive: however they are cut, the same chunks come; what is taken unpacks to what has these hashes.

#![no_main]

use libfuzzer_sys::fuzz_target;
use spec::xet::XetHash;
use spec::xet::xorb::{self, Index, Verifier};

fuzz_target!(|bytes: &[u8]| {
    let (at_once, n_taken) = take(bytes, usize::MAX);
    let (piecemeal, _) = take(bytes, 7);
    assert_eq!(at_once, piecemeal);
    let Some(index) = at_once else { return };
    let hashes = index.chunks().iter().map(|chunk| chunk.hash);
    let unpacked = xorb::unpack(&bytes[..n_taken], hashes).unwrap();
    assert_eq!(unpacked.len(), index.chunks().last().unwrap().unpacked_end as usize);
    assert_eq!(Index::read(&index.write()).unwrap(), index);
});

/// The chunks, if there is nothing wrong with any; and how many bytes they have.
fn take(bytes: &[u8], n_piece: usize) -> (Option<Index>, usize) {
    let (mut verifier, mut pending, mut n_all) = (Verifier::default(), Vec::new(), 0);
    for piece in bytes.chunks(n_piece) {
        pending.extend_from_slice(piece);
        let Ok(n_taken) = verifier.take(&pending) else { return (None, 0) };
        pending.drain(..n_taken);
        n_all += n_taken;
    }
    // Whatever it is the xorb of: the refusal says so.
    let any = XetHash::from_bytes([0; 32]);
    let hash = match std::mem::take(&mut verifier).finish(any) {
        Err(xorb::XorbError::WrongHash { found, .. }) => found,
        _ => return (None, 0),
    };
    let mut again = Verifier::default();
    let _ = again.take(bytes);
    (again.finish(hash).ok(), n_all)
}
