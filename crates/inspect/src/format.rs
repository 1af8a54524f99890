//! Tells what a file is from its first bytes.
//!
//! The name decides only whether a file is looked at, and between formats without a signature. Invariant: a
//! file with a signature is what the signature says, whatever it is called.

use crate::bounded::{self, Reader, Source};
use crate::error::Error;
use crate::{onnx, pickle};

/// What the bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    Onnx,
    Pickle,
    Compressed(Packing),
    Safetensors,
    Zip,
    /// Compressed in a way that is not undone here, by its name for people. A pickle may be inside.
    Packed(&'static str),
    /// A known format that is not read, by its name for people.
    Unread(&'static str),
    Empty,
    Unrecognised,
}

/// How a file is compressed as a whole, where that can be undone here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Zlib,
    Gzip,
}

/// Extensions that model files have.
const EXTENSIONS: &[&str] = &[
    "bin",
    "ckpt",
    "cloudpickle",
    "dill",
    "gguf",
    "h5",
    "hdf5",
    "jbl",
    "joblib",
    "keras",
    "npy",
    "npz",
    "onnx",
    "p",
    "pck",
    "pickle",
    "pkl",
    "pt",
    "pth",
    "safetensors",
    "sav",
    "skops",
    "tflite",
];

/// Extensions under which a pickle without a signature (protocols 0 and 1) is expected.
const PICKLES: &[&str] =
    &["bin", "ckpt", "cloudpickle", "dill", "jbl", "joblib", "p", "pck", "pickle", "pkl", "pt", "pth", "sav"];

const SIGNATURES: &[(&[u8], Content)] = &[
    (b"PK\x03\x04", Content::Zip),
    (b"PK\x05\x06", Content::Zip),
    (b"\x1f\x8b", Content::Compressed(Packing::Gzip)),
    (b"BZh", Content::Packed("compressed with bzip2")),
    (b"\xfd7zXZ\0", Content::Packed("compressed with xz")),
    (b"\x5d\0\0", Content::Packed("compressed with lzma")),
    (b"\x04\x22\x4d\x18", Content::Packed("compressed with lz4")),
    (b"\x28\xb5\x2f\xfd", Content::Packed("compressed with zstd")),
    (b"ZF0x", Content::Packed("compressed as joblib did before version 0.10")),
    (b"\x89HDF\r\n\x1a\n", Content::Unread("HDF5")),
    (b"\x93NUMPY", Content::Unread("a NumPy array")),
    (b"GGUF", Content::Unread("GGUF")),
];

/// Whether the path looks like that of a model file, so that [`crate::file`] is worth calling.
pub fn is_model_file(path: &str) -> bool {
    extension(path).is_some_and(|found| EXTENSIONS.contains(&found.as_str()))
}

/// Tells the format; the source is left at its beginning.
pub(crate) fn tell(source: &mut dyn Source, path: &str) -> Result<Content, Error> {
    let n_bytes = bounded::length(source)?;
    let head = bounded::head(source, 64)?;
    if head.is_empty() {
        return Ok(Content::Empty);
    }
    if let Some((_, content)) = SIGNATURES.iter().find(|(signature, _)| head.starts_with(signature)) {
        return Ok(*content);
    }
    if is_zlib(&head) {
        return Ok(Content::Compressed(Packing::Zlib));
    }
    if head.get(4..8) == Some(b"TFL3") {
        return Ok(Content::Unread("TensorFlow Lite"));
    }
    if is_safetensors(&head, n_bytes) {
        return Ok(Content::Safetensors);
    }
    tell_without_signature(source, &head, path)
}

/// Tells what is inside of a compressed file, from its first bytes.
pub(crate) fn is_pickle_head(head: &[u8]) -> bool {
    matches!(head, [0x80, 0..=5, ..])
}

fn tell_without_signature(source: &mut dyn Source, head: &[u8], path: &str) -> Result<Content, Error> {
    if is_pickle_head(head) {
        return Ok(Content::Pickle);
    }
    let named = |names: &[&str]| extension(path).is_some_and(|found| names.contains(&found.as_str()));
    if onnx::is_plausible(&mut Reader::file(source)?) || named(&["onnx"]) && head.first() == Some(&0x08) {
        return Ok(Content::Onnx);
    }
    if pickle::is_plausible(&mut Reader::file(source)?) || named(PICKLES) && pickle::is_opcode(head) {
        return Ok(Content::Pickle);
    }
    Ok(Content::Unrecognised)
}

fn extension(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase())
}

/// A zlib header: deflate with a window of 32 KiB, no dictionary, check bits right.
fn is_zlib(head: &[u8]) -> bool {
    match head {
        [0x78, flags, ..] => (0x7800 + u16::from(*flags)) % 31 == 0 && flags & 0x20 == 0,
        _ => false,
    }
}

/// The length of a header that fits the file, and then that header's first brace.
fn is_safetensors(head: &[u8], n_bytes: u64) -> bool {
    let Some((length, rest)) = head.split_first_chunk::<8>() else { return false };
    let begins = rest.first() == Some(&b'{');
    let length = u64::from_le_bytes(*length);
    begins && length >= 2 && (length <= n_bytes || head.get(4..8) == Some(&[0; 4]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn told(path: &str, bytes: &[u8]) -> Content {
        tell(&mut Cursor::new(bytes), path).unwrap()
    }

    #[test]
    fn content_decides_and_the_name_does_not() {
        assert_eq!(told("model.onnx", b"\x80\x04K\x01."), Content::Pickle);
        assert_eq!(told("model.onnx", b"cos\nsystem\n(S'true'\ntR."), Content::Pickle);
        assert_eq!(told("model.pkl", b"PK\x03\x04...."), Content::Zip);
        assert_eq!(told("model.pkl", b"\x10\0\0\0\0\0\0\0{\"__metadata__\":{}}"), Content::Safetensors);
        assert_eq!(told("model.pkl", b"\x78\x5e...."), Content::Compressed(Packing::Zlib));
        assert_eq!(told("model.onnx", b"hello, this is text"), Content::Unrecognised);
        assert_eq!(told("model.onnx", b""), Content::Empty);
    }

    #[test]
    fn a_model_file_is_known_by_its_extension() {
        assert!(is_model_file("a/b/Model.ONNX") && is_model_file("x.pkl") && is_model_file("m.keras"));
        assert!(!is_model_file("README.md") && !is_model_file("onnx") && !is_model_file("a.onnx/readme"));
    }
}
