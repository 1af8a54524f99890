//! Why a file could not be read to its end.
//!
//! Never leaves the crate as a type: reading a model file does not fail, it says what it found and, in
//! [`spec::facts::FileFacts::error`], why it found no more. Invariant: no variant holds text from a file that
//! is longer than a name.

use std::error::Error as _;
use std::io;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read at byte {at}")]
    Read {
        at: u64,
        #[source]
        source: io::Error,
    },
    #[error("the file ends in the midst of its content, at byte {at}")]
    Truncated { at: u64 },
    #[error("the file is empty")]
    Empty,
    #[error("its content is of no model format that can be read here")]
    Unrecognised,
    #[error("its content is {0}, which is not read")]
    Unread(&'static str),
    #[error("it grows beyond {limit} bytes when it is unpacked; no more is read")]
    Expansion { limit: u64 },
    #[error("cannot unpack it at byte {at}")]
    Unpack {
        at: u64,
        #[source]
        source: io::Error,
    },

    #[error("byte {at}: `0x{code:02x}` is no opcode of a pickle")]
    Opcode { code: u8, at: u64 },
    #[error("{opcode} at {at}: its argument is malformed")]
    Argument { opcode: &'static str, at: u64 },
    #[error("{opcode} at {at}: the stack does not hold what it needs")]
    Stack { opcode: &'static str, at: u64 },
    #[error("{opcode} at {at}: nothing was remembered under {index}")]
    Memo { opcode: &'static str, at: u64, index: u64 },
    #[error("the pickle has more than {limit} {what}; no more is read")]
    Limit { what: &'static str, limit: u64 },
    #[error("the array at byte {at} does not say plainly how long it is")]
    Array { at: u64 },

    #[error("byte {at}: {what}")]
    Protobuf { at: u64, what: &'static str },
    #[error("the message at byte {at} is malformed")]
    Message {
        at: u64,
        #[source]
        source: prost::DecodeError,
    },
    #[error("it has no graph")]
    NoGraph,

    #[error("its header claims {claimed} bytes and the file has {n_bytes}")]
    HeaderLength { claimed: u64, n_bytes: u64 },
    #[error("its header is malformed")]
    Header {
        #[source]
        source: serde_json::Error,
    },
    #[error("its tensors take {wanted} bytes and the file holds {got} for them")]
    TensorBytes { wanted: u64, got: u64 },

    #[error("cannot read the zip archive")]
    Archive {
        #[source]
        source: zip::result::ZipError,
    },
    #[error("the zip archive has {n_entries} entries; at most {limit} are read")]
    Entries { n_entries: u64, limit: u64 },
    #[error("`{entry}` in the archive is longer than {limit} bytes")]
    EntryLength { entry: String, limit: u64 },
    #[error("the archive has no `{entry}`")]
    NoEntry { entry: &'static str },
    #[error("`{entry}` in the archive is no JSON")]
    Json {
        entry: &'static str,
        #[source]
        source: serde_json::Error,
    },
    #[error("the storage `{key}` holds {got} bytes and its tensors need {wanted}")]
    Storage { key: String, wanted: u64, got: u64 },
}

impl Error {
    /// The error and all that caused it, in one line for the owner of the file.
    pub(crate) fn told(&self) -> String {
        let mut text = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text.chars().take(500).collect()
    }
}
