//! What models answer: the same as in Python, in every type, however rows are counted.

use serde_json::Value;
use spec::frame::IndexedTensor;
use spec::tensor::Datatype;

use crate::client::{Client, floats, numbers, tensor};
use crate::process;

/// What Python's onnxruntime answered for a model.
#[derive(serde::Deserialize)]
pub struct Expected {
    pub rows: Vec<Vec<Value>>,
    pub outputs: Vec<Output>,
}

#[derive(serde::Deserialize)]
pub struct Output {
    pub datatype: Datatype,
    pub shape: Vec<usize>,
    pub values: Vec<Value>,
}

pub fn expected(model: &str) -> Expected {
    let text = std::fs::read(process::fixture("expected.json")).unwrap();
    let mut all: serde_json::Map<String, Value> = serde_json::from_slice(&text).unwrap();
    serde_json::from_value(all.remove(model).unwrap()).unwrap()
}

impl Expected {
    /// Some of the rows as the first input.
    pub fn input(&self, rows: &[usize]) -> IndexedTensor {
        let values = rows.iter().flat_map(|row| &self.rows[*row]);
        let shape = [rows.len(), self.rows[0].len()];
        match self.rows[0][0].is_string() {
            true => tensor(0, Datatype::Bytes, &shape, values.flat_map(text).collect()),
            false => {
                let bytes = values.flat_map(|value| (value.as_f64().unwrap() as f32).to_le_bytes());
                tensor(0, Datatype::Fp32, &shape, bytes.collect())
            }
        }
    }

    /// Checks an answer for these rows; numbers may differ in their last bits from another version's.
    pub fn check(&self, rows: &[usize], got: &[IndexedTensor]) {
        assert_eq!(got.len(), self.outputs.len());
        for (wanted, got) in self.outputs.iter().zip(got) {
            let width: usize = wanted.shape[1..].iter().product();
            let values: Vec<_> =
                rows.iter().flat_map(|row| &wanted.values[row * width..(row + 1) * width]).collect();
            assert_eq!(
                (got.datatype, got.shape[0], &got.shape[1..]),
                (wanted.datatype, rows.len(), &wanted.shape[1..])
            );
            match wanted.datatype {
                Datatype::Fp32 => {
                    let close = |(got, wanted): (f32, &&Value)| {
                        (f64::from(got) - wanted.as_f64().unwrap()).abs() < 1e-5
                    };
                    assert!(
                        numbers(got).into_iter().zip(&values).all(close),
                        "{:?} {values:?}",
                        numbers(got)
                    );
                }
                Datatype::Int64 => {
                    let bytes: Vec<u8> =
                        values.iter().flat_map(|value| value.as_i64().unwrap().to_le_bytes()).collect();
                    assert_eq!(got.data, bytes);
                }
                Datatype::Bytes => {
                    assert_eq!(got.data, values.into_iter().flat_map(text).collect::<Vec<u8>>());
                }
                other => panic!("no fixture answers with {other}"),
            }
        }
    }
}

