//! Tests of the frames: what is written reads back, in whatever pieces, and nothing foreign gets through.

use proptest::prelude::*;

use super::*;
use crate::limits;
use crate::tensor::TensorError;

fn id(slot: u32, generation: u32) -> Id {
    Id { slot, generation }
}

fn hello() -> Hello {
    let stability =
        Stability { alone: true, padded: true, batched: false, reordered: true, min_rows: 2, max_rows: 64 };
    Hello {
        protocol: PROTOCOL,
        name: "iris".into(),
        inputs: vec![TensorSpec { name: "X".into(), datatype: Datatype::Fp32, shape: vec![-1, 4] }],
        outputs: vec![TensorSpec { name: "label".into(), datatype: Datatype::Int64, shape: vec![-1] }],
        weights_sha256: Some(Sha256::of(b"weights")),
        stability,
        backend: "onnxruntime".into(),
        version: "0.1.0".into(),
    }
}

fn tensor(index: u16, datatype: Datatype, shape: &[usize], data: Vec<u8>) -> IndexedTensor {
    IndexedTensor { index, datatype, shape: shape.into(), data: data.into() }
}

fn write(out: &mut Vec<u8>, frame: &Frame) {
    let tensors = |mut writer: Writer<'_>, tensors: &[IndexedTensor]| {
        for tensor in tensors {
            writer.tensor(tensor.index, tensor.datatype, &tensor.shape, &tensor.data).unwrap();
        }
        writer.finish().unwrap();
    };
    match frame {
        Frame::Hello(hello) => write_hello(out, hello).unwrap(),
        Frame::Infer(infer) => {
            tensors(Writer::ask(out, infer.id, infer.deadline_ms, infer.method), &infer.tensors);
        }
        Frame::Answer(answer) => tensors(Writer::answer(out, answer.id, answer.compute_us), &answer.tensors),
        Frame::Failure(failure) => write_failure(out, failure.id, failure.code, &failure.message),
        Frame::Cancel(id) => write_cancel(out, *id),
        Frame::Part(part) => write_part(out, part.id, &part.text).unwrap(),
        Frame::More(id) => write_more(out, *id),
    }
}

fn read_all(decoder: &mut Decoder) -> Result<Vec<Frame>, FrameError> {
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame()? {
        frames.push(frame);
    }
    Ok(frames)
}

fn read(bytes: &[u8]) -> Result<Vec<Frame>, FrameError> {
    let mut decoder = Decoder::new();
    decoder.push(bytes);
    read_all(&mut decoder)
}

fn any_id() -> impl Strategy<Value = Id> {
    any::<(u32, u32)>().prop_map(|(slot, generation)| Id { slot, generation })
}

fn any_tensor() -> impl Strategy<Value = IndexedTensor> {
    let text = (any::<u16>(), prop::collection::vec("[a-zäß]{0,6}", 0..5)).prop_map(|(index, values)| {
        let element = |value: &String| [&(value.len() as u32).to_le_bytes()[..], value.as_bytes()].concat();
        tensor(index, Datatype::Bytes, &[values.len()], values.iter().flat_map(element).collect())
    });
    let shape = prop::collection::vec(0..4_usize, 0..=4);
    let number = (any::<u16>(), 0..13_usize, shape, any::<u8>()).prop_map(|(index, code, shape, fill)| {
        let datatype = Datatype::ALL[code];
        let n_bytes = shape.iter().product::<usize>() * datatype.n_bytes().unwrap();
        tensor(index, datatype, &shape, vec![fill; n_bytes])
    });
    prop_oneof![text, number]
}

fn any_frame() -> impl Strategy<Value = Frame> {
    let tensors = || prop::collection::vec(any_tensor(), 0..4);
    let code = prop::sample::select(&FailureCode::ALL[..]);
    prop_oneof![
        Just(Frame::Hello(Box::new(hello()))),
        any_id().prop_map(Frame::Cancel),
        any_id().prop_map(Frame::More),
        (any_id(), "[a-zäß]{0,9}").prop_map(|(id, text)| Frame::Part(Part { id, text })),
        (any_id(), prop::option::of(1..u32::MAX), prop::sample::select(&Method::ALL[..]), tensors())
            .prop_map(|(id, deadline_ms, method, tensors)| Frame::Infer(Infer {
                id,
                deadline_ms,
                method,
                tensors
            })),
        (any_id(), any::<u32>(), tensors()).prop_map(|(id, compute_us, tensors)| Frame::Answer(Answer {
            id,
            compute_us,
            tensors
        })),
        (any_id(), code, ".{0,20}").prop_map(|(id, code, message)| Frame::Failure(Failure {
            id,
            code,
            message
        })),
    ]
}

