//! What is taken for a shard and what is not.

use super::*;

const A: [u8; 32] = [1; 32];
const B: [u8; 32] = [2; 32];

fn begin() -> Vec<u8> {
    let mut bytes = TAG.to_vec();
    longs(&mut bytes, &[VERSION, 0]);
    bytes
}

#[test]
fn files_and_xorbs_are_read() {
    let mut bytes = begin();
    record(&mut bytes, &A, [IS_PROVEN | IS_DESCRIBED, 1, 0, 0]);
    record(&mut bytes, &B, [0, 500, 2, 7]);
    record(&mut bytes, &[3; 32], [0; 4]);
    let sha256 = Sha256::of(b"x");
    record(&mut bytes, XetHash::from(sha256).as_bytes(), [0; 4]);
    record(&mut bytes, &END, [0; 4]);
    record(&mut bytes, &B, [0, 1, 500, 0]);
    record(&mut bytes, &A, [0, 500, 0, 0]);
    record(&mut bytes, &END, [0; 4]);
    let shard = Shard::read(&bytes).unwrap();
    let proof = Some(XetHash::from_bytes([3; 32]));
    let term = Term { xorb: XetHash::from_bytes(B), n_bytes: 500, chunks: 2..7, proof };
    assert_eq!(shard.files, [File { hash: XetHash::from_bytes(A), terms: vec![term], sha256: Some(sha256) }]);
    assert_eq!(
        shard.xorbs,
        [Xorb { hash: XetHash::from_bytes(B), chunks: vec![(XetHash::from_bytes(A), 500)] }]
    );
    assert_eq!(shard.write(), bytes);
    // Every way to cut it short is noticed, but for whole xorbs at its end, of which nobody can know.
    for n in 0..bytes.len() {
        assert!(Shard::read(&bytes[..n]).is_err(), "{n}");
    }
}

#[test]
fn counts_beyond_the_end_cost_no_memory() {
    for head in [[0, u32::MAX, 0, 0], [IS_PROVEN, 10_000_000, 0, 0]] {
        let mut bytes = begin();
        record(&mut bytes, &A, head);
        record(&mut bytes, &END, [0; 4]);
        assert_eq!(Shard::read(&bytes), Err(ShardError("it counts more than it holds")));
    }
    let mut bytes = begin();
    record(&mut bytes, &END, [0; 4]);
    record(&mut bytes, &A, [0, 9000, 0, 0]);
    bytes.resize(bytes.len() + 9000 * RECORD_BYTES, 7);
    assert_eq!(Shard::read(&bytes), Err(ShardError("a xorb has too many chunks")));
}

#[test]
fn what_is_no_shard_is_refused() {
    assert!(Shard::read(&[0; 480]).is_err());
    let mut newer = begin();
    newer[32] = 3;
    newer.resize(480, 0xff);
    assert!(Shard::read(&newer).is_err());
}

#[test]
fn what_is_written_reads_back() {
    let bytes = [A, B].map(|chunk| [chunk.to_vec(), vec![9, 0, 0, 0, 5, 0, 0, 0]].concat());
    let index = Index::read(&bytes[0]).unwrap();
    let other = Index::read(&bytes[1]).unwrap();
    let xorbs = [(XetHash::from_bytes(B), &index), (XetHash::from_bytes(A), &other)];
    let written = write(&xorbs, 99);
    let shard = Shard::read(&written).unwrap();
    assert!(shard.files.is_empty());
    let names: Vec<_> = shard.xorbs.iter().map(|xorb| (xorb.hash, xorb.chunks[0].0)).collect();
    let (a, b) = (XetHash::from_bytes(A), XetHash::from_bytes(B));
    assert_eq!(names, [(a, b), (b, a)]);
    // The last number says where the footer begins.
    let (_, end) = written.split_last_chunk::<8>().unwrap();
    assert_eq!(u64::from_le_bytes(*end) + FOOTER_BYTES, written.len() as u64);
}
