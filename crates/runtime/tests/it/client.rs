//! The gateway's side of a stream, as simple as it can be.

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use spec::frame::{Answer, Decoder, Failure, FailureCode, Frame, Hello, Id, IndexedTensor, Writer};
use spec::tensor::Datatype;

pub struct Client {
    stream: UnixStream,
    decoder: Decoder,
    pub hello: Hello,
}

pub fn id(slot: u32) -> Id {
    Id { slot, generation: 1 }
}

pub fn tensor(index: u16, datatype: Datatype, shape: &[usize], data: Vec<u8>) -> IndexedTensor {
    IndexedTensor { index, datatype, shape: shape.into(), data: data.into() }
}

/// Rows of numbers as the first input.
pub fn floats(rows: &[&[f32]]) -> IndexedTensor {
    let data = rows.iter().flat_map(|row| row.iter()).flat_map(|value| value.to_le_bytes()).collect();
    tensor(0, Datatype::Fp32, &[rows.len(), rows[0].len()], data)
}

/// A request in a frame of its own.
pub fn infer(slot: u32, deadline_ms: Option<u32>, tensors: &[IndexedTensor]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::infer(&mut out, id(slot), deadline_ms);
    for tensor in tensors {
        writer.tensor(tensor.index, tensor.datatype, &tensor.shape, &tensor.data).unwrap();
    }
    writer.finish().unwrap();
    out
}

pub fn cancel(slot: u32) -> Vec<u8> {
    let mut out = Vec::new();
    spec::frame::write_cancel(&mut out, id(slot));
    out
}

/// The numbers of an FP32 tensor.
pub fn numbers(tensor: &IndexedTensor) -> Vec<f32> {
    assert_eq!(tensor.datatype, Datatype::Fp32);
    tensor.data.chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap())).collect()
}

impl Client {
    pub fn connect(socket: &Path) -> Self {
        let stream = UnixStream::connect(socket).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        let mut decoder = Decoder::new();
        match next(&stream, &mut decoder) {
            Some(Frame::Hello(hello)) => Self { stream, decoder, hello: *hello },
            other => panic!("a stream begins with {other:?}"),
        }
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// The next frame, or none at the end.
    pub fn receive(&mut self) -> Option<Frame> {
        next(&self.stream, &mut self.decoder)
    }

    pub fn answer(&mut self) -> Answer {
        match self.receive() {
            Some(Frame::Answer(answer)) => answer,
            other => panic!("an answer was due, not {other:?}"),
        }
    }

    pub fn failure(&mut self) -> Failure {
        match self.receive() {
            Some(Frame::Failure(failure)) => failure,
            other => panic!("a failure was due, not {other:?}"),
        }
    }

    /// Asks and waits for the answer.
    pub fn ask(&mut self, tensors: &[IndexedTensor]) -> Vec<IndexedTensor> {
        self.send(&infer(7, None, tensors));
        let answer = self.answer();
        assert_eq!(answer.id, id(7));
        answer.tensors
    }

    /// Asks what is refused and gives the reason.
    pub fn refusal(&mut self, tensors: &[IndexedTensor]) -> String {
        self.send(&infer(8, None, tensors));
        let failure = self.failure();
        assert_eq!((failure.id, failure.code), (id(8), FailureCode::BadInput), "{}", failure.message);
        failure.message
    }

    /// Sends no more, but still reads.
    pub fn finish(&mut self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }
}

fn next(mut stream: &UnixStream, decoder: &mut Decoder) -> Option<Frame> {
    let mut scratch = vec![0; 64 * 1024];
    loop {
        if let Some(frame) = decoder.next_frame().unwrap() {
            return Some(frame);
        }
        match stream.read(&mut scratch) {
            Ok(0) => return None,
            Ok(n) => decoder.push(&scratch[..n]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
            Err(error) => panic!("{error}"),
        }
    }
}