proptest! {
    #[test]
    fn frames_read_back_in_whatever_pieces_they_arrive(
        frames in prop::collection::vec(any_frame(), 1..6),
        cuts in prop::collection::vec(1..40_usize, 1..200),
    ) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| write(&mut bytes, frame));
        prop_assert_eq!(&read(&bytes).unwrap(), &frames);

        let (mut decoder, mut got, mut rest) = (Decoder::new(), Vec::new(), &bytes[..]);
        for cut in cuts.iter().cycle() {
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            decoder.push(piece);
            got.extend(read_all(&mut decoder).unwrap());
            rest = after;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert!(decoder.is_between_frames());
        prop_assert_eq!(got, frames);
    }

    #[test]
    fn random_bytes_are_frames_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&bytes);
    }

    #[test]
    fn a_random_payload_is_a_frame_or_an_error(kind in 0..9_u8, payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut bytes = header((HEADER_BYTES + payload.len()) as u32, kind).to_vec();
        bytes.extend(payload);
        let _ = read(&bytes);
    }

    #[test]
    fn a_changed_byte_never_panics(frame in any_frame(), at in any::<prop::sample::Index>(), value in any::<u8>()) {
        let mut bytes = Vec::new();
        write(&mut bytes, &frame);
        let at = at.index(bytes.len());
        bytes[at] = value;
        let _ = read(&bytes);
    }
}

fn header(length: u32, kind: u8) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..4].copy_from_slice(&length.to_le_bytes());
    header[4] = kind;
    header[5] = PROTOCOL;
    header
}

#[test]
fn the_bytes_of_a_request_are_these() {
    let mut out = Vec::new();
    let mut writer = Writer::infer(&mut out, id(7, 2), Some(1500));
    writer.tensor(3, Datatype::Int16, &[1, 2], &[1, 0, 2, 0]).unwrap();
    writer.finish().unwrap();
    let expected: [&[u8]; 5] = [
        &[52, 0, 0, 0, 2, 2, 0, 0, 7, 0, 0, 0, 2, 0, 0, 0],
        &[0xdc, 5, 0, 0, 1, 0, 0, 0],
        &[3, 0, 6, 2, 4, 0, 0, 0],
        &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0],
        &[1, 0, 2, 0],
    ];
    assert_eq!(out, expected.concat());
}

#[test]
fn what_a_model_is_asked_for_is_known_or_refused() {
    let mut out = Vec::new();
    Writer::ask(&mut out, id(7, 2), None, Method::Explain).finish().unwrap();
    assert_eq!(out[16..], [0, 0, 0, 0, 0, 0, 2, 0]);
    out[22] = 3;
    assert!(matches!(read(&out), Err(FrameError::Method(3))));
    // An answer is to no method: its bytes there are zero.
    out[4] = 3;
    assert!(matches!(read(&out), Err(FrameError::Reserved)));
}

#[test]
fn a_frame_over_the_limit_is_refused_before_it_has_arrived() {
    let too_long = u32::try_from(limits::FRAME_BYTES + 1).unwrap();
    assert!(matches!(read(&header(too_long, 2)), Err(FrameError::Length { .. })));
    assert!(matches!(read(&header(15, 2)), Err(FrameError::Length { n_bytes: 15 })));
    assert!(
        matches!(read(&header(u32::try_from(limits::FRAME_BYTES).unwrap(), 2)), Ok(frames) if frames.is_empty())
    );
}

