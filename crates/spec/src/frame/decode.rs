//! Bytes to frames, as the bytes arrive.
//!
//! Knows nothing of streams and trusts no byte. Invariant: it holds at most one frame more than it was given
//! to read, it reserves only for what has arrived, and after an error it gives no further frame: from there on
//! nobody knows where the next one begins.

use bytes::{Buf, Bytes, BytesMut};

use super::{Answer, Failure, FailureCode, Frame, HEADER_BYTES, Id, IndexedTensor, Infer};
use super::{Kind, Method, PROTOCOL, Part};
use crate::limits;
use crate::tensor::{Datatype, Tensor, TensorError};

/// Room that is made for the next read, in bytes.
const READ_BYTES: usize = 64 * 1024;

/// Why bytes are not frames. The stream they came from is of no further use.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error(
        "a frame of {n_bytes} bytes; at least {HEADER_BYTES} and at most {} are allowed",
        limits::FRAME_BYTES
    )]
    Length { n_bytes: usize },
    #[error("frames of protocol {got}; this side speaks {PROTOCOL}")]
    Protocol { got: u8 },
    #[error("no frame is of kind {0}")]
    Kind(u8),
    #[error("bytes that must be zero are not")]
    Reserved,
    #[error("the frame ends in the middle of a value")]
    Truncated,
    #[error("{n_bytes} bytes are left over at the end of the frame")]
    Surplus { n_bytes: usize },
    #[error("the hello is not the JSON it should be")]
    Hello(#[source] serde_json::Error),
    #[error("a frame of {n_tensors} tensors; at most {} are allowed", limits::REQUEST_TENSORS)]
    Tensors { n_tensors: usize },
    #[error("no datatype has the code {0}")]
    Datatype(u8),
    #[error("tensor {index} is malformed")]
    Tensor {
        index: u16,
        #[source]
        source: TensorError,
    },
    #[error("no failure has the code {0}")]
    Code(u8),
    #[error("the message of a failure, or a piece of an answer, is not UTF-8")]
    Message,
    #[error("no method has the code {0}")]
    Method(u16),
}

/// Turns the bytes of one stream into its frames.
///
/// Read into [`Decoder::space`], then take frames with [`Decoder::next_frame`] until there is none. Data of
/// tensors are slices of what was read, not copies.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: BytesMut,
    is_broken: bool,
}

impl Decoder {
    pub fn new() -> Self {
        Self::default()
    }

    /// Where to append what was read. It has room for at least some tens of kilobytes.
    pub fn space(&mut self) -> &mut BytesMut {
        self.buffer.reserve(READ_BYTES);
        &mut self.buffer
    }

    /// Appends bytes that were read elsewhere.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether the bytes so far end between two frames: where a stream may end.
    pub fn is_between_frames(&self) -> bool {
        self.buffer.is_empty() && !self.is_broken
    }

    /// The next frame, or none until more bytes have come.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.is_broken {
            return Err(FrameError::Truncated);
        }
        let frame = self.decode();
        if frame.is_err() {
            self.is_broken = true;
            self.buffer = BytesMut::new();
        }
        frame
    }

    fn decode(&mut self) -> Result<Option<Frame>, FrameError> {
        let Some(start) = self.buffer.first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let [a, b, c, d, kind, protocol, reserved @ ..] = *start;
        let n_bytes = u32::from_le_bytes([a, b, c, d]) as usize;
        if !(HEADER_BYTES..=limits::FRAME_BYTES).contains(&n_bytes) {
            return Err(FrameError::Length { n_bytes });
        }
        if protocol != PROTOCOL {
            return Err(FrameError::Protocol { got: protocol });
        }
        let kind = Kind::ALL.into_iter().find(|known| *known as u8 == kind).ok_or(FrameError::Kind(kind))?;
        if reserved[..2] != [0, 0] {
            return Err(FrameError::Reserved);
        }
        if self.buffer.len() < n_bytes {
            return Ok(None);
        }
        let mut frame = self.buffer.split_to(n_bytes).freeze();
        frame.advance(8);
        let id = Id { slot: frame.get_u32_le(), generation: frame.get_u32_le() };
        decode_payload(kind, id, frame).map(Some)
    }
}

