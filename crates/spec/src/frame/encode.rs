//! Frames to bytes, appended to a buffer that the caller sends when it likes.
//!
//! Knows nothing of streams. Invariant: a buffer holds whole frames only; one that is not finished, or that
//! would be longer than the other side reads, leaves no byte behind.

use super::{FailureCode, HEADER_BYTES, Hello, Id, Kind, Method, PROTOCOL};
use crate::limits;
use crate::tensor::Datatype;

/// Why a frame was not written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    #[error("a frame of {n_bytes} bytes is more than the {} that the other side reads", limits::FRAME_BYTES)]
    TooLong { n_bytes: usize },
    #[error("a frame holds at most {} tensors", limits::REQUEST_TENSORS)]
    TooManyTensors,
    #[error(
        "tensor {index} has {n_dimensions} dimensions; at most {} are allowed",
        limits::TENSOR_DIMENSIONS
    )]
    TooManyDimensions { index: u16, n_dimensions: usize },
    #[error("could not write the hello as JSON")]
    Hello(#[source] serde_json::Error),
}

/// A frame of tensors being written at the end of a buffer. Dropped without [`Writer::finish`], it takes back
/// all it wrote.
#[derive(Debug)]
#[must_use = "a frame that is not finished is taken back"]
pub struct Writer<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    n_tensors: u16,
    finished: bool,
}

impl<'a> Writer<'a> {
    /// Begins a request for the model's outputs.
    pub fn infer(out: &'a mut Vec<u8>, id: Id, deadline_ms: Option<u32>) -> Self {
        Self::begin(out, (Kind::Infer, Method::Predict), id, deadline_ms.unwrap_or(0))
    }

    /// Begins a request.
    pub fn ask(out: &'a mut Vec<u8>, id: Id, deadline_ms: Option<u32>, method: Method) -> Self {
        Self::begin(out, (Kind::Infer, method), id, deadline_ms.unwrap_or(0))
    }

    /// Begins an answer.
    pub fn answer(out: &'a mut Vec<u8>, id: Id, compute_us: u32) -> Self {
        Self::begin(out, (Kind::Answer, Method::Predict), id, compute_us)
    }

    fn begin(out: &'a mut Vec<u8>, (kind, method): (Kind, Method), id: Id, number: u32) -> Self {
        let start = out.len();
        write_header(out, kind, id);
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        out.extend_from_slice(&(method as u16).to_le_bytes());
        Self { out, start, n_tensors: 0, finished: false }
    }

    /// Appends a tensor. `data` must be what datatype and shape call for; the other side refuses it otherwise.
    pub fn tensor(
        &mut self,
        index: u16,
        datatype: Datatype,
        shape: &[usize],
        data: &[u8],
    ) -> Result<(), EncodeError> {
        self.tensor_with(index, datatype, shape, |out| out.extend_from_slice(data))
    }

    /// Appends a tensor whose data `fill` appends to the buffer itself, without a copy of its own.
    pub fn tensor_with(
        &mut self,
        index: u16,
        datatype: Datatype,
        shape: &[usize],
        fill: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), EncodeError> {
        if usize::from(self.n_tensors) >= limits::REQUEST_TENSORS {
            return Err(EncodeError::TooManyTensors);
        }
        let too_many = || EncodeError::TooManyDimensions { index, n_dimensions: shape.len() };
        if shape.len() > limits::TENSOR_DIMENSIONS {
            return Err(too_many());
        }
        let n_dimensions = u8::try_from(shape.len()).map_err(|_| too_many())?;
        self.out.extend_from_slice(&index.to_le_bytes());
        self.out.extend_from_slice(&[datatype as u8, n_dimensions]);
        let length_at = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        for length in shape {
            self.out.extend_from_slice(&(*length as u64).to_le_bytes());
        }
        let data_at = self.out.len();
        fill(self.out);
        let n_bytes = self.out.len().saturating_sub(data_at);
        let length = u32::try_from(n_bytes).map_err(|_| EncodeError::TooLong { n_bytes })?;
        self.out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
        self.n_tensors += 1;
        Ok(())
    }

    /// Ends the frame.
    pub fn finish(mut self) -> Result<(), EncodeError> {
        let count_at = self.start + HEADER_BYTES + 4;
        self.out[count_at..count_at + 2].copy_from_slice(&self.n_tensors.to_le_bytes());
        write_length(self.out, self.start)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Writer<'_> {
    fn drop(&mut self) {
        if !self.finished {
            self.out.truncate(self.start);
        }
    }
}

/// Appends a hello.
pub fn write_hello(out: &mut Vec<u8>, hello: &Hello) -> Result<(), EncodeError> {
    let start = out.len();
    write_header(out, Kind::Hello, Id::default());
    let written = serde_json::to_writer(&mut *out, hello).map_err(EncodeError::Hello);
    let written = written.and_then(|()| write_length(out, start));
    if written.is_err() {
        out.truncate(start);
    }
    written
}

/// Appends a failure. A message longer than 64 KiB is cut.
pub fn write_failure(out: &mut Vec<u8>, id: Id, code: FailureCode, message: &str) {
    let start = out.len();
    write_header(out, Kind::Failure, id);
    out.push(code as u8);
    out.extend_from_slice(&message.as_bytes()[..message.floor_char_boundary(64 * 1024)]);
    write_short_length(out, start);
}

/// Appends a cancel.
pub fn write_cancel(out: &mut Vec<u8>, id: Id) {
    let start = out.len();
    write_header(out, Kind::Cancel, id);
    write_short_length(out, start);
}

/// Appends a request for the next piece of an answer.
pub fn write_more(out: &mut Vec<u8>, id: Id) {
    let start = out.len();
    write_header(out, Kind::More, id);
    write_short_length(out, start);
}

/// Appends a piece of an answer.
pub fn write_part(out: &mut Vec<u8>, id: Id, text: &str) -> Result<(), EncodeError> {
    let start = out.len();
    write_header(out, Kind::Part, id);
    out.extend_from_slice(text.as_bytes());
    let written = write_length(out, start);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn write_header(out: &mut Vec<u8>, kind: Kind, id: Id) {
    out.extend_from_slice(&[0, 0, 0, 0, kind as u8, PROTOCOL, 0, 0]);
    out.extend_from_slice(&id.slot.to_le_bytes());
    out.extend_from_slice(&id.generation.to_le_bytes());
}

fn write_length(out: &mut [u8], start: usize) -> Result<(), EncodeError> {
    let n_bytes = out.len() - start;
    if n_bytes > limits::FRAME_BYTES {
        return Err(EncodeError::TooLong { n_bytes });
    }
    write_short_length(out, start);
    Ok(())
}

/// For frames that are far below every limit, or were compared with it.
fn write_short_length(out: &mut [u8], start: usize) {
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}
