//! Many requests at once: each gets its own answer, they share calls, and none holds up the others for long.

use std::collections::BTreeMap;

use spec::frame::{FailureCode, Frame};

use crate::answers::expected;
use crate::client::{Client, cancel, floats, id, infer, numbers};
use crate::process;

#[test]
fn a_thousand_requests_over_four_streams_get_their_own_answers() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("forest.onnx");
    let expected = expected("forest");
    let ask = |stream: usize| {
        let mut client = Client::connect(&runtime.socket);
        // Rows that tell whose they are; every fifteenth request is larger than a call.
        let rows_of = |n: usize| {
            let length = if n.is_multiple_of(15) { 100 } else { 1 + n % 3 };
            (0..length).map(|row| (n * 7 + row * 3 + stream) % expected.rows.len()).collect::<Vec<_>>()
        };
        for first in (0..250).step_by(50) {
            let requests = first..first + 50;
            let bytes: Vec<_> =
                requests.clone().map(|n| infer(n as u32, None, &[expected.input(&rows_of(n))])).collect();
            client.send(&bytes.concat());
            let mut waiting: BTreeMap<_, _> = requests.map(|n| (id(n as u32), rows_of(n))).collect();
            while !waiting.is_empty() {
                let answer = client.answer();
                expected.check(&waiting.remove(&answer.id).unwrap(), &answer.tensors);
            }
        }
    };
    std::thread::scope(|scope| {
        for stream in 0..4 {
            scope.spawn(move || ask(stream));
        }
    });
}

#[test]
fn requests_that_wait_together_share_a_call() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("logistic.onnx");
    let expected = expected("logistic");
    let mut client = Client::connect(&runtime.socket);
    let requests: Vec<_> = (0..64).map(|n| infer(n, None, &[expected.input(&[n as usize % 15])])).collect();
    client.send(&requests.concat());
    for n in 0..64 {
        let answer = client.answer();
        assert_eq!(answer.id, id(n));
        expected.check(&[n as usize % 15], &answer.tensors);
    }
    client.finish();
    assert_eq!(client.receive(), None);
    let log = runtime.end();
    // A frame may have been read before the others had arrived, but not many.
    let n_calls = log.split("n_calls=").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(log.contains("n_answers=64") && log.contains("n_rows=64"), "{log}");
    assert!(n_calls.parse::<usize>().unwrap() <= 8, "{log}");
}

#[test]
fn a_large_request_does_not_hold_up_a_small_one() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("slow.onnx");
    let mut client = Client::connect(&runtime.socket);
    let many: Vec<Vec<f32>> = (0..640).map(|n| vec![n as f32]).collect();
    let many: Vec<&[f32]> = many.iter().map(Vec::as_slice).collect();
    client.send(&[infer(1, None, &[floats(&many)]), infer(2, None, &[floats(&[&[5.0]])])].concat());
    let small = client.answer();
    assert_eq!((small.id, numbers(&small.tensors[0])[0].round()), (id(2), 5.0));
    let large = client.answer();
    assert_eq!((large.id, &large.tensors[0].shape[..]), (id(1), &[640, 1][..]));
    let wrong =
        numbers(&large.tensors[0]).iter().zip(0..).find(|(got, n)| (*got - *n as f32).abs() > 0.5).is_some();
    assert!(!wrong, "{:?}", numbers(&large.tensors[0]));
}

#[test]
fn what_is_cancelled_or_late_is_not_computed() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("slow.onnx");
    let mut client = Client::connect(&runtime.socket);
    let full = vec![&[1.0_f32][..]; 64];
    let one = |slot, deadline_ms| infer(slot, deadline_ms, &[floats(&[&[1.0]])]);
    // The first call takes all the rows there is room for; the rest waits, and some of it too long.
    let requests =
        [infer(1, None, &[floats(&full)]), one(2, None), one(3, Some(1)), one(4, Some(60_000)), cancel(2)];
    client.send(&requests.concat());
    let mut answered = Vec::new();
    for _ in 0..3 {
        match client.receive() {
            Some(Frame::Answer(answer)) => answered.push(answer.id.slot),
            Some(Frame::Failure(failure)) => {
                assert_eq!((failure.id, failure.code), (id(3), FailureCode::Deadline));
            }
            other => panic!("{other:?}"),
        }
    }
    answered.sort_unstable();
    assert_eq!(answered, [1, 4]);
    client.finish();
    assert_eq!(client.receive(), None);
    assert!(runtime.end().contains("n_rows=65"));
}