fn decode_payload(kind: Kind, id: Id, mut rest: Bytes) -> Result<Frame, FrameError> {
    match kind {
        Kind::Hello => serde_json::from_slice(&rest).map(Frame::Hello).map_err(FrameError::Hello),
        Kind::Infer => {
            let (deadline_ms, code, tensors) = decode_tensors(rest)?;
            let deadline_ms = (deadline_ms > 0).then_some(deadline_ms);
            let known = Method::ALL.into_iter().find(|known| *known as u16 == code);
            let method = known.ok_or(FrameError::Method(code))?;
            Ok(Frame::Infer(Infer { id, deadline_ms, method, tensors }))
        }
        Kind::Answer => {
            let (compute_us, zero, tensors) = decode_tensors(rest)?;
            if zero != 0 {
                return Err(FrameError::Reserved);
            }
            Ok(Frame::Answer(Answer { id, compute_us, tensors }))
        }
        Kind::Failure => {
            let code = rest.try_get_u8().map_err(|_| FrameError::Truncated)?;
            let known = FailureCode::ALL.into_iter().find(|known| *known as u8 == code);
            let code = known.ok_or(FrameError::Code(code))?;
            Ok(Frame::Failure(Failure { id, code, message: decode_text(&rest)? }))
        }
        Kind::Part => Ok(Frame::Part(Part { id, text: decode_text(&rest)? })),
        Kind::Cancel if rest.is_empty() => Ok(Frame::Cancel(id)),
        Kind::More if rest.is_empty() => Ok(Frame::More(id)),
        Kind::Cancel | Kind::More => Err(FrameError::Surplus { n_bytes: rest.len() }),
    }
}

fn decode_text(rest: &[u8]) -> Result<String, FrameError> {
    std::str::from_utf8(rest).map(str::to_owned).map_err(|_| FrameError::Message)
}

/// The two numbers before the tensors, and the tensors.
fn decode_tensors(mut rest: Bytes) -> Result<(u32, u16, Vec<IndexedTensor>), FrameError> {
    if rest.len() < 8 {
        return Err(FrameError::Truncated);
    }
    let number = rest.get_u32_le();
    let n_tensors = usize::from(rest.get_u16_le());
    let code = rest.get_u16_le();
    if n_tensors > limits::REQUEST_TENSORS {
        return Err(FrameError::Tensors { n_tensors });
    }
    let mut tensors = Vec::with_capacity(n_tensors);
    for _ in 0..n_tensors {
        tensors.push(decode_tensor(&mut rest)?);
    }
    match rest.len() {
        0 => Ok((number, code, tensors)),
        n_bytes => Err(FrameError::Surplus { n_bytes }),
    }
}

fn decode_tensor(rest: &mut Bytes) -> Result<IndexedTensor, FrameError> {
    if rest.len() < 8 {
        return Err(FrameError::Truncated);
    }
    let index = rest.get_u16_le();
    let code = rest.get_u8();
    let n_dimensions = usize::from(rest.get_u8());
    let n_bytes = rest.get_u32_le() as usize;
    let datatype = *Datatype::ALL.get(usize::from(code)).ok_or(FrameError::Datatype(code))?;
    let malformed = |source| FrameError::Tensor { index, source };
    if n_dimensions > limits::TENSOR_DIMENSIONS {
        return Err(malformed(TensorError::Dimensions { name: index.to_string(), n_dimensions }));
    }
    if rest.len() < n_dimensions * 8 + n_bytes {
        return Err(FrameError::Truncated);
    }
    // A length past what this machine can count is kept as the largest one, which no data can fill.
    let length = |rest: &mut Bytes| usize::try_from(rest.get_u64_le()).unwrap_or(usize::MAX);
    let shape: Vec<usize> = (0..n_dimensions).map(|_| length(rest)).collect();
    let data = rest.split_to(n_bytes);
    let Tensor { datatype, shape, data, .. } =
        Tensor::new(String::new(), datatype, shape, data).map_err(malformed)?;
    Ok(IndexedTensor { index, datatype, shape, data })
}
