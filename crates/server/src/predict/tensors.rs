//! The Open Inference Protocol's request, JSON with or without raw tensors behind it, to tensors.
//!
//! Knows no HTTP. Invariant: a tensor that comes out has the name, datatype and shape that the schema wants.
//! Source: Open Inference Protocol, V2 REST, and its binary tensor data extension.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;
use spec::frame::IndexedTensor;
use spec::limits;
use spec::schema::Schema;
use spec::tensor::{Datatype, Tensor, TensorSpec};

use super::Misfit;
use super::scalar::{self, Flat, Scalar};

/// A request, understood.
#[derive(Debug)]
pub struct Request {
    pub id: Option<String>,
    pub tensors: Vec<IndexedTensor>,
    pub wanted: Wanted,
}

/// Which outputs are wanted, and in which form.
#[derive(Debug, Default)]
pub struct Wanted {
    /// By index, in the order asked for; empty means all.
    pub outputs: Vec<WantedOutput>,
    /// The form of outputs that were not asked for by name.
    pub is_binary: bool,
}

/// One output that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct WantedOutput {
    pub index: u16,
    pub is_binary: bool,
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    parameters: Parameters<'a>,
    #[serde(borrow)]
    inputs: Vec<WireInput<'a>>,
    #[serde(borrow, default)]
    outputs: Vec<WireOutput<'a>>,
}

type Parameters<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;

#[derive(Deserialize)]
struct WireInput<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    shape: Vec<i64>,
    #[serde(borrow)]
    datatype: Cow<'a, str>,
    #[serde(borrow, default)]
    parameters: Parameters<'a>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct WireOutput<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    parameters: Parameters<'a>,
}

/// An input whose values are raw bytes, named by the request.
#[derive(Debug)]
pub struct Raw<'a> {
    pub name: &'a str,
    pub datatype: &'a str,
    pub shape: &'a [i64],
    pub data: Bytes,
}

/// Reads inputs whose values all came raw.
pub fn read_raw(schema: &Schema, inputs: &[Raw<'_>]) -> Result<Vec<IndexedTensor>, Misfit> {
    check_count(inputs.len())?;
    let mut tensors: Vec<IndexedTensor> = Vec::with_capacity(inputs.len());
    for input in inputs {
        let Raw { name, datatype, shape, data } = input;
        let (index, shape) = place(schema, name, datatype, shape)?;
        check_finite(name, schema.inputs[index].datatype, data)?;
        push(&mut tensors, tensor(schema, index, shape, data.clone())?, name)?;
    }
    check_complete(schema, &tensors)?;
    Ok(tensors)
}

/// The place of the output of this name.
pub fn output_index(schema: &Schema, name: &str) -> Result<u16, Misfit> {
    let index = schema.outputs.iter().position(|spec| spec.name == name);
    let index = index.ok_or_else(|| Misfit(format!("the model has no output `{name}`")))?;
    Ok(u16::try_from(index).unwrap_or(u16::MAX))
}

/// Refuses what some servers do besides and this one does not.
pub fn refuse_parameters<'a>(mut keys: impl Iterator<Item = &'a str>) -> Result<(), Misfit> {
    match keys.find(|key| key.starts_with("shared_memory") || *key == "classification") {
        Some(key) => Err(Misfit(format!("the parameter `{key}` is not offered here"))),
        None => Ok(()),
    }
}

/// Reads a request. `n_json_bytes` says where the JSON ends and raw tensors begin; none means all is JSON.
pub fn read(schema: &Schema, body: &Bytes, n_json_bytes: Option<usize>) -> Result<Request, Misfit> {
    let n_json_bytes = n_json_bytes.unwrap_or(body.len());
    if n_json_bytes > body.len() {
        let got = body.len();
        return Err(Misfit(format!("the header announces {n_json_bytes} bytes of JSON and {got} came")));
    }
    let mut raw = body.slice(n_json_bytes..);
    let wire: Wire<'_> =
        serde_json::from_slice(&body[..n_json_bytes]).map_err(|error| Misfit(error.to_string()))?;
    refuse_extensions(&wire)?;
    check_count(wire.inputs.len())?;
    let mut tensors: Vec<IndexedTensor> = Vec::with_capacity(schema.inputs.len());
    for input in &wire.inputs {
        push(&mut tensors, read_input(schema, input, &mut raw)?, &input.name)?;
    }
    if !raw.is_empty() {
        return Err(Misfit(format!("{} bytes of tensor data are left over", raw.len())));
    }
    check_complete(schema, &tensors)?;
    let wanted = read_wanted(schema, &wire)?;
    Ok(Request { id: wire.id.map(Cow::into_owned), tensors, wanted })
}

