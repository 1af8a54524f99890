//! What is taken for a xorb and what is not.

use std::io::Write;

use super::*;

fn header(scheme: u8, n_packed: usize, n_unpacked: usize) -> Vec<u8> {
    let three = |n: usize| u32::try_from(n).unwrap().to_le_bytes()[..3].to_vec();
    [vec![0], three(n_packed), vec![scheme], three(n_unpacked)].concat()
}

fn lz4(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A chunk in each of the three forms.
fn packed(scheme: u8, bytes: &[u8]) -> Vec<u8> {
    let body = match scheme {
        0 => bytes.to_vec(),
        1 => lz4(bytes),
        _ => lz4(&group(bytes)),
    };
    [header(scheme, body.len(), bytes.len()), body].concat()
}

fn text(n: usize) -> Vec<u8> {
    (0..n).map(|i| u8::try_from(i % 7).unwrap()).collect()
}

#[test]
fn chunks_of_every_form_unpack_to_what_they_were() {
    for n in [1, 2, 3, 4, 5, 1001, CHUNK_BYTES] {
        let bytes = text(n);
        let xorb = [packed(0, &bytes), packed(1, &bytes), packed(2, &bytes)].concat();
        let mut verifier = Verifier::default();
        assert_eq!(verifier.take(&xorb).unwrap(), xorb.len(), "{n}");
        let hash = XetHash::of_chunk(&bytes);
        let index = verifier.finish(XetHash::of_xorb(&[(hash, n as u64); 3])).unwrap();
        assert_eq!(index.bytes(0..3), Some(0..xorb.len() as u64));
        assert_eq!(index.unpacked(1..3), Some(n as u64..3 * n as u64));
        assert_eq!(index.bytes(2..4), None);
        assert_eq!(unpack(&xorb, [hash; 3]).unwrap(), bytes.repeat(3));
        assert_eq!(Index::read(&index.write()).unwrap(), index);
    }
}

#[test]
fn a_xorb_may_come_in_any_pieces_and_with_a_footer() {
    let bytes = text(1000);
    let xorb = [packed(1, &bytes), packed(0, &bytes), b"XETBLOB-and-more".to_vec()].concat();
    let mut verifier = Verifier::default();
    let (mut pending, mut n_taken) = (Vec::new(), 0);
    for byte in xorb {
        pending.push(byte);
        let n = verifier.take(&pending).unwrap();
        pending.drain(..n);
        n_taken += n;
    }
    assert!(verifier.is_behind());
    let node = (XetHash::of_chunk(&bytes), 1000);
    let index = verifier.finish(XetHash::of_xorb(&[node, node])).unwrap();
    assert_eq!(index.bytes(0..2), Some(0..n_taken as u64));
}

#[test]
fn what_lies_about_its_length_is_refused() {
    let bomb = lz4(&vec![0; 16 * CHUNK_BYTES]);
    for lying in [
        [header(1, bomb.len(), 100), bomb.clone()].concat(),
        [header(0, 3, 4), vec![1, 2, 3]].concat(),
        [header(1, 3, 4), vec![1, 2, 3]].concat(),
        [header(0, 0, 0), vec![]].concat(),
        header(0, CHUNK_BYTES + 1, CHUNK_BYTES + 1),
        header(1, 0xff_ffff, 10),
        header(3, 1, 1),
        vec![1; 8],
    ] {
        assert!(matches!(Verifier::default().take(&lying), Err(XorbError::Chunk { index: 0, .. })));
    }
}

#[test]
fn another_hash_and_no_chunk_at_all_are_refused() {
    let xorb = packed(0, b"abc");
    let mut verifier = Verifier::default();
    verifier.take(&xorb).unwrap();
    let other = XetHash::of_chunk(b"abd");
    assert!(matches!(verifier.finish(other), Err(XorbError::WrongHash { .. })));
    assert_eq!(Verifier::default().finish(other), Err(XorbError::Count));
    assert!(matches!(unpack(&xorb, [other]), Err(XorbError::WrongHash { .. })));
    assert_eq!(unpack(&xorb[..9], [other]), Err(XorbError::Cut));
    assert_eq!(unpack(&xorb, []), Err(XorbError::Cut));
}

#[test]
fn an_index_that_does_not_rise_is_refused() {
    assert_eq!(Index::read(&[]), Err(XorbError::Index));
    assert_eq!(Index::read(&[0; 39]), Err(XorbError::Index));
    assert_eq!(Index::read(&[0; 80]), Err(XorbError::Index));
}

/// Numbers of two bytes whose upper bytes are much alike, as weights are.
fn weights(n: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16).to_le_bytes()[0]
    };
    (0..n).map(|i| if i % 2 == 0 { next() } else { 60 + next() / 64 }).collect()
}

#[test]
fn what_is_written_is_what_is_read() {
    let noise: Vec<u8> = XetHash::of_chunk(b"noise").as_bytes().to_vec();
    let chunks = [text(100_000), noise, weights(65_536), text(1), weights(CHUNK_BYTES), text(4093)];
    let mut writer = Writer::default();
    for chunk in &chunks {
        writer.push(XetHash::of_chunk(chunk), chunk);
    }
    assert_eq!(writer.n_chunks(), chunks.len());
    assert_eq!(writer.n_unpacked(), chunks.concat().len() as u64);
    let (hash, bytes, index) = writer.finish().unwrap();
    let mut verifier = Verifier::default();
    assert_eq!(verifier.take(&bytes).unwrap(), bytes.len());
    assert_eq!(verifier.finish(hash).unwrap(), index);
    let hashes = chunks.iter().map(|chunk| XetHash::of_chunk(chunk));
    assert_eq!(unpack(&bytes, hashes).unwrap(), chunks.concat());
    assert!(index.bytes(0..1).unwrap().end < 2000, "text is packed");
    assert_eq!(index.bytes(1..2).unwrap().count(), 32 + HEADER_BYTES, "noise is not");
    assert!(index.bytes(2..3).unwrap().count() < 60_000, "weights are packed by places");
    assert!(Writer::default().finish().is_none());
}

#[test]
fn what_can_be_packed_is_packed_behind_much_that_cannot() {
    let mut writer = Writer::default();
    for n in 0..20_u8 {
        let noise: Vec<u8> =
            (0..64_u8).flat_map(|place| *XetHash::of_chunk(&[n, place]).as_bytes()).collect();
        writer.push(XetHash::of_chunk(&noise), &noise);
    }
    writer.push(XetHash::of_chunk(&text(50_000)), &text(50_000));
    let (_, _, index) = writer.finish().unwrap();
    assert_eq!(index.bytes(0..20).unwrap().count(), 20 * (64 * 32 + HEADER_BYTES));
    assert!(index.bytes(20..21).unwrap().count() < 1000);
}
