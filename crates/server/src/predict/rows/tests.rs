//! Rows in every form that clients send, right and wrong.

use spec::schema::{Feature, InputView, OutputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use super::*;

fn feature(name: &str, datatype: Datatype, categories: &[&str]) -> Feature {
    Feature {
        name: name.into(),
        datatype,
        minimum: None,
        maximum: None,
        categories: categories.iter().map(|c| (*c).into()).collect(),
        description: String::new(),
    }
}

fn iris() -> Plan {
    let features = ["length", "width"].map(|name| feature(name, Datatype::Fp32, &[])).into();
    let inputs = vec![TensorSpec { name: "X".into(), datatype: Datatype::Fp32, shape: vec![-1, 2] }];
    Plan::new(&Schema {
        inputs,
        outputs: vec![],
        input: InputView::Table { features },
        output: OutputView::Tensors,
    })
    .unwrap()
}

fn mixed() -> Plan {
    let features =
        vec![feature("age", Datatype::Int64, &[]), feature("colour", Datatype::Bytes, &["red", "blue"])];
    let spec = |name: &str, datatype| TensorSpec { name: name.into(), datatype, shape: vec![-1, 1] };
    let inputs = vec![spec("colour", Datatype::Bytes), spec("age", Datatype::Int64)];
    Plan::new(&Schema {
        inputs,
        outputs: vec![],
        input: InputView::Table { features },
        output: OutputView::Tensors,
    })
    .unwrap()
}

fn floats(tensor: &IndexedTensor) -> Vec<f32> {
    tensor.data.as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

fn read(plan: &Plan, json: &str) -> Result<Vec<IndexedTensor>, String> {
    let mut rows = Rows::new(plan);
    rows.read_json(json).and_then(|()| rows.into_tensors()).map_err(|misfit| misfit.0)
}

#[test]
fn lists_and_objects_mean_the_same() {
    let plan = iris();
    let lists = read(&plan, "[[1, 2.5], [3, 4]]").unwrap();
    let objects = read(&plan, r#"[{"width": 2.5, "length": 1}, {"length": 3, "width": 4}]"#).unwrap();
    assert_eq!(lists, objects);
    assert_eq!((lists[0].shape.as_slice(), floats(&lists[0])), (&[2, 2][..], vec![1.0, 2.5, 3.0, 4.0]));
}

#[test]
fn columns_may_come_in_any_order() {
    let plan = iris();
    let mut rows = Rows::new(&plan);
    rows.set_columns(["width", "length"]).unwrap();
    rows.read_json("[[2, 1], [4, 3]]").unwrap();
    rows.read_texts(["6", "5"]).unwrap();
    assert_eq!(floats(&rows.into_tensors().unwrap()[0]), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}

#[test]
fn each_column_may_have_an_input_of_its_own() {
    let plan = mixed();
    let tensors = read(&plan, r#"[{"colour": "red", "age": 7}, [8, "blue"]]"#).unwrap();
    assert_eq!((tensors[0].index, tensors[0].shape.as_slice()), (1, &[2, 1][..]));
    assert_eq!(tensors[0].data.as_ref(), [7_i64.to_le_bytes(), 8_i64.to_le_bytes()].concat());
    assert_eq!(tensors[1].data.as_ref(), b"\x03\0\0\0red\x04\0\0\0blue");
}

#[test]
fn what_does_not_fit_is_named() {
    let plan = iris();
    for (json, part) in [
        ("[[1, 2], [3]]", "row 1 has 1 values; 2 are wanted"),
        ("[[1, 2, 3]]", "row 0 has more than the 2 values wanted"),
        (r#"[[1, "x"]]"#, "row 0, `width`: `\"x\"` came, a number is wanted"),
        (r#"[{"length": 1}]"#, "row 0: `width` is missing"),
        ("[{}]", "row 0: `length` is missing"),
        (r#"[{"length": 1, "height": 2}]"#, "the model has no column `height`; it has `length`, `width`"),
        (r#"[{"length": 1, "length": 2}]"#, "came twice"),
        ("[[1, 1e300]]", "a finite number that FP32 can hold"),
        ("[[1, NaN]]", "expected"),
        ("[]", "no rows came"),
        ("{}", "a list of rows"),
    ] {
        let error = read(&plan, json).unwrap_err();
        assert!(error.contains(part), "{json}: {error}");
    }
    assert!(read(&mixed(), r#"[[1, "green"]]"#).unwrap_err().contains("one of `red`, `blue` is wanted"));
}

#[test]
fn a_json_bomb_is_refused_before_it_unfolds() {
    let bomb = "[".repeat(100_000);
    assert!(read(&iris(), &bomb).unwrap_err().contains("recursion limit"));
}

#[test]
fn named_columns_must_be_all_and_once() {
    let plan = iris();
    for (names, part) in [
        (&["length"][..], "the column `width` is missing"),
        (&["length", "length"], "came twice"),
        (&["length", "x"], "no column `x`"),
    ] {
        let error = Rows::new(&plan).set_columns(names.iter().copied()).unwrap_err();
        assert!(error.0.contains(part), "{error}");
    }
}