#[test]
fn malformed_frames_are_told_apart() {
    let framed = |kind: u8, payload: &[u8]| {
        let mut bytes = header((HEADER_BYTES + payload.len()) as u32, kind).to_vec();
        bytes.extend(payload);
        read(&bytes)
    };
    let mut other = header(16, 5);
    other[5] = 9;
    assert!(matches!(read(&other), Err(FrameError::Protocol { got: 9 })));
    let mut reserved = header(16, 5);
    reserved[6] = 1;
    assert!(matches!(read(&reserved), Err(FrameError::Reserved)));
    assert!(matches!(framed(0, b""), Err(FrameError::Kind(0))));
    assert!(matches!(framed(1, b"{}"), Err(FrameError::Hello(_))));
    assert!(matches!(framed(2, b"\0\0\0"), Err(FrameError::Truncated)));
    assert!(matches!(framed(2, b"\0\0\0\0\xff\xff\0\0"), Err(FrameError::Tensors { n_tensors: 65_535 })));
    assert!(matches!(framed(4, b"\x09"), Err(FrameError::Code(9))));
    assert!(matches!(framed(4, b"\x01\xff"), Err(FrameError::Message)));
    assert!(matches!(framed(5, b"x"), Err(FrameError::Surplus { n_bytes: 1 })));

    let one = b"\0\0\0\0\x01\0\0\0";
    let tensor = |rest: &[u8]| framed(2, &[&one[..], rest].concat());
    assert!(matches!(tensor(b"\0\0\x63\0\0\0\0\0"), Err(FrameError::Datatype(0x63))));
    let source = TensorError::Dimensions { name: "0".into(), n_dimensions: 9 };
    let got = tensor(b"\0\0\x01\x09\0\0\0\0");
    assert!(matches!(got, Err(FrameError::Tensor { index: 0, source: s }) if s == source));
    assert!(matches!(tensor(b"\0\0\x01\0\xff\0\0\0"), Err(FrameError::Truncated)));
    assert!(matches!(tensor(b"\0\0\x01\0\x02\0\0\0ab"), Err(FrameError::Tensor { index: 0, .. })));
    assert!(matches!(tensor(b"\0\0\x01\0\x01\0\0\0ab"), Err(FrameError::Surplus { n_bytes: 1 })));
}

#[test]
fn after_an_error_no_frame_comes() {
    let mut decoder = Decoder::new();
    decoder.push(&header(16, 9));
    assert!(decoder.next_frame().is_err());
    decoder.push(&header(16, 5));
    assert!(decoder.next_frame().is_err() && !decoder.is_between_frames());
}

#[test]
fn a_frame_that_is_not_finished_leaves_nothing_behind() {
    let mut out = Vec::new();
    write_cancel(&mut out, id(1, 1));
    let before = out.clone();
    let mut writer = Writer::answer(&mut out, id(2, 1), 10);
    writer.tensor(0, Datatype::Uint8, &[1], &[1]).unwrap();
    assert!(matches!(
        writer.tensor(0, Datatype::Uint8, &[1; 9], &[1]),
        Err(EncodeError::TooManyDimensions { n_dimensions: 9, .. })
    ));
    drop(writer);
    assert_eq!(out, before);
}

#[test]
fn too_many_tensors_are_not_written() {
    let mut out = Vec::new();
    let mut writer = Writer::infer(&mut out, id(1, 1), None);
    for _ in 0..limits::REQUEST_TENSORS {
        writer.tensor(0, Datatype::Uint8, &[0], &[]).unwrap();
    }
    assert!(matches!(writer.tensor(0, Datatype::Uint8, &[0], &[]), Err(EncodeError::TooManyTensors)));
    writer.finish().unwrap();
    assert!(
        matches!(&read(&out).unwrap()[..], [Frame::Infer(infer)] if infer.tensors.len() == limits::REQUEST_TENSORS)
    );
}

#[test]
fn data_of_a_tensor_are_not_copied() {
    let mut out = Vec::new();
    write(&mut out, &Frame::Cancel(id(1, 1)));
    let one = tensor(0, Datatype::Uint8, &[4], vec![1, 2, 3, 4]);
    write(
        &mut out,
        &Frame::Infer(Infer { id: id(1, 1), deadline_ms: None, method: Method::Predict, tensors: vec![one] }),
    );
    let mut decoder = Decoder::new();
    decoder.space().extend_from_slice(&out);
    let range = decoder.space().as_ptr_range();
    let frames = read_all(&mut decoder).unwrap();
    let Frame::Infer(infer) = &frames[1] else { panic!("{frames:?}") };
    assert!(range.contains(&infer.tensors[0].data.as_ptr()));
}

#[test]
fn a_way_of_asking_is_stable_where_its_own_comparisons_held() {
    let all =
        Stability { alone: true, padded: true, batched: true, reordered: true, min_rows: 1, max_rows: 64 };
    assert!(all.is_stable());
    assert!(!Stability { batched: false, ..all }.is_stable());
    assert!(Stability { batched: false, min_rows: 2, ..all }.is_stable());
    assert!(!Stability { padded: false, min_rows: 2, ..all }.is_stable());
    assert!(Stability { batched: false, reordered: false, max_rows: 1, ..all }.is_stable());
    assert!(!Stability { alone: false, max_rows: 1, ..all }.is_stable());
}
