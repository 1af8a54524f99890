//! Bytes that nobody meant as a model: no panic, no end of memory, no long wait.

use std::io::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use spec::facts::{FileFacts, Format};

use super::{bytes, dangers, names, read_bytes};

/// What a hostile megabyte may take in an unoptimised build on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);
const MEGABYTE: usize = 1024 * 1024;

/// Reads under a deadline.
fn read_in_time(what: &str, bytes: &[u8]) -> FileFacts {
    let begin = Instant::now();
    let facts = read_bytes("model.pkl", bytes);
    assert!(begin.elapsed() < DEADLINE, "{what} took {:?}", begin.elapsed());
    facts
}

#[test]
fn a_file_cut_anywhere_says_so_or_says_less() {
    for name in names() {
        let whole = bytes(&name);
        let step = (whole.len() / 400).max(1);
        for n in (0..whole.len()).step_by(step) {
            let facts = read_bytes(&name, &whole[..n]);
            let is_pickle = matches!(facts.format, Format::Pickle | Format::Joblib);
            // The old form of PyTorch is several pickles: cut between two it is fewer.
            // Of a compressed file the last bytes are a checksum, behind the pickle's end.
            let is_checksum = facts.metadata.contains_key("compression") && n + 12 > whole.len();
            if is_pickle && !is_checksum && name != "legacy.pth" {
                assert!(facts.error.is_some(), "{name} cut at {n}");
                assert!(
                    dangers(&facts).iter().any(|danger| danger.contains("the rest of the file")),
                    "{name} cut at {n}"
                );
            }
            if facts.format == Format::Onnx && facts.n_parameters.is_none() {
                assert!(facts.error.is_some(), "{name} cut at {n}");
            }
        }
    }
}

/// Found by the fuzzer: these numbers came back from JSON with another last bit.
#[test]
fn a_hyperparameter_is_kept_to_its_last_bit() {
    for number in [-10.627_122_653_446_511_f64, 4.768_899_906_391_166e180, 0.000_099_940_395_355_224_61] {
        let begin = &b"\x80\x02csklearn.base\nX\n)\x81}U\x01aG"[..];
        let facts = read_bytes("model.pkl", &[begin, &number.to_be_bytes()[..], b"sb."].concat());
        assert_eq!(facts.hyperparameters["a"], number);
        let kept: FileFacts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
        assert_eq!(kept, facts);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..512), head in 0..6_usize) {
        let heads: [&[u8]; 6] = [b"", b"\x80\x04", b"PK\x03\x04", b"\x08\x08\x3a", b"\x20\0\0\0\0\0\0\0{", b"\x78\x9c"];
        let facts = read_bytes("model.bin", &[heads[head], &bytes].concat());
        prop_assert!(serde_json::to_string(&facts).is_ok());
    }

    #[test]
    fn a_fixture_with_bytes_flipped_is_read_without_panic(
        which in any::<prop::sample::Index>(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let names = names();
        let name = which.get(&names);
        let mut bytes = bytes(name);
        for (at, value) in flips {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        let facts = read_bytes(name, &bytes);
        prop_assert!(facts.dangers.len() <= 203);
    }
}

/// `head`, then `part` over and over to a megabyte.
fn filled(head: &[u8], part: &[u8]) -> Vec<u8> {
    let mut bytes = head.to_vec();
    while bytes.len() < MEGABYTE {
        bytes.extend(part);
    }
    bytes
}

#[test]
fn a_hostile_megabyte_of_opcodes_ends_in_time() {
    let cases: &[(&str, &[u8], &[u8])] = &[
        ("marks", b"\x80\x04", b"("),
        ("values", b"\x80\x04", b"N"),
        ("nested tuples", b"\x80\x04N", b"\x85"),
        ("nested lists", b"\x80\x04]", b"]\x94a"),
        ("a list in itself", b"\x80\x04]\x94", b"h\x00a"),
        ("a dict in itself", b"\x80\x04}\x94", b"h\x00h\x00s"),
        ("a memo", b"\x80\x04N", b"\x94"),
        ("a memo from far", b"\x80\x04N", b"r\xff\xff\xff\xff"),
        ("names", b"", b"ca\nb\n"),
        ("calls", b"\x80\x02ca\nb\nq\x00", b"h\x00)R0"),
        ("frames", b"\x80\x04", b"\x95\xff\xff\xff\xff\xff\xff\xff\xff"),
        ("pickles", b"", b"N."),
        ("persistent ids", b"\x80\x02N", b"Q"),
        ("a number", b"I", b"1"),
        (
            "pipelines in themselves",
            b"\x80\x04csklearn.pipeline\nPipeline\n\x94)\x81\x94}\x94(X\x05\0\0\0steps]\x94",
            b"X\x01\0\0\0ah\x01\x86a",
        ),
    ];
    for (what, head, part) in cases {
        read_in_time(what, &filled(head, part));
    }
}

#[test]
fn many_objects_that_share_one_long_list_end_in_time() {
    // Ten thousand numbers in a list, and then arrays that each hold that same list.
    let mut bytes = b"\x80\x04cnumpy._core.multiarray\n_reconstruct\n\x940(K\x03K\x01\x85cnumpy\ndtype\nX\x02\0\0\0O8\x85R\x89]\x94(".to_vec();
    for _ in 0..10_000 {
        bytes.extend(b"}");
    }
    bytes.extend(b"et\x940]");
    let bytes = filled(&bytes, b"h\x00)Rh\x02ba");
    let mut whole = bytes;
    whole.push(b'.');
    let facts = read_in_time("shared lists", &whole);
    assert_eq!(facts.format, Format::Pickle);
}

#[test]
fn a_bomb_of_zeros_is_not_unpacked_to_its_end() {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    // A text of three gigabytes, as its length says, of which some megabytes are there.
    packed.write_all(b"\x80\x04X\0\0\0\xc0").unwrap();
    for _ in 0..40 {
        packed.write_all(&vec![0; MEGABYTE]).unwrap();
    }
    let packed = packed.finish().unwrap();
    let facts = read_in_time("a bomb", &packed);
    assert!(facts.error.unwrap().contains("when it is unpacked"));
    let mut opcodes = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    opcodes.write_all(b"\x80\x04").unwrap();
    for _ in 0..32 {
        opcodes.write_all(&b"N0".repeat(MEGABYTE / 2)).unwrap();
    }
    let facts = read_in_time("a bomb of opcodes", &opcodes.finish().unwrap());
    assert!(dangers(&facts).iter().any(|danger| danger.contains("the rest of the file")));
}

#[test]
fn hostile_onnx_ends_in_time() {
    // A graph in an attribute of a node of a graph, and so on, each length honest.
    let mut nested = Vec::new();
    for _ in 0..2000 {
        let mut wrapped = nested;
        for key in [0x32, 0x2a, 0x0a] {
            wrapped = [&[key][..], &varint(wrapped.len()), &wrapped].concat();
        }
        nested = wrapped;
    }
    let model = |graph: &[u8]| [b"\x08\x08\x12\x01a\x3a", &varint(graph.len())[..], graph].concat();
    let facts = read_in_time("nested graphs", &model(&nested));
    assert!(facts.error.unwrap().contains("too deep"));
    let facts = read_in_time("empty nodes", &model(&filled(b"", b"\x0a\x00")));
    assert_eq!((facts.error, facts.operators[""]), (None, 524_288));
    let facts = read_in_time("a length that lies", b"\x08\x08\x12\x01a\x3a\x04\x0a\xff\xff\x03");
    assert!(facts.error.is_some());
}

fn varint(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push((n & 0x7f) as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}
