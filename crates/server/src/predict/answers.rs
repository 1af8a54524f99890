//! Tensors of an answer as JSON: the Open Inference Protocol's form, and predictions as people read them.
//!
//! Pure. Numbers are written so that they read back as the same bits; what JSON cannot say (NaN, infinities)
//! becomes null. Invariant: outputs stand in the order asked for, or in that of the model.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use half::{bf16, f16};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value, json};
use spec::frame::IndexedTensor;
use spec::schema::parts::OutputKind;
use spec::schema::{OutputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use super::media;
use super::scalar::Texts;
use super::tensors::{Wanted, WantedOutput};

/// What an answer says about itself.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub model: &'a str,
    pub version: &'a str,
    pub id: Option<&'a str>,
    pub receipt: Option<&'a str>,
}

/// An answer in the form of the Open Inference Protocol.
#[derive(Debug)]
pub struct Encoded {
    /// JSON, then raw tensors.
    pub body: Vec<u8>,
    /// Where the JSON ends, if raw tensors follow.
    pub n_json_bytes: Option<usize>,
}

/// Writes an answer.
pub fn encode(schema: &Schema, about: About<'_>, tensors: &[IndexedTensor], wanted: &Wanted) -> Encoded {
    let outputs: Vec<Output<'_>> = chosen(schema, tensors, wanted);
    let mut body = Vec::with_capacity(256);
    // Writing to memory values that all are JSON cannot fail.
    let _ = serde_json::to_writer(&mut body, &Document { about, outputs: &outputs });
    let n_json_bytes = outputs.iter().any(|output| output.is_binary).then_some(body.len());
    for output in outputs.iter().filter(|output| output.is_binary) {
        body.extend_from_slice(&output.tensor.data);
    }
    Encoded { body, n_json_bytes }
}

/// One prediction a row, as people read it: a label, a number, or an object of outputs by name.
pub fn predictions(schema: &Schema, tensors: &[IndexedTensor]) -> Vec<Value> {
    match &schema.output {
        OutputView::Label { label, classes, labels, .. } => {
            let values = column(schema, tensors, label);
            values.into_iter().map(|value| named(value, classes, labels)).collect()
        }
        OutputView::Number { output, .. } => column(schema, tensors, output),
        OutputView::Parts { .. } | OutputView::Tensors => rows_of_all(schema, tensors),
    }
}

/// A prediction as text: its own, or as JSON.
pub fn text(prediction: &Value) -> String {
    prediction.as_str().map_or_else(|| prediction.to_string(), str::to_owned)
}

/// The explanation of each row.
pub fn explanations(tensors: &[IndexedTensor]) -> Vec<Value> {
    let texts = tensors.first().into_iter().flat_map(|tensor| texts(&tensor.data));
    texts.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))).collect()
}

/// The probability of each class, one list a row; empty where the model gives none, NaN where it is no number.
pub fn probabilities(schema: &Schema, tensors: &[IndexedTensor]) -> Vec<Vec<f64>> {
    let OutputView::Label { probabilities: Some(name), .. } = &schema.output else { return Vec::new() };
    let Some(tensor) = output(schema, tensors, name) else { return Vec::new() };
    let n_rows = tensor.n_rows().max(1);
    let values: Vec<f64> = elements(None, tensor).map(|value| value.as_f64().unwrap_or(f64::NAN)).collect();
    values.chunks((values.len() / n_rows).max(1)).map(<[f64]>::to_vec).collect()
}

/// The output tensor of this name.
pub fn output<'t>(schema: &Schema, tensors: &'t [IndexedTensor], name: &str) -> Option<&'t IndexedTensor> {
    let index = schema.outputs.iter().position(|spec| spec.name == name)?;
    tensors.iter().find(|tensor| usize::from(tensor.index) == index)
}

/// The first rows of a tensor as lists, with at most so many elements.
pub fn first_rows(tensor: &IndexedTensor, n_most: usize) -> Value {
    let n_all = n_elements(tensor);
    let width = (n_all / tensor.n_rows().max(1)).max(1);
    let values: Vec<Value> = elements(None, tensor).take(n_most).collect();
    match width {
        1 => Value::Array(values),
        width => values.chunks(width).map(|row| Value::Array(row.to_vec())).collect(),
    }
}

