//! Every bound of this crate, on one page.
//!
//! A file is foreign: each length in it is a claim. Invariant: what is kept in memory for one file stays under
//! a fixed number of bytes, and the work on it is linear in its length.

/// Most symbolic values kept for one pickle, in bytes of our own memory. Beyond it values are forgotten and
/// the walk goes on, so that dangers further back are still found.
pub(crate) const HEAP_BYTES: usize = 64 * 1024 * 1024;
/// Most items kept of one list, tuple, set or dict; the rest is counted.
pub(crate) const ITEMS: usize = 10_000;
/// Longest text or bytes kept of one value; the rest is skipped.
pub(crate) const KEPT_BYTES: usize = 64 * 1024;
/// Most entries of a pickle's memo.
pub(crate) const MEMO: usize = 1_000_000;
/// Most values on a pickle's stack.
pub(crate) const STACK: usize = 1_000_000;
/// Opcodes walked for one pickle: so many at least, and so many more for each byte of the file.
pub(crate) const STEPS: u64 = 1_000_000;
pub(crate) const STEPS_FOR_EACH_BYTE: u64 = 8;
pub(crate) const STEPS_AT_MOST: u64 = 100_000_000;
/// Deepest nesting of pickles in a pickle (arrays of objects in joblib files, bytes that are pickles).
pub(crate) const PICKLES_DEEP: usize = 8;
/// Most pickles read from one file, one after the other.
pub(crate) const PICKLES: usize = 16;
/// Most dangers listed of each level for one file.
pub(crate) const DANGERS: usize = 100;
/// Most values looked at when learned numbers are counted or tensors listed.
pub(crate) const VISITS: usize = 1_000_000;
/// Most items shown of one hyperparameter's list, and the longest text shown.
pub(crate) const SHOWN_ITEMS: usize = 50;
pub(crate) const SHOWN_CHARS: usize = 1000;
/// Most characters of hyperparameters shown of one file.
pub(crate) const SHOWN_CHARS_IN_ALL: usize = 1_000_000;
/// Deepest nesting of pipelines in pipelines.
pub(crate) const STEPS_DEEP: usize = 8;
/// Most classes or feature names listed.
pub(crate) const CLASSES: usize = 10_000;

/// What a compressed file may grow to: so many bytes at least, and so many times its own length.
pub(crate) const EXPANSION_BYTES: u64 = 16 * 1024 * 1024;
pub(crate) const EXPANSION_FACTOR: u64 = 64;
pub(crate) const EXPANSION_AT_MOST: u64 = 8 * 1024 * 1024 * 1024;

/// Longest array or compressed file that is unpacked to have its tensors compared, in bytes.
pub(crate) const HELD_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// Longest header of a safetensors file. The format allows 100 MB, which would take a gigabyte to parse; the
/// largest models in use need two.
pub(crate) const SAFETENSORS_HEADER_BYTES: u64 = 32 * 1024 * 1024;
/// Most metadata entries listed, and the longest value of one, in characters.
pub(crate) const METADATA: usize = 200;
pub(crate) const METADATA_CHARS: usize = 4000;

/// Most entries of a zip archive.
pub(crate) const ARCHIVE_ENTRIES: u64 = 200_000;
/// Most bytes read of a zip archive: its directory and the entries that describe the model.
pub(crate) const ARCHIVE_BYTES: u64 = 256 * 1024 * 1024;
/// Most pickles walked in a zip archive.
pub(crate) const ARCHIVE_PICKLES: usize = 16;
/// Longest JSON text read from an archive.
pub(crate) const ARCHIVE_JSON_BYTES: u64 = 4 * 1024 * 1024;
/// Longest small text read from an archive, such as a version.
pub(crate) const ARCHIVE_TEXT_BYTES: u64 = 64;

/// Longest small message of an ONNX file that is decoded whole.
pub(crate) const MESSAGE_BYTES: u64 = 64 * 1024;
/// Longest name of an operator, domain or tensor that is kept.
pub(crate) const NAME_BYTES: u64 = 1024;
/// Deepest nesting of graphs in graphs.
pub(crate) const GRAPHS_DEEP: usize = 16;
/// Most names of initialisers and nodes remembered.
pub(crate) const GRAPH_NAMES: usize = 100_000;
/// Most dimensions of a tensor that are kept.
pub(crate) const DIMENSIONS: usize = 32;
/// Most different operators, and most inputs or outputs, listed.
pub(crate) const OPERATORS: usize = 1000;
pub(crate) const INPUTS: usize = 1000;
/// Longest handler whose type hints are read, in bytes.
pub(crate) const HANDLER_BYTES: usize = 1024 * 1024;
