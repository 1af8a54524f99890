//! What goes wrong: requests that do not fit, streams that break, models that are none, sockets left behind.

use spec::digest::Sha256;
use spec::frame::FailureCode;
use spec::tensor::Datatype;

use crate::answers::expected;
use crate::client::{Client, floats, id, infer, tensor};
use crate::process;

#[test]
fn a_request_that_does_not_fit_is_refused_and_the_stream_lives() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("logistic.onnx");
    let expected = expected("logistic");
    let good = expected.input(&[3]);
    let mut client = Client::connect(&runtime.socket);
    let refusals = [
        (
            vec![tensor(9, Datatype::Fp32, &[1, 4], vec![0; 16])],
            "the model has 1 inputs; there is none with the index 9",
        ),
        (vec![], "the input `X` is missing"),
        (vec![good.clone(), good.clone()], "the input `X` came twice"),
        (vec![tensor(0, Datatype::Fp64, &[1, 4], vec![0; 32])], "the input `X` is FP32 and came as FP64"),
        (vec![floats(&[&[1.0, 2.0, 3.0]])], "the input `X` has the shape [-1, 4] and came with [1, 3]"),
        (
            vec![tensor(0, Datatype::Fp32, &[4], vec![0; 16])],
            "the input `X` has the shape [-1, 4] and came with [4]",
        ),
        (vec![tensor(0, Datatype::Fp32, &[0, 4], vec![])], "a request needs at least one row"),
    ];
    for (tensors, reason) in refusals {
        assert_eq!(client.refusal(&tensors), reason);
        expected.check(&[3], &client.ask(std::slice::from_ref(&good)));
    }
    let identities = process::start("identities.onnx");
    let mut client = Client::connect(&identities.socket);
    let rows = |n| {
        client
            .hello
            .inputs
            .iter()
            .zip(0..)
            .map(move |(input, index)| {
                let n_rows = if index == 1 { n } else { 1 };
                tensor(
                    index,
                    input.datatype,
                    &[n_rows, 2],
                    vec![0; n_rows * 2 * input.datatype.n_bytes().unwrap_or(4)],
                )
            })
            .collect::<Vec<_>>()
    };
    let (even, uneven) = (rows(1), rows(2));
    assert_eq!(client.refusal(&uneven), "the input `in_UINT8` came with 2 rows and another input with 1");
    assert_eq!(client.ask(&even), even);
}

#[test]
fn a_request_that_fails_in_a_batch_fails_alone() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("texts.onnx");
    let expected = expected("texts");
    let mut client = Client::connect(&runtime.socket);
    let bad = tensor(0, Datatype::Bytes, &[1, 2], b"\x01\0\0\0\xff\x01\0\0\0a".into());
    let requests = [
        infer(1, None, &[expected.input(&[0])]),
        infer(2, None, &[bad]),
        infer(3, None, &[expected.input(&[4])]),
    ];
    client.send(&requests.concat());
    expected.check(&[0], &client.answer().tensors);
    let failure = client.failure();
    assert_eq!((failure.id, failure.code), (id(2), FailureCode::BadInput));
    expected.check(&[4], &client.answer().tensors);
}

#[test]
fn a_broken_stream_breaks_no_other() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("logistic.onnx");
    let expected = expected("logistic");
    let mut healthy = Client::connect(&runtime.socket);
    let request = infer(1, None, &[expected.input(&[0])]);

    let mut garbage = Client::connect(&runtime.socket);
    garbage.send(&[0xff; 100]);
    assert_eq!(garbage.receive(), None);

    let mut backwards = Client::connect(&runtime.socket);
    let mut failure = Vec::new();
    spec::frame::write_failure(&mut failure, id(1), FailureCode::Internal, "no");
    backwards.send(&failure);
    assert_eq!(backwards.receive(), None);

    // A request before the one that is cut off is still answered.
    let mut truncated = Client::connect(&runtime.socket);
    truncated.send(&[&request[..], &request[..20]].concat());
    truncated.finish();
    expected.check(&[0], &truncated.answer().tensors);
    assert_eq!(truncated.receive(), None);

    drop(Client::connect(&runtime.socket));
    expected.check(&[2], &healthy.ask(&[expected.input(&[2])]));
    drop(healthy);
    let log = runtime.end();
    for reason in
        ["what came is not a frame", "a frame came that only a runtime sends", "in the middle of a frame"]
    {
        assert!(log.contains(reason), "{reason}: {log}");
    }
}

#[test]
fn requests_sent_before_the_end_are_answered() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("forest.onnx");
    let expected = expected("forest");
    let mut client = Client::connect(&runtime.socket);
    let rows: Vec<usize> = (0..200).map(|row| row % expected.rows.len()).collect();
    client.send(&infer(1, None, &[expected.input(&rows)]));
    client.finish();
    expected.check(&rows, &client.answer().tensors);
    assert_eq!(client.receive(), None);
}

#[test]
fn a_new_runtime_takes_over_the_socket_of_a_dead_one_but_not_of_a_living() {
    if !process::is_available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let model = process::fixture("logistic.onnx");
    let mut first = process::start_at(&model, &socket);
    let (status, log) = process::fail(&mut process::command(&model, &socket));
    assert!(!status.success() && log.contains("another runtime answers at"), "{log}");
    // `kill` is SIGKILL: nothing is tidied up.
    first.kill().unwrap();
    first.wait().unwrap();
    assert!(socket.exists());
    let mut second = process::start_at(&model, &socket);
    assert_eq!(Client::connect(&socket).hello.inputs.len(), 1);
    second.kill().unwrap();
    second.wait().unwrap();
}

#[test]
fn what_is_no_model_is_a_clear_error() {
    if !process::is_available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("socket");
    let whole = std::fs::read(process::fixture("forest.onnx")).unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    for (path, reason) in [
        (file("empty.onnx", b""), "is empty"),
        (file("short.onnx", &whole[..whole.len() / 2]), "could not load the model"),
        (file("text.onnx", b"this is a text and no model"), "could not load the model"),
        (process::fixture("zipmap.onnx"), "is a sequence, which cannot be sent as a tensor"),
    ] {
        let (status, log) = process::fail(&mut process::command(&path, &socket));
        assert_eq!(status.code(), Some(1), "{log}");
        assert!(log.contains(reason) && log.contains("hint"), "{log}");
    }
    let (status, log) = process::fail(&mut process::command(&folder.path().join("gone.onnx"), &socket));
    // In the sandbox's eyes a file that is not there cannot be given access to.
    assert!(status.code() == Some(1) && log.contains("gone.onnx"), "{log}");
}

#[test]
fn a_model_with_another_digest_is_not_served() {
    if !process::is_available() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = process::fixture("logistic.onnx");
    let mut command = process::command(&model, &folder.path().join("socket"));
    command.env("WEIGHTS_SHA256", Sha256::of(b"other").to_string());
    let (status, log) = process::fail(&mut command);
    let digest = Sha256::of(&std::fs::read(&model).unwrap()).to_string();
    assert!(status.code() == Some(1) && log.contains(&digest), "{log}");
}

#[test]
fn a_missing_library_names_the_command_that_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = runtime::Settings::new("model.onnx".into(), folder.path().join("socket"));
    settings.onnxruntime.library = Some(folder.path().join("libonnxruntime.so"));
    let error = runtime::run(&settings, || Ok::<(), std::io::Error>(())).unwrap_err();
    assert!(matches!(error, runtime::Error::LibraryMissing { .. }));
    assert!(error.hint().unwrap().contains("reenact setup"));
}