fn chosen<'a>(schema: &'a Schema, tensors: &'a [IndexedTensor], wanted: &Wanted) -> Vec<Output<'a>> {
    let make = |tensor: &'a IndexedTensor, is_binary| {
        let spec = schema.outputs.get(usize::from(tensor.index))?;
        Some(Output { spec, texts: Texts::of_output(schema, &spec.name), tensor, is_binary })
    };
    if wanted.outputs.is_empty() {
        return tensors.iter().filter_map(|tensor| make(tensor, wanted.is_binary)).collect();
    }
    let find = |output: &WantedOutput| {
        let tensor = tensors.iter().find(|tensor| tensor.index == output.index)?;
        make(tensor, output.is_binary)
    };
    wanted.outputs.iter().filter_map(find).collect()
}

fn column(schema: &Schema, tensors: &[IndexedTensor], name: &str) -> Vec<Value> {
    output(schema, tensors, name).map(|tensor| elements(None, tensor).collect()).unwrap_or_default()
}

/// A class in people's words, where they have other words than the model.
fn named(value: Value, classes: &[String], labels: &[String]) -> Value {
    let text = match &value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match classes.iter().position(|class| *class == text).and_then(|i| labels.get(i)) {
        Some(label) => Value::String(label.clone()),
        None => value,
    }
}

/// Of each row the outputs by name, or the only one.
fn rows_of_all(schema: &Schema, tensors: &[IndexedTensor]) -> Vec<Value> {
    let n_rows = tensors.first().map_or(0, IndexedTensor::n_rows);
    let mut rows: Vec<Map<String, Value>> = vec![Map::new(); n_rows];
    for tensor in tensors {
        let Some(spec) = schema.outputs.get(usize::from(tensor.index)) else { continue };
        let width = n_elements(tensor) / tensor.n_rows().max(1);
        let kind = schema.output_part(&spec.name).map(|part| part.kind);
        let is_one = width == 1 && kind != Some(OutputKind::Series);
        let mut values = elements(kind, tensor).chain(std::iter::repeat(Value::Null));
        for row in &mut rows {
            let value = match is_one {
                true => values.next().unwrap_or_default(),
                false => values.by_ref().take(width).collect(),
            };
            row.insert(spec.name.clone(), value);
        }
    }
    rows.into_iter().map(row_of).collect()
}

fn row_of(outputs: Map<String, Value>) -> Value {
    match outputs.len() {
        1 => outputs.into_iter().next().map_or(Value::Null, |(_, value)| value),
        _ => Value::Object(outputs),
    }
}

fn n_elements(tensor: &IndexedTensor) -> usize {
    tensor.shape.iter().product()
}

/// The elements of a tensor, one after the other: of a part files as base64 and what is JSON as itself, null where there
/// is no number or nothing.
fn elements(kind: Option<OutputKind>, tensor: &IndexedTensor) -> impl Iterator<Item = Value> {
    let data = &tensor.data;
    macro_rules! numbers {
        ($type:ty, $as:expr) => {{
            let show: fn($type) -> Value = $as;
            let chunks = data.as_chunks::<{ size_of::<$type>() }>().0;
            Box::new(chunks.iter().map(move |bytes| show(<$type>::from_le_bytes(*bytes))))
        }};
    }
    let there: Box<dyn Iterator<Item = Value>> = match tensor.datatype {
        Datatype::Bool => numbers!(u8, |byte| json!(byte != 0)),
        Datatype::Uint8 => numbers!(u8, |x| json!(x)),
        Datatype::Uint16 => numbers!(u16, |x| json!(x)),
        Datatype::Uint32 => numbers!(u32, |x| json!(x)),
        Datatype::Uint64 => numbers!(u64, |x| json!(x)),
        Datatype::Int8 => numbers!(i8, |x| json!(x)),
        Datatype::Int16 => numbers!(i16, |x| json!(x)),
        Datatype::Int32 => numbers!(i32, |x| json!(x)),
        Datatype::Int64 => numbers!(i64, |x| json!(x)),
        Datatype::Fp16 => numbers!(f16, |x| json!(shortest(x.into()))),
        Datatype::Bf16 => numbers!(bf16, |x| json!(shortest(x.into()))),
        Datatype::Fp32 => numbers!(f32, |x| json!(shortest(x))),
        Datatype::Fp64 => numbers!(f64, |x| json!(x)),
        Datatype::Bytes => Box::new(media::elements(data).map(move |bytes| element_of(kind, bytes))),
    };
    there.chain(std::iter::repeat(Value::Null)).take(n_elements(tensor))
}