fn refuse_extensions(wire: &Wire<'_>) -> Result<(), Misfit> {
    let inputs = wire.inputs.iter().flat_map(|input| input.parameters.keys());
    let outputs = wire.outputs.iter().flat_map(|output| output.parameters.keys());
    refuse_parameters(inputs.chain(outputs).map(|key| &**key))
}

fn check_count(n_inputs: usize) -> Result<(), Misfit> {
    match n_inputs <= limits::REQUEST_TENSORS {
        true => Ok(()),
        false => Err(Misfit(format!("{n_inputs} inputs came; the most is {}", limits::REQUEST_TENSORS))),
    }
}

fn push(tensors: &mut Vec<IndexedTensor>, tensor: IndexedTensor, name: &str) -> Result<(), Misfit> {
    if tensors.iter().any(|earlier| earlier.index == tensor.index) {
        return Err(Misfit(format!("input `{name}` came twice")));
    }
    tensors.push(tensor);
    Ok(())
}

/// The place of an input, and its shape as lengths, where it is of the type and a shape that are wanted.
fn place(schema: &Schema, name: &str, datatype: &str, came: &[i64]) -> Result<(usize, Vec<usize>), Misfit> {
    let found = schema.inputs.iter().position(|spec| spec.name == *name);
    let index = found.ok_or_else(|| {
        let known: Vec<_> = schema.inputs.iter().take(8).map(|spec| format!("`{}`", spec.name)).collect();
        Misfit(format!("the model has no input `{name}`; it has {}", known.join(", ")))
    })?;
    let spec = &schema.inputs[index];
    if datatype != spec.datatype.as_str() {
        return Err(Misfit(format!("input `{name}`: {datatype} came, {} is wanted", spec.datatype)));
    }
    let shape = came.iter().map(|n| usize::try_from(*n).ok()).collect::<Option<Vec<_>>>();
    let shape = shape.filter(|shape| spec.accepts(shape)).ok_or_else(|| {
        Misfit(format!("input `{name}`: shape {came:?} came, {} is wanted", show_shape(spec)))
    })?;
    if shape.first() == Some(&0) {
        return Err(Misfit(format!("input `{name}` has no rows; at least one is wanted")));
    }
    Ok((index, shape))
}

fn read_input(schema: &Schema, input: &WireInput<'_>, raw: &mut Bytes) -> Result<IndexedTensor, Misfit> {
    let name = &input.name;
    let (index, shape) = place(schema, name, &input.datatype, &input.shape)?;
    let spec = &schema.inputs[index];
    let data = match (n_binary_bytes(input)?, input.data) {
        (Some(_), Some(_)) => {
            return Err(Misfit(format!("input `{name}` has both `data` and `binary_data_size`; send one")));
        }
        (Some(n), None) => take_raw(name, spec.datatype, raw, n)?,
        (None, Some(data)) => read_data(name, spec.datatype, &shape, data)?,
        (None, None) => return Err(Misfit(format!("input `{name}` has no data"))),
    };
    tensor(schema, index, shape, data)
}

fn tensor(schema: &Schema, index: usize, shape: Vec<usize>, data: Bytes) -> Result<IndexedTensor, Misfit> {
    let spec = &schema.inputs[index];
    let tensor = Tensor::new(spec.name.clone(), spec.datatype, shape, data);
    let Tensor { shape, data, datatype, .. } = tensor.map_err(|error| Misfit(error.to_string()))?;
    Ok(IndexedTensor { index: u16::try_from(index).unwrap_or(u16::MAX), datatype, shape, data })
}

