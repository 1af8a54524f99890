//! Messages between bytes and their types: counted before they are decoded.
//!
//! Knows the wire form and no meaning. Invariant: a message takes no more memory than a few times its own length, whoever
//! sent it: what is short on the wire and long in memory is counted first.

use std::marker::PhantomData;

use bytes::{Buf, Bytes};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use spec::limits;
use tonic::Status;
use tonic::codec::{Codec, DecodeBuf, Decoder};
use tonic_prost::ProstEncoder;

use super::message::{InferRequest, ModelRequest, Nothing};
use crate::error::Error;
use tonic_health::pb::HealthCheckRequest;

/// Texts that a message may hold as typed values; more of them come as raw values.
const TEXTS: usize = 1 << 20;
/// Bytes that the shape of a tensor may take.
const SHAPE_BYTES: usize = 10 * limits::TENSOR_DIMENSIONS;

/// A message that can be asked.
pub(super) trait Bounded: Message + Default {
    /// Refuses what would become far more than its bytes.
    fn check(_: &[u8]) -> Result<(), Error> {
        Ok(())
    }
}

impl Bounded for Nothing {}
impl Bounded for ModelRequest {}
impl Bounded for HealthCheckRequest {}

impl Bounded for InferRequest {
    fn check(message: &[u8]) -> Result<(), Error> {
        let mut n_texts = 0;
        let (mut n_parameters, mut n_inputs, mut n_outputs, mut n_raw) = (0, 0, 0, 0);
        each_field(message, |tag, value| match tag {
            4 => few(&mut n_parameters),
            5 => few(&mut n_inputs).and_then(|()| check_input(value, &mut n_texts)),
            6 => few(&mut n_outputs).and_then(|()| check_output(value)),
            7 => few(&mut n_raw),
            _ => Ok(()),
        })
    }
}

fn check_input(input: &[u8], n_texts: &mut usize) -> Result<(), Error> {
    let (mut n_parameters, mut n_shape_bytes) = (0, 0);
    each_field(input, |tag, value| match tag {
        3 => {
            n_shape_bytes += value.len().max(1);
            at_most(n_shape_bytes, SHAPE_BYTES, "bytes of a shape")
        }
        4 => few(&mut n_parameters),
        5 => each_field(value, |tag, _| {
            *n_texts += usize::from(tag == 8);
            at_most(*n_texts, TEXTS, "texts")
        }),
        _ => Ok(()),
    })
}

fn check_output(output: &[u8]) -> Result<(), Error> {
    let mut n_parameters = 0;
    each_field(output, |tag, _| if tag == 2 { few(&mut n_parameters) } else { Ok(()) })
}

fn few(n: &mut usize) -> Result<(), Error> {
    *n += 1;
    at_most(*n, limits::REQUEST_TENSORS, "inputs, outputs or parameters")
}

fn at_most(n: usize, most: usize, what: &str) -> Result<(), Error> {
    match n <= most {
        true => Ok(()),
        false => Err(Error::BadInput(format!("more than {most} {what} came"))),
    }
}

/// Calls a function with each field of a message and, of those that have a length, their bytes.
fn each_field(message: &[u8], mut with: impl FnMut(u32, &[u8]) -> Result<(), Error>) -> Result<(), Error> {
    let mut rest = message;
    while !rest.is_empty() {
        let (tag, wire_type) = decode_key(&mut rest).map_err(|error| broken(&error))?;
        let from = rest;
        skip_field(wire_type, tag, &mut rest, DecodeContext::default()).map_err(|error| broken(&error))?;
        let mut value = &from[..from.len() - rest.len()];
        match wire_type {
            WireType::LengthDelimited => drop(decode_varint(&mut value).map_err(|error| broken(&error))?),
            _ => value = &[],
        }
        with(tag, value)?;
    }
    Ok(())
}

fn broken(error: &prost::DecodeError) -> Error {
    Error::BadRequest(format!("the message cannot be read: {error}"))
}

/// Reads a message.
pub(super) fn read<M: Bounded>(bytes: Bytes) -> Result<M, Error> {
    M::check(&bytes)?;
    M::decode(bytes).map_err(|error| broken(&error))
}

/// Hands messages over as they came, and writes those of a type.
#[derive(Debug)]
pub(super) struct Whole<R>(PhantomData<R>);

impl<R> Default for Whole<R> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<R: Message + 'static> Codec for Whole<R> {
    type Encode = R;
    type Decode = Bytes;
    type Encoder = ProstEncoder<R>;
    type Decoder = AsItCame;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::default()
    }

    fn decoder(&mut self) -> Self::Decoder {
        AsItCame
    }
}

/// The bytes of a message.
#[derive(Debug)]
pub(super) struct AsItCame;

impl Decoder for AsItCame {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::{Contents, InferTensor};
    use super::*;

    fn refused(message: &InferRequest) -> String {
        read::<InferRequest>(message.encode_to_vec().into()).unwrap_err().detail()
    }

    #[test]
    fn what_is_short_on_the_wire_and_long_in_memory_is_refused() {
        // A million empty inputs are two million bytes, and would be hundreds of millions.
        let inputs = [0x2a, 0].repeat(1_000_000);
        let error = read::<InferRequest>(inputs.into()).unwrap_err();
        assert!(error.detail().contains("more than 256 inputs"), "{}", error.detail());
        let texts = Contents { texts: vec![Bytes::new(); TEXTS + 1], ..Contents::default() };
        let of_texts = InferTensor { contents: Some(texts), ..InferTensor::default() };
        let shape = InferTensor { shape: vec![0; SHAPE_BYTES + 1], ..InferTensor::default() };
        for (input, part) in [(of_texts, "texts"), (shape, "bytes of a shape")] {
            let message = InferRequest { inputs: vec![input], ..InferRequest::default() };
            assert!(refused(&message).contains(part), "{part}");
        }
        let raw = InferRequest { raw_input_contents: vec![Bytes::new(); 257], ..InferRequest::default() };
        assert!(refused(&raw).contains("256"));
    }

    #[test]
    fn what_is_no_message_is_refused_and_what_is_one_is_read() {
        for broken in [&b"\x2a\x05\x01"[..], b"\xff", b"\x2a\x02\x2a\x7f"] {
            assert!(read::<InferRequest>(Bytes::from_static(broken)).is_err(), "{broken:?}");
        }
        let contents = Contents { texts: vec!["a".into(); 3], ..Contents::default() };
        let input = InferTensor { shape: vec![3, 1], contents: Some(contents), ..InferTensor::default() };
        let message = InferRequest { inputs: vec![input; 256], ..InferRequest::default() };
        assert_eq!(read::<InferRequest>(message.encode_to_vec().into()).unwrap(), message);
    }
}