fn element_of(kind: Option<OutputKind>, bytes: &[u8]) -> Value {
    let text = || Value::String(String::from_utf8_lossy(bytes).into_owned());
    match kind {
        Some(kind) if kind.is_file() => Value::String(STANDARD.encode(bytes)),
        Some(kind) if kind.is_json() || kind == OutputKind::Label && bytes.starts_with(b"{") => {
            serde_json::from_slice(bytes).unwrap_or_else(|_| text())
        }
        _ => text(),
    }
}

/// The texts of a BYTES tensor.
fn texts(data: &[u8]) -> impl Iterator<Item = String> {
    media::elements(data).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// The `f64` that prints as this `f32` does: 0.1 stays 0.1.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

struct Output<'a> {
    spec: &'a TensorSpec,
    texts: Texts,
    tensor: &'a IndexedTensor,
    is_binary: bool,
}

struct Document<'a> {
    about: About<'a>,
    outputs: &'a [Output<'a>],
}

impl Serialize for Document<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("model_name", self.about.model)?;
        map.serialize_entry("model_version", self.about.version)?;
        if let Some(id) = self.about.id {
            map.serialize_entry("id", id)?;
        }
        if let Some(receipt) = self.about.receipt {
            map.serialize_entry("parameters", &json!({ "receipt": receipt }))?;
        }
        map.serialize_entry("outputs", self.outputs)?;
        map.end()
    }
}

impl Serialize for Output<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("name", &self.spec.name)?;
        map.serialize_entry("datatype", self.tensor.datatype.as_str())?;
        map.serialize_entry("shape", &self.tensor.shape)?;
        if self.is_binary {
            map.serialize_entry("parameters", &json!({ "binary_data_size": self.tensor.data.len() }))?;
        } else {
            map.serialize_entry("data", &Elements { tensor: self.tensor, texts: self.texts })?;
        }
        map.end()
    }
}

