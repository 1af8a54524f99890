//! What every target asks of the facts that bytes give, and the archives that targets wrap bytes in.
//!
//! It knows no format's inside. Invariant: what is asked holds for all bytes whatever, so that a failure is a fault.

use std::io::{Cursor, Write as _};

use spec::facts::{FileFacts, Format};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// What the other entries of a Keras archive need to say, so that its architecture is read.
pub const KERAS_METADATA: &[u8] = br#"{"keras_version": "3.15.1"}"#;
/// Bytes of the storage that a wrapped PyTorch pickle may name.
const STORAGE: &[u8] = &[0; 256];

/// Reads bytes as a file of this name, and asks of the facts what holds whatever the bytes are.
pub fn read(name: &str, bytes: &[u8]) -> FileFacts {
    let facts = inspect::file(name, &mut Cursor::new(bytes));
    assert!(facts.tensors.len() <= FileFacts::TENSORS);
    assert!(facts.steps.len() <= FileFacts::STEPS);
    assert!(facts.hyperparameters.len() <= FileFacts::HYPERPARAMETERS);
    let text = serde_json::to_string(&facts).expect("facts are JSON");
    // Everything shown of a file is bounded, and not only by the file's own length.
    assert!(text.len() < 64 * 1024 * 1024, "{} bytes of facts", text.len());
    let again: FileFacts = serde_json::from_str(&text).expect("facts are read as they were written");
    assert_eq!(text, serde_json::to_string(&again).expect("facts are JSON"));
    let is_pickle = matches!(facts.format, Format::Pickle | Format::Joblib);
    // What was not walked to its end is said to be a danger, not only an error.
    assert!(!is_pickle || facts.error.is_none() || !facts.dangers.is_empty(), "{:?}", facts.error);
    facts
}

/// As [`read`], and the same bytes must give the same facts once more.
pub fn read_twice(name: &str, bytes: &[u8]) {
    assert_eq!(read(name, bytes), read(name, bytes));
}

/// A zip archive of these entries, without compression.
pub fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in entries {
        writer.start_file(*name, stored).expect("an archive in memory takes an entry");
        writer.write_all(bytes).expect("an archive in memory takes bytes");
    }
    writer.finish().expect("an archive in memory is finished").into_inner()
}

/// A PyTorch archive around the pickle that describes its model.
pub fn torch(pickle: &[u8]) -> Vec<u8> {
    archive(&[("archive/data.pkl", pickle), ("archive/data/0", STORAGE), ("archive/version", b"3\n")])
}

/// A Keras archive around its architecture.
pub fn keras(config: &[u8]) -> Vec<u8> {
    archive(&[("metadata.json", KERAS_METADATA), ("config.json", config)])
}

/// A safetensors file around its header.
pub fn safetensors(header: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header);
    bytes.extend_from_slice(STORAGE);
    bytes
}