fn n_binary_bytes(input: &WireInput<'_>) -> Result<Option<usize>, Misfit> {
    let Some(text) = input.parameters.get("binary_data_size") else { return Ok(None) };
    let refuse = |_| Misfit(format!("input `{}`: `binary_data_size` is no number of bytes", input.name));
    text.get().parse().map(Some).map_err(refuse)
}

fn take_raw(name: &str, datatype: Datatype, raw: &mut Bytes, n: usize) -> Result<Bytes, Misfit> {
    if n > raw.len() {
        return Err(Misfit(format!("input `{name}` announces {n} bytes of data and {} are left", raw.len())));
    }
    let data = raw.split_to(n);
    check_finite(name, datatype, &data)?;
    Ok(data)
}

fn check_finite(name: &str, datatype: Datatype, data: &[u8]) -> Result<(), Misfit> {
    match scalar::first_non_finite(datatype, data) {
        Some(place) => Err(Misfit(format!("input `{name}`: value {place} is NaN or infinite"))),
        None => Ok(()),
    }
}

fn read_data(name: &str, datatype: Datatype, shape: &[usize], data: &RawValue) -> Result<Bytes, Misfit> {
    let n_wanted = shape.iter().try_fold(1_usize, |n, length| n.checked_mul(*length));
    let n_wanted = n_wanted.ok_or_else(|| Misfit(format!("input `{name}`: shape {shape:?} is too large")))?;
    // A value takes at least two characters of JSON, so this never reserves more than the body's own size.
    let n_likely = n_wanted.min(data.get().len());
    let mut out = Vec::with_capacity(n_likely * datatype.n_bytes().unwrap_or(8));
    let mut n_values = 0;
    let mut flat = Flat(|value: Scalar<'_>| {
        if n_values == n_wanted {
            return Err(format!("more than the {n_wanted} values of shape {shape:?} came"));
        }
        n_values += 1;
        scalar::push(&mut out, datatype, &value).map_err(|what| format!("value {}: {what}", n_values - 1))
    });
    let mut deserializer = serde_json::Deserializer::from_str(data.get());
    let read = (&mut flat).deserialize(&mut deserializer);
    read.map_err(|error| Misfit(format!("input `{name}`: {error}")))?;
    match n_values == n_wanted {
        true => Ok(out.into()),
        false => {
            Err(Misfit(format!("input `{name}`: {n_values} values came, shape {shape:?} wants {n_wanted}")))
        }
    }
}

fn check_complete(schema: &Schema, tensors: &[IndexedTensor]) -> Result<(), Misfit> {
    let came = |index: usize| tensors.iter().any(|tensor| usize::from(tensor.index) == index);
    if let Some((_, missing)) = schema.inputs.iter().enumerate().find(|(index, _)| !came(*index)) {
        return Err(Misfit(format!("input `{}` is missing", missing.name)));
    }
    let mut n_rows = tensors.iter().map(IndexedTensor::n_rows);
    let first = n_rows.next();
    let is_batched = schema.inputs.iter().all(|input| input.shape.first() == Some(&-1));
    match n_rows.find(|n| is_batched && Some(*n) != first) {
        Some(n) => Err(Misfit(format!("inputs differ in rows: {} and {n}", first.unwrap_or_default()))),
        None => Ok(()),
    }
}

fn read_wanted(schema: &Schema, wire: &Wire<'_>) -> Result<Wanted, Misfit> {
    let is_true = |parameters: &Parameters<'_>, key: &str| {
        parameters.iter().any(|(name, value)| name == key && value.get() == "true")
    };
    let is_binary = is_true(&wire.parameters, "binary_data_output");
    let mut outputs = Vec::with_capacity(wire.outputs.len());
    for output in &wire.outputs {
        outputs.push(WantedOutput {
            index: output_index(schema, &output.name)?,
            is_binary: match output.parameters.get("binary_data") {
                Some(value) => value.get() == "true",
                None => is_binary,
            },
        });
    }
    Ok(Wanted { outputs, is_binary })
}