/// A tensor's values as a flat list.
pub(super) struct Elements<'a> {
    pub tensor: &'a IndexedTensor,
    pub texts: Texts,
}

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = &self.tensor.data;
        macro_rules! each {
            ($type:ty, $as:expr) => {{
                let elements = data.as_chunks::<{ size_of::<$type>() }>().0;
                let mut list = serializer.serialize_seq(Some(elements.len()))?;
                for bytes in elements {
                    let show: fn($type) -> _ = $as;
                    list.serialize_element(&show(<$type>::from_le_bytes(*bytes)))?;
                }
                list.end()
            }};
        }
        match self.tensor.datatype {
            Datatype::Bool => each!(u8, |byte| byte != 0),
            Datatype::Uint8 => each!(u8, |x| x),
            Datatype::Uint16 => each!(u16, |x| x),
            Datatype::Uint32 => each!(u32, |x| x),
            Datatype::Uint64 => each!(u64, |x| x),
            Datatype::Int8 => each!(i8, |x| x),
            Datatype::Int16 => each!(i16, |x| x),
            Datatype::Int32 => each!(i32, |x| x),
            Datatype::Int64 => each!(i64, |x| x),
            Datatype::Fp16 => each!(f16, f32::from),
            Datatype::Bf16 => each!(bf16, f32::from),
            Datatype::Fp32 => each!(f32, |x| x),
            Datatype::Fp64 => each!(f64, |x| x),
            Datatype::Bytes if self.texts == Texts::Base64 => {
                serializer.collect_seq(media::elements(data).map(|bytes| STANDARD.encode(bytes)))
            }
            Datatype::Bytes => serializer.collect_seq(texts(data)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(output: OutputView) -> Schema {
        let spec = |name: &str, datatype| TensorSpec { name: name.into(), datatype, shape: vec![-1] };
        let outputs = vec![spec("label", Datatype::Int64), spec("probabilities", Datatype::Fp32)];
        Schema { outputs, output, ..Schema::default() }
    }

    fn tensors() -> Vec<IndexedTensor> {
        let labels: Vec<u8> = [1_i64, 0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let p: Vec<u8> = [0.25_f32, 0.75, 1.0, f32::NAN].iter().flat_map(|x| x.to_le_bytes()).collect();
        let tensor = |index, datatype, shape, data: Vec<u8>| IndexedTensor {
            index,
            datatype,
            shape,
            data: data.into(),
        };
        vec![tensor(0, Datatype::Int64, vec![2], labels), tensor(1, Datatype::Fp32, vec![2, 2], p)]
    }

    #[test]
    fn a_class_is_called_what_people_call_it() {
        let view = OutputView::Label {
            label: "label".into(),
            probabilities: Some("probabilities".into()),
            classes: vec!["0".into(), "1".into()],
            labels: vec!["no".into(), "yes".into()],
        };
        assert_eq!(predictions(&schema(view.clone()), &tensors()), [json!("yes"), json!("no")]);
        assert_eq!(probabilities(&schema(view), &tensors())[0], [0.25, 0.75]);
    }

    #[test]
    fn many_texts_are_each_read_once() {
        // Reading them from the start for each would take hours.
        let n = 200_000;
        let data: Vec<u8> = (0..n).flat_map(|_| b"\x03\0\0\0one".iter().copied()).collect();
        let tensor = IndexedTensor { index: 0, datatype: Datatype::Bytes, shape: vec![n], data: data.into() };
        let text = OutputView::Number { output: "label".into(), title: String::new() };
        for view in [text, OutputView::Tensors] {
            let told = predictions(&schema(view), std::slice::from_ref(&tensor));
            assert_eq!((told.len(), told.last()), (n, Some(&json!("one"))));
        }
        assert_eq!(first_rows(&tensor, 2), json!(["one", "one"]));
        assert_eq!(explanations(&[tensor]).len(), n);
    }

    #[test]
    fn what_is_not_there_is_null_and_rows_keep_their_width() {
        let data: Vec<u8> = [1.5_f32, 2.0, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let tensor =
            IndexedTensor { index: 1, datatype: Datatype::Fp32, shape: vec![2, 2], data: data.into() };
        let told = predictions(&schema(OutputView::Tensors), &[tensor]);
        assert_eq!(told, [json!([1.5, 2.0]), json!([3.0, null])]);
    }

    #[test]
    fn what_json_cannot_say_is_null() {
        let about = About { model: "m", version: "1", id: Some("7"), receipt: None };
        let encoded = encode(&schema(OutputView::Tensors), about, &tensors(), &Wanted::default());
        let text = String::from_utf8(encoded.body).unwrap();
        assert_eq!(
            text,
            r#"{"model_name":"m","model_version":"1","id":"7","outputs":[{"name":"label","datatype":"INT64","shape":[2],"data":[1,0]},{"name":"probabilities","datatype":"FP32","shape":[2,2],"data":[0.25,0.75,1.0,null]}]}"#
        );
    }

    #[test]
    fn raw_tensors_follow_the_json() {
        let wanted = Wanted { outputs: vec![WantedOutput { index: 1, is_binary: true }], is_binary: false };
        let about = About { model: "m", version: "1", id: None, receipt: None };
        let encoded = encode(&schema(OutputView::Tensors), about, &tensors(), &wanted);
        assert_eq!(encoded.body[encoded.n_json_bytes.unwrap()..], tensors()[1].data);
    }

    #[test]
    fn outputs_without_a_view_are_objects_by_name() {
        let rows = predictions(&schema(OutputView::Tensors), &tensors());
        assert_eq!(rows[0], json!({"label": 1, "probabilities": [0.25, 0.75]}));
    }
}
