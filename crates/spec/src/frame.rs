//! The frames that gateway and runtime exchange over one stream.
//!
//! Pure: bytes to meaning and back, no I/O. Many requests are under way on a stream at once; an [`Id`] says
//! which one a frame belongs to. Invariant: whatever the pieces in which bytes arrive, the same frames come
//! out, and a tensor that comes out holds the bytes its datatype and shape call for.
//!
//! Every frame is a header of [`HEADER_BYTES`] and a payload, all integers little-endian:
//!
//! | bytes | header |
//! |---|---|
//! | 0..4 | length of the frame in bytes, header included |
//! | 4 | kind: 1 hello, 2 infer, 3 answer, 4 failure, 5 cancel, 6 part, 7 more |
//! | 5 | protocol: [`PROTOCOL`] |
//! | 6..8 | zero |
//! | 8..16 | id: slot `u32`, generation `u32`; zero in a hello |
//!
//! | kind | payload |
//! |---|---|
//! | hello | [`Hello`] as JSON |
//! | infer | milliseconds until nobody waits any longer `u32` (0: no such limit), number of tensors `u16`, [`Method`] `u16`, tensors |
//! | answer | microseconds that the model took `u32`, number of tensors `u16`, zero `u16`, tensors |
//! | failure | [`FailureCode`] `u8`, message as UTF-8 |
//! | cancel, more | nothing |
//! | part | text as UTF-8 |
//!
//! An answer that is streamed comes as parts, each asked for with a more but the first, and ends with an answer that
//! has no tensors: nothing is computed that nobody has asked for.
//!
//! A tensor is its index among the model's inputs or outputs `u16`, datatype `u8` (position in
//! [`Datatype::ALL`]), number of dimensions `u8`, length of its data in bytes `u32`, dimensions `u64`, data.

mod decode;
mod encode;

pub use decode::{Decoder, FrameError};
pub use encode::{EncodeError, Writer, write_cancel, write_failure, write_hello, write_more, write_part};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;
use crate::tensor::{Datatype, TensorSpec};

/// The protocol of this page; both sides must speak the same.
pub const PROTOCOL: u8 = 2;
/// Bytes before a frame's payload.
pub const HEADER_BYTES: usize = 16;

/// Which request a frame belongs to. The gateway uses a slot again under the next generation, so that a late
/// answer is told from the one that is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Id {
    pub slot: u32,
    pub generation: u32,
}

/// One message.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// Runtime to gateway, first on every stream.
    Hello(Box<Hello>),
    /// Gateway to runtime: compute this.
    Infer(Infer),
    /// Runtime to gateway: computed.
    Answer(Answer),
    /// Runtime to gateway: not computed.
    Failure(Failure),
    /// Gateway to runtime: nobody waits for this any longer. No answer is owed; one that is under way may come.
    Cancel(Id),
    /// Runtime to gateway: the next piece of a streamed answer.
    Part(Part),
    /// Gateway to runtime: send the next piece.
    More(Id),
}

/// What a runtime says of itself and its model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`PROTOCOL`].
    pub protocol: u8,
    /// What the model is called, for people.
    pub name: String,
    /// Inputs; a tensor's index is its place here.
    pub inputs: Vec<TensorSpec>,
    /// Outputs; a tensor's index is its place here.
    pub outputs: Vec<TensorSpec>,
    /// Digest of the model file, where the runtime was told it.
    pub weights_sha256: Option<Sha256>,
    pub stability: Stability,
    /// What computes, such as `onnxruntime`.
    pub backend: String,
    /// Version of the runtime.
    pub version: String,
}

/// Whether a row gets the same bytes however it is asked, as probed when the model was loaded, and the way of
/// asking that was chosen from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stability {
    /// A row alone, asked twice, gave the same bytes.
    pub alone: bool,
    /// A row padded to two by repeating it gave the bytes it has in a batch.
    pub padded: bool,
    /// A row in a batch gave the bytes it has alone.
    pub batched: bool,
    /// The batch in another order gave every row the same bytes.
    pub reordered: bool,
    /// Fewest rows of one call of the model; a lone row is repeated where this is 2.
    pub min_rows: u32,
    /// Most rows of one call of the model; 1 where rows are stable only alone or the model takes just one.
    pub max_rows: u32,
}

impl Stability {
    /// Whether a row served in the chosen way gets the same bytes every time.
    pub fn is_stable(self) -> bool {
        match (self.min_rows, self.max_rows) {
            (_, 1) => self.alone,
            (1, _) => self.alone && self.batched && self.reordered,
            (_, _) => self.padded && self.reordered,
        }
    }
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Infer {
    pub id: Id,
    /// From the frame's arrival until nobody waits any longer; none where there is no such limit.
    pub deadline_ms: Option<u32>,
    pub method: Method,
    pub tensors: Vec<IndexedTensor>,
}

/// What a model is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[repr(u16)]
pub enum Method {
    /// Its outputs.
    #[default]
    Predict = 0,
    /// Its only output, a text, piece by piece; of one row.
    Stream = 1,
    /// Why its outputs are what they are: for each row a text that is JSON.
    Explain = 2,
}

/// A piece of a streamed answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub id: Id,
    pub text: String,
}

/// What the model answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub id: Id,
    /// How long the call of the model took that this request was part of.
    pub compute_us: u32,
    pub tensors: Vec<IndexedTensor>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub id: Id,
    pub code: FailureCode,
    pub message: String,
}

/// Whose fault it is that there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FailureCode {
    /// The request does not fit the model, or the model refuses its values.
    BadInput = 1,
    /// There is more to do than is taken on.
    Overloaded = 2,
    /// It was too late before the model was called.
    Deadline = 3,
    /// The model, or what runs it, failed.
    Internal = 4,
}

/// A tensor named by its place among the model's inputs or outputs; `data` as in [`crate::tensor::Tensor`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexedTensor {
    pub index: u16,
    pub datatype: Datatype,
    pub shape: Vec<usize>,
    pub data: Bytes,
}

impl IndexedTensor {
    /// Rows: the first dimension, or one where there is none.
    pub fn n_rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Hello = 1,
    Infer = 2,
    Answer = 3,
    Failure = 4,
    Cancel = 5,
    Part = 6,
    More = 7,
}

impl Kind {
    const ALL: [Self; 7] =
        [Self::Hello, Self::Infer, Self::Answer, Self::Failure, Self::Cancel, Self::Part, Self::More];
}

impl Method {
    const ALL: [Self; 3] = [Self::Predict, Self::Stream, Self::Explain];
}

impl FailureCode {
    const ALL: [Self; 4] = [Self::BadInput, Self::Overloaded, Self::Deadline, Self::Internal];
}

#[cfg(test)]
mod tests;