fn show_shape(spec: &TensorSpec) -> String {
    let lengths: Vec<_> =
        spec.shape.iter().map(|n| if *n < 0 { "any".to_owned() } else { n.to_string() }).collect();
    format!("[{}]", lengths.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let spec = |name: &str, datatype| TensorSpec { name: name.into(), datatype, shape: vec![-1, 2] };
        Schema {
            inputs: vec![spec("X", Datatype::Fp32)],
            outputs: vec![spec("label", Datatype::Int64), spec("probabilities", Datatype::Fp32)],
            ..Schema::default()
        }
    }

    fn read_text(json: &str) -> Result<Request, String> {
        read(&schema(), &Bytes::from(json.to_owned()), None).map_err(|misfit| misfit.0)
    }

    fn request(inputs: &str) -> String {
        format!(r#"{{"inputs": [{inputs}]}}"#)
    }

    #[test]
    fn flat_and_nested_data_are_the_same() {
        let flat = request(r#"{"name": "X", "shape": [2, 2], "datatype": "FP32", "data": [1, 2, 3, 4]}"#);
        let nested =
            request(r#"{"data": [[1, 2], [3, 4]], "name": "X", "shape": [2, 2], "datatype": "FP32"}"#);
        assert_eq!(read_text(&flat).unwrap().tensors, read_text(&nested).unwrap().tensors);
    }

    #[test]
    fn raw_tensors_follow_the_json() {
        let json =
            request(r#"{"name":"X","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}"#);
        let values: Vec<u8> = [1.0_f32, 2.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let body = Bytes::from([json.as_bytes(), &values].concat());
        let read_body = |body: &Bytes| read(&schema(), body, Some(json.len()));
        assert_eq!(read_body(&body).unwrap().tensors[0].data, values);
        assert!(read_body(&body.slice(..body.len() - 1)).unwrap_err().0.contains("7 are left"));
        assert!(read_body(&Bytes::from([&body[..], b"x"].concat())).unwrap_err().0.contains("left over"));
        let nan = Bytes::from([json.as_bytes(), &f32::NAN.to_le_bytes().repeat(2)].concat());
        assert!(read_body(&nan).unwrap_err().0.contains("value 0 is NaN or infinite"));
    }

    #[test]
    fn outputs_are_chosen_by_name_and_form() {
        let json = r#"{"parameters": {"binary_data_output": true}, "outputs": [{"name": "probabilities"},
            {"name": "label", "parameters": {"binary_data": false}}],
            "inputs": [{"name": "X", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}"#;
        let wanted = read_text(json).unwrap().wanted;
        let forms: Vec<_> = wanted.outputs.iter().map(|output| (output.index, output.is_binary)).collect();
        assert_eq!(forms, [(1, true), (0, false)]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let data = |shape: &str, datatype: &str, data: &str| {
            request(&format!(
                r#"{{"name": "X", "shape": {shape}, "datatype": "{datatype}", "data": {data}}}"#
            ))
        };
        for (json, part) in [
            (data("[1, 3]", "FP32", "[1, 2, 3]"), "shape [1, 3] came, [any, 2] is wanted"),
            (data("[1, 2]", "FP64", "[1, 2]"), "FP64 came, FP32 is wanted"),
            (data("[1, 2]", "FP32", "[1, \"x\"]"), "value 1: `\"x\"` came, a number is wanted"),
            (data("[1, 2]", "FP32", "[1]"), "1 values came, shape [1, 2] wants 2"),
            (data("[1, 2]", "FP32", "[1, 2, 3]"), "more than the 2 values"),
            (data("[-1, 2]", "FP32", "[1, 2]"), "shape [-1, 2] came"),
            (data("[0, 2]", "FP32", "[]"), "no rows"),
            (data("[9000000000000000000, 2]", "FP32", "[]"), "0 values came"),
            (request(""), "input `X` is missing"),
            (request(r#"{"name": "Y", "shape": [1], "datatype": "FP32"}"#), "no input `Y`; it has `X`"),
            ("{}".to_owned(), "missing field `inputs`"),
            ("[]".to_owned(), "invalid"),
        ] {
            let error = read_text(&json).unwrap_err();
            assert!(error.contains(part), "{json}: {error}");
        }
    }
}