fn text(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    [&(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

#[test]
fn answers_are_those_of_python() {
    if !process::is_available() {
        return;
    }
    for model in ["logistic", "forest", "boosting", "texts"] {
        let runtime = process::start(&format!("{model}.onnx"));
        let expected = expected(model);
        let all: Vec<usize> = (0..expected.rows.len()).collect();
        let mut client = Client::connect(&runtime.socket);
        expected.check(&all, &client.ask(&[expected.input(&all)]));
        for row in all {
            expected.check(&[row], &client.ask(&[expected.input(&[row])]));
        }
    }
}

#[test]
fn a_row_gets_the_same_bytes_alone_and_in_a_batch() {
    if !process::is_available() {
        return;
    }
    for model in ["logistic", "forest", "boosting"] {
        let runtime = process::start(&format!("{model}.onnx"));
        let expected = expected(model);
        let mut client = Client::connect(&runtime.socket);
        assert!(client.hello.stability.is_stable(), "{:?}", client.hello.stability);
        assert_eq!(client.hello.stability.max_rows, 64, "{:?}", client.hello.stability);
        let all: Vec<usize> = (0..64).map(|row| row % expected.rows.len()).collect();
        let batch = client.ask(&[expected.input(&all)]);
        for (place, row) in all.iter().enumerate() {
            for (output, alone) in client.ask(&[expected.input(&[*row])]).iter().enumerate() {
                let width = batch[output].data.len() / all.len();
                assert_eq!(
                    alone.data,
                    batch[output].data[place * width..(place + 1) * width],
                    "{model} row {row}"
                );
            }
        }
    }
}

#[test]
fn the_hello_tells_what_the_model_takes_and_gives() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("texts.onnx");
    let hello = Client::connect(&runtime.socket).hello;
    let told = |tensors: &[spec::tensor::TensorSpec]| serde_json::to_string(tensors).unwrap();
    assert_eq!(told(&hello.inputs), r#"[{"name":"X","datatype":"BYTES","shape":[-1,2]}]"#);
    let outputs = r#"[{"name":"label","datatype":"BYTES","shape":[-1]},{"name":"probabilities","datatype":"FP32","shape":[-1,5]}]"#;
    assert_eq!(told(&hello.outputs), outputs);
    assert_eq!(
        (hello.protocol, hello.backend.as_str(), hello.weights_sha256),
        (spec::frame::PROTOCOL, "onnxruntime", None)
    );
}

#[test]
fn every_datatype_passes_through_bit_by_bit() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("identities.onnx");
    let mut client = Client::connect(&runtime.socket);
    for n_rows in [1, 3, 70] {
        let inputs = client.hello.inputs.iter().zip(0..).map(|(input, index)| {
            let datatype = input.datatype;
            let value = |n: usize| match datatype {
                Datatype::Bool => vec![(n % 2) as u8],
                Datatype::Bytes => text(&Value::from("é".repeat(n % 5))),
                // Infinities and quiet NaNs with a payload among them.
                Datatype::Fp32 => {
                    [f32::INFINITY.to_bits(), 0x7fc0_1234, 0xff80_0000, 1][n % 4].to_le_bytes().into()
                }
                _ => vec![(n * 37 % 251) as u8; datatype.n_bytes().unwrap()],
            };
            tensor(index, datatype, &[n_rows, 2], (0..n_rows * 2).flat_map(value).collect())
        });
        let inputs: Vec<_> = inputs.collect();
        assert_eq!(client.ask(&inputs), inputs);
    }
}

#[test]
fn a_model_for_one_row_is_called_row_by_row() {
    if !process::is_available() {
        return;
    }
    let runtime = process::start("one_row.onnx");
    let mut client = Client::connect(&runtime.socket);
    assert_eq!(client.hello.stability.max_rows, 1);
    let expected = expected("logistic");
    expected.check(&[0, 5, 14], &client.ask(&[expected.input(&[0, 5, 14])]));
}

#[test]
fn a_model_whose_rows_depend_on_each_other_is_called_once_a_request() {
    if !process::is_available() {
        return;
    }
    let x = floats(&[&[1.0, 2.0, 3.0], &[3.0, 6.0, 3.0]]);
    let centred = process::start("centred.onnx");
    let mut client = Client::connect(&centred.socket);
    // Two requests that wait together must not be mixed either.
    let both = [
        crate::client::infer(1, None, std::slice::from_ref(&x)),
        crate::client::infer(2, None, std::slice::from_ref(&x)),
    ]
    .concat();
    client.send(&both);
    for _ in 0..2 {
        assert_eq!(numbers(&client.answer().tensors[0]), [-1.0, -2.0, 0.0, 1.0, 2.0, 0.0]);
    }

    let total = process::start("total.onnx");
    let got = Client::connect(&total.socket).ask(std::slice::from_ref(&x));
    assert_eq!((numbers(&got[0]), got[0].shape.len()), (vec![18.0], 0));

    let scaled = process::start("scaled.onnx");
    let factor = tensor(1, Datatype::Fp32, &[], 2.0_f32.to_le_bytes().into());
    let got = Client::connect(&scaled.socket).ask(&[x, factor]);
    assert_eq!((numbers(&got[0]), &got[0].shape[..]), (vec![2.0, 4.0, 6.0, 6.0, 12.0, 6.0], &[2, 3][..]));
}
