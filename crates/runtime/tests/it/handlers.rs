//! Handlers in Python: a real interpreter, asked in frames.

use std::process::{Command, Stdio};

use spec::frame::FailureCode;

use crate::client::{Client, floats, infer, tensor};
use crate::process::{self, Runtime};

const EXAMPLES: &str = r#"{"rows": [[1, 2], [0.1, 0.7], [3, 0.3], [5, 8], [0.25, 0.5]]}"#;

/// A command that serves a handler, whose `numbers` are one row or all.
fn command(folder: &std::path::Path, takes: &str, code: &str) -> Command {
    std::fs::write(folder.join("predict.py"), code).unwrap();
    std::fs::write(folder.join("examples.json"), EXAMPLES).unwrap();
    let mut command = Command::new(process::example("serve_python"));
    command.arg(folder.join("predict.py")).arg(folder.join("socket")).arg(takes);
    command.arg(folder.join("examples.json"));
    command.env("PYTHON", std::env::var_os("REENACT_TEST_PYTHON").unwrap_or_else(|| "python3".into()));
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn start(takes: &str, code: &str) -> Runtime {
    let folder = tempfile::tempdir().unwrap();
    let child = process::ready(command(folder.path(), takes, code));
    let socket = folder.path().join("socket");
    Runtime::new(child, socket, folder)
}

fn answers(client: &mut Client, rows: &[&[f32]]) -> Vec<f64> {
    let got = client.ask(&[floats(rows)]);
    assert_eq!(got[0].shape, [rows.len()]);
    got[0].data.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())).collect()
}

#[test]
fn a_handler_of_rows_answers_each_in_its_place() {
    let runtime = start("row", "def predict(numbers):\n    return float(numbers[0]) - float(numbers[1])\n");
    let mut client = Client::connect(&runtime.socket);
    assert!(client.hello.stability.is_stable());
    assert_eq!(client.hello.backend, "python");
    assert_eq!(answers(&mut client, &[&[5.0, 2.0], &[1.0, 4.0]]), [3.0, -3.0]);
}

#[test]
fn what_a_handler_raises_is_the_callers_fault_only_where_it_says_so() {
    let code = "
def predict(numbers):
    if numbers[0] < 0:
        raise ValueError('negative')
    return [1.0, 2.0][int(numbers[1])]
";
    let runtime = start("row", &code.replace("[1.0, 2.0]", "([1.0, 2.0] * 5)"));
    let mut client = Client::connect(&runtime.socket);
    assert_eq!(client.refusal(&[floats(&[&[-1.0, 0.0]])]), "ValueError: negative");
    client.send(&infer(9, None, &[floats(&[&[1.0, 99.0]])]));
    let failure = client.failure();
    assert_eq!(failure.code, FailureCode::Internal, "{}", failure.message);
    assert!(failure.message.contains("IndexError"), "{}", failure.message);
    assert_eq!(answers(&mut client, &[&[1.0, 1.0]]), [2.0]);
    assert!(runtime.end().contains("line 5, in predict"), "the log has where it came from");
}

#[test]
fn a_model_whose_bits_hang_on_the_size_of_a_call_is_asked_in_one_size() {
    let code = "
def predict(numbers):
    return [float(a + b) * (1 + len(numbers) * 1e-15) for a, b in numbers]
";
    let runtime = start("rows", code);
    let mut client = Client::connect(&runtime.socket);
    let stability = client.hello.stability;
    assert_eq!((stability.min_rows, stability.max_rows), (16, 16));
    assert!(stability.is_stable());
    let wanted = |sum: f64| sum * (1.0 + 16.0 * 1e-15);
    assert_eq!(answers(&mut client, &[&[1.0, 2.0]]), [wanted(3.0)]);
    let rows: Vec<[f32; 2]> = (0..40_u8).map(|n| [f32::from(n), 1.0]).collect();
    let rows: Vec<&[f32]> = rows.iter().map(<[f32; 2]>::as_slice).collect();
    let sums: Vec<f64> = (0..40_u8).map(|n| wanted(f64::from(n) + 1.0)).collect();
    assert_eq!(answers(&mut client, &rows), sums, "of a large request each piece is filled up");
}

#[test]
fn a_model_whose_bits_hang_on_the_place_in_a_call_is_asked_row_by_row() {
    let code = "
def predict(numbers):
    return [float(a + b) * (1 + place * 1e-15 + len(numbers) * 1e-15) for place, (a, b) in enumerate(numbers)]
";
    let runtime = start("rows", code);
    let stability = Client::connect(&runtime.socket).hello.stability;
    assert_eq!((stability.min_rows, stability.max_rows), (1, 1));
}

#[test]
fn a_worker_that_dies_or_overstays_is_told_and_another_answers() {
    let code = "
import os, time
def predict(numbers):
    if numbers[0] == 13:
        os._exit(7)
    if numbers[0] == 14:
        time.sleep(60)
    return float(numbers[1])
";
    let runtime = start("row", code);
    let mut client = Client::connect(&runtime.socket);
    for (what, words) in [(13.0, "exit code 7"), (14.0, "3s")] {
        client.send(&infer(3, None, &[floats(&[&[what, 0.0]])]));
        let failure = client.failure();
        assert!(failure.message.contains(words), "{}", failure.message);
        let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            client.send(&infer(4, None, &[floats(&[&[1.0, 6.0]])]));
            match client.receive() {
                Some(spec::frame::Frame::Answer(_)) => break,
                other => assert!(std::time::Instant::now() < until, "{other:?}"),
            }
        }
    }
}

#[test]
fn what_is_no_answer_is_refused_and_named() {
    let code = "def predict(numbers):\n    return 'many' if numbers[0] == 9 else 1.0\n";
    let runtime = start("row", code);
    let mut client = Client::connect(&runtime.socket);
    client.send(&infer(5, None, &[floats(&[&[9.0, 0.0]])]));
    let failure = client.failure();
    assert!(failure.message.contains("is not FP64"), "{}", failure.message);
    let narrow = tensor(0, spec::tensor::Datatype::Fp32, &[1, 1], vec![0; 4]);
    assert!(client.refusal(&[narrow]).contains("numbers"));
}

#[test]
fn a_handler_that_fails_on_its_own_example_or_cannot_be_loaded_does_not_begin() {
    for (code, words) in [
        ("def predict(numbers):\n    return {}['x']\n", "KeyError"),
        ("import nowhere\n", "No module named 'nowhere'"),
        ("predict = 3\n", "neither a function"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let (status, log) = process::fail(&mut command(folder.path(), "row", code));
        assert!(!status.success() && log.contains(words), "{log}");
    }
}

#[test]
fn a_worker_that_shares_more_memory_than_it_may_hold_is_ended() {
    let code = "
import mmap

def predict(numbers):
    if numbers[0] == 6:
        held = mmap.mmap(-1, 300 << 20)
        while held.tell() < len(held):
            held.write(bytes(1 << 20))
        while True:
            pass
    return 1.0
";
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path(), "row", code);
    command.env("MEMORY_BYTES", (200_u32 << 20).to_string());
    let child = process::ready(command);
    let runtime = Runtime::new(child, folder.path().join("socket"), folder);
    let mut client = Client::connect(&runtime.socket);
    client.send(&infer(1, None, &[floats(&[&[6.0, 0.0]])]));
    let failure = client.failure();
    assert!(failure.message.starts_with("the model's process fell"), "{}", failure.message);
    assert_eq!(answers(&mut client, &[&[1.0, 0.0]]), [1.0]);
}
