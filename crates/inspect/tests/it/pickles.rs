//! Pickles made to do harm, byte by byte: what would be called is named, with opcode and offset.

use std::io::Write as _;

use spec::facts::DangerLevel;

use super::{dangers, read_bytes};

fn found(bytes: &[u8]) -> Vec<String> {
    dangers(&read_bytes("model.pkl", bytes))
}

/// A text as protocol 4 writes it.
fn text(value: &str) -> Vec<u8> {
    [&[0x8c, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
}

#[test]
fn every_spelling_of_a_command_is_dangerous() {
    let spellings: &[(&[u8], &[&str])] = &[
        (b"cos\nsystem\n(S'true'\ntR.", &["os.system GLOBAL at 0", "os.system REDUCE at 21"]),
        (b"(S'true'\nios\nsystem\n.", &["os.system INST at 9"]),
        (b"(cos\nsystem\nS'true'\no.", &["os.system GLOBAL at 1", "os.system OBJ at 20"]),
        (
            b"\x80\x02cposix\nsystem\nU\x04true\x85\x81.",
            &["posix.system GLOBAL at 2", "posix.system NEWOBJ at 23"],
        ),
        (
            b"\x80\x04cnt\nsystem\n\x8c\x04true\x85}\x92.",
            &["nt.system GLOBAL at 2", "nt.system NEWOBJ_EX at 21"],
        ),
        (
            b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
            &["os.system STACK_GLOBAL at 14", "os.system REDUCE at 22"],
        ),
        // By way of the memo, fetched in another order.
        (
            b"\x80\x04(\x8c\x06system\x94\x8c\x02os\x941h\x01h\x00\x93)R.",
            &["os.system STACK_GLOBAL at 22", "os.system REDUCE at 24"],
        ),
        // Letters written as escapes.
        (b"S'o\\x73'\nV\\u0073ystem\n\x93)R.", &["os.system STACK_GLOBAL at 22", "os.system REDUCE at 24"]),
        // Python 2's name for it.
        (
            b"c__builtin__\neval\n(S'1'\ntR.",
            &["__builtin__.eval GLOBAL at 0", "__builtin__.eval REDUCE at 25"],
        ),
        (
            b"\x80\x04\x8c\x08builtins\x8c\x0deval.__call__\x93.",
            &["builtins.eval.__call__ STACK_GLOBAL at 27"],
        ),
        (b"csklearn.base\nwarnings.sys.modules\n.", &["sklearn.base.warnings.sys.modules GLOBAL at 0"]),
    ];
    for (bytes, wanted) in spellings {
        let facts = read_bytes("model.pkl", bytes);
        let dangerous: Vec<_> =
            facts.dangers.iter().filter(|danger| danger.level == DangerLevel::Dangerous).collect();
        let got: Vec<_> =
            dangerous.iter().map(|danger| format!("{} {}", danger.what, danger.place)).collect();
        assert_eq!(
            (got, facts.error),
            (wanted.iter().map(ToString::to_string).collect(), None),
            "{}",
            bytes.escape_ascii()
        );
    }
}

#[test]
fn a_name_that_is_computed_is_unknown() {
    // The module's name is what `str.join` would return.
    let mut bytes = vec![0x80, 4];
    bytes.extend(text("builtins"));
    bytes.extend(text("str"));
    bytes.extend(b"\x93");
    bytes.extend(text("os"));
    bytes.extend(b"\x85R");
    bytes.extend(text("system"));
    bytes.extend(b"\x93)R.");
    assert_eq!(
        found(&bytes),
        [
            "Unknown a name that is computed STACK_GLOBAL at 32",
            "Unknown a value that is computed REDUCE at 34"
        ]
    );
}

#[test]
fn calling_what_a_call_returned_is_unknown_at_least() {
    let bytes = b"\x80\x02c__builtin__\ngetattr\ncos\nsystem\nU\x01x\x86R)R.";
    let found = found(bytes);
    assert!(
        found.contains(&"Unknown the result of __builtin__.getattr REDUCE at 40".to_owned()),
        "{found:?}"
    );
    assert!(found.contains(&"Dangerous __builtin__.getattr REDUCE at 38".to_owned()), "{found:?}");
}

#[test]
fn registered_extensions_and_persistent_ids_are_unknown() {
    assert_eq!(
        found(b"\x80\x02\x82\x05)R."),
        ["Unknown copyreg.extension 5 EXT1 at 2", "Unknown copyreg.extension 5 REDUCE at 5"]
    );
    assert_eq!(found(b"\x80\x02K\x01Q."), ["Unknown a persistent id BINPERSID at 4"]);
    assert_eq!(found(b"Pname\n."), ["Unknown a persistent id PERSID at 0"]);
}

/// PyTorch before 1.6 wrote the class of a network as a persistent id, beside its source.
#[test]
fn a_class_behind_a_persistent_id_of_pytorch_is_named_where_it_is_called() {
    let class = b"(U\x06modulecnet\nNet\nU\x06net.pyU\x04codetQ)\x81.";
    let plain = [&b"\x80\x02"[..], class].concat();
    let [named, called, persistent] = ["GLOBAL at 11", "NEWOBJ at 37", "BINPERSID at 35"];
    assert_eq!(
        found(&plain),
        [
            format!("Unknown net.Net {named}"),
            format!("Unknown net.Net {called}"),
            format!("Unknown a persistent id {persistent}")
        ]
    );
    let magic: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.";
    let facts = read_bytes("model.pth", &[magic, &plain].concat());
    assert_eq!(facts.class.as_deref(), Some("net.Net"));
    assert!(!facts.metadata.contains_key("trailing bytes"));
    assert!(facts.dangers.len() == 2 && facts.dangers.iter().all(|danger| danger.what == "net.Net"));
}

#[test]
fn changing_a_class_itself_is_dangerous() {
    assert_eq!(
        found(b"csklearn.base\nBaseEstimator\n}b."),
        ["Dangerous sklearn.base.BaseEstimator BUILD at 29"]
    );
}

#[test]
fn what_follows_the_end_is_walked_too() {
    assert_eq!(
        found(b"\x80\x02N.cos\nsystem\n)R."),
        ["Dangerous os.system GLOBAL at 4", "Dangerous os.system REDUCE at 16"]
    );
    let facts = read_bytes("model.pkl", b"\x80\x02N.\xff\xff\xff");
    assert_eq!((facts.error, facts.metadata["trailing bytes"].as_str()), (None, "from byte 4"));
}

#[test]
fn a_pickle_in_bytes_is_walked_too() {
    let inner = b"\x80\x02cos\nsystem\n)R.";
    let mut bytes = b"\x80\x03C".to_vec();
    bytes.push(u8::try_from(inner.len()).unwrap());
    bytes.extend(inner);
    bytes.push(b'.');
    assert_eq!(
        found(&bytes),
        [
            "Dangerous os.system GLOBAL at 2 of the bytes at 2",
            "Dangerous os.system REDUCE at 14 of the bytes at 2"
        ]
    );
}

#[test]
fn a_danger_seen_before_the_file_breaks_off_is_kept() {
    for (bytes, error) in [
        (&b"cos\nsystem\n(S'true'\ntR"[..], "the file ends in the midst of its content, at byte 22"),
        (b"cos\nsystem\n(S'true'\ntRh\x07.", "BINGET at 22: nothing was remembered under 7"),
        (b"cos\nsystem\n(S'true'\ntR00", "POP at 23: the stack does not hold what it needs"),
        (b"cos\nsystem\n(S'true'\ntR\xff", "byte 22: `0xff` is no opcode of a pickle"),
        (
            b"cos\nsystem\n(S'true'\ntRX\xff\xff\xff\xff",
            "the file ends in the midst of its content, at byte 27",
        ),
    ] {
        let facts = read_bytes("model.pkl", bytes);
        assert_eq!(facts.error.as_deref(), Some(error));
        let found = dangers(&facts);
        assert_eq!(found[..2], ["Dangerous os.system GLOBAL at 0", "Dangerous os.system REDUCE at 21"]);
        assert!(found[2].starts_with("Unknown the rest of the file"));
    }
}

#[test]
fn a_flood_of_unknown_names_does_not_hide_a_dangerous_one() {
    let mut bytes = Vec::new();
    for i in 0..5000 {
        bytes.extend(format!("cmine\nname{i}\n0").as_bytes());
    }
    bytes.extend(b"cos\nsystem\n)R.");
    let found = found(&bytes);
    assert_eq!(found.len(), 102);
    assert!(found[100].starts_with("Dangerous os.system GLOBAL"));
}

#[test]
fn a_name_in_other_letters_is_unknown() {
    let bytes = "c\u{fb01}le\nsystem\n.".as_bytes();
    assert_eq!(found(bytes), ["Unknown \u{fb01}le.system GLOBAL at 0"]);
}

/// joblib's wrapper of an array of `n` doubles, up to and with the `BUILD` after which its bytes stand.
fn wrapper(dtype: &str, n: u8) -> Vec<u8> {
    let mut bytes = b"\x80\x03cjoblib.numpy_pickle\nNumpyArrayWrapper\n)\x81}(".to_vec();
    for (key, value) in [("shape", vec![b'K', n, 0x85]), ("numpy_array_alignment_bytes", b"N".to_vec())] {
        bytes.extend([b'X', u8::try_from(key.len()).unwrap(), 0, 0, 0]);
        bytes.extend(key.as_bytes());
        bytes.extend(value);
    }
    bytes.extend(b"X\x05\0\0\0dtypecnumpy\ndtype\nX");
    bytes.extend(u32::try_from(dtype.len()).unwrap().to_le_bytes());
    bytes.extend(dtype.as_bytes());
    bytes.extend(b"\x89\x88\x87Rub");
    bytes
}

#[test]
fn the_bytes_of_an_array_are_skipped_and_what_follows_is_walked() {
    let mut bytes = wrapper("f8", 2);
    bytes.extend([b'.'; 16]);
    bytes.extend(b"0cos\nsystem\n)R.");
    let facts = read_bytes("model.joblib", &bytes);
    assert_eq!((facts.error.as_deref(), facts.dangers.len()), (None, 2), "{facts:?}");
    assert_eq!(facts.format, spec::facts::Format::Joblib);
}

#[test]
fn an_array_of_uncertain_length_ends_the_walk() {
    for dtype in ["float64", "f7", "f", "8f", "f8 ", "V-1", "f+8"] {
        let mut bytes = wrapper(dtype, 2);
        bytes.extend([b'.'; 32]);
        let facts = read_bytes("model.joblib", &bytes);
        let at = bytes.len() - 32;
        let error = format!("the array at byte {at} does not say plainly how long it is");
        assert_eq!(facts.error, Some(error), "{dtype}");
        assert_eq!(dangers(&facts), [format!("Unknown the rest of the file from byte {at}")]);
    }
}

#[test]
fn opcodes_that_a_frame_holds_beyond_an_array_are_not_taken_for_its_bytes() {
    // The loader has read the whole frame: for it the array's bytes begin after the frame, and the command runs.
    let mut inner = wrapper("f8", 2)[2..].to_vec();
    inner.extend(b"cos\nsystem\n)R.");
    let mut bytes = b"\x80\x04\x95".to_vec();
    bytes.extend((inner.len() as u64).to_le_bytes());
    bytes.extend(inner);
    bytes.extend([0; 16]);
    let facts = read_bytes("model.joblib", &bytes);
    assert!(facts.error.is_some());
    assert!(dangers(&facts)[0].starts_with("Unknown the rest of the file"));
}

#[test]
fn a_compressed_pickle_is_walked_through_its_packing() {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(b"cos\nsystem\n)R.").unwrap();
    assert_eq!(
        found(&packed.finish().unwrap()),
        ["Dangerous os.system GLOBAL at 0", "Dangerous os.system REDUCE at 12"]
    );
}
