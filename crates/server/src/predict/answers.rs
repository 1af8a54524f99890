//! Tensors of an answer as JSON: the Open Inference Protocol's form, and predictions as people read them.
//!
//! Pure. Numbers are written so that they read back as the same bits; what JSON cannot say (NaN, infinities)
//! becomes null. Invariant: outputs stand in the order asked for, or in that of the model.

use half::{bf16, f16};
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::{Map, Value, json};
use spec::frame::IndexedTensor;
use spec::schema::{OutputView, Schema};
use spec::tensor::{Datatype, Tensor, TensorSpec};

use super::tensors::{Wanted, WantedOutput};

/// What an answer says about itself.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    pub model: &'a str,
    pub version: &'a str,
    pub id: Option<&'a str>,
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
        OutputView::Tensors => {
            let n_rows = tensors.first().map_or(0, IndexedTensor::n_rows);
            (0..n_rows).map(|row| row_of_all(schema, tensors, row)).collect()
        }
    }
}

/// A prediction as text: its own, or as JSON.
pub fn text(prediction: &Value) -> String {
    prediction.as_str().map_or_else(|| prediction.to_string(), str::to_owned)
}

/// The explanation of each row.
pub fn explanations(tensors: &[IndexedTensor]) -> Vec<Value> {
    let texts = tensors.first().into_iter().flat_map(bytes_elements);
    texts.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text))).collect()
}

/// The probability of each class, one list a row; empty where the model gives none, NaN where it is no number.
pub fn probabilities(schema: &Schema, tensors: &[IndexedTensor]) -> Vec<Vec<f64>> {
    let OutputView::Label { probabilities: Some(name), .. } = &schema.output else { return Vec::new() };
    let Some(tensor) = output(schema, tensors, name) else { return Vec::new() };
    let n_rows = tensor.n_rows().max(1);
    let values: Vec<f64> =
        (0..n_elements(tensor)).map(|i| element(tensor, i).as_f64().unwrap_or(f64::NAN)).collect();
    values.chunks((values.len() / n_rows).max(1)).map(<[f64]>::to_vec).collect()
}

/// The output tensor of this name.
pub fn output<'t>(schema: &Schema, tensors: &'t [IndexedTensor], name: &str) -> Option<&'t IndexedTensor> {
    let index = schema.outputs.iter().position(|spec| spec.name == name)?;
    tensors.iter().find(|tensor| usize::from(tensor.index) == index)
}

fn chosen<'a>(schema: &'a Schema, tensors: &'a [IndexedTensor], wanted: &Wanted) -> Vec<Output<'a>> {
    let make = |tensor: &'a IndexedTensor, is_binary| {
        let spec = schema.outputs.get(usize::from(tensor.index))?;
        Some(Output { spec, tensor, is_binary })
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
    output(schema, tensors, name)
        .map(|tensor| (0..n_elements(tensor)).map(|i| element(tensor, i)).collect())
        .unwrap_or_default()
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

fn row_of_all(schema: &Schema, tensors: &[IndexedTensor], row: usize) -> Value {
    let mut object = Map::new();
    for tensor in tensors {
        let Some(spec) = schema.outputs.get(usize::from(tensor.index)) else { continue };
        let width = n_elements(tensor) / tensor.n_rows().max(1);
        let mut values: Vec<Value> = (row * width..(row + 1) * width).map(|i| element(tensor, i)).collect();
        let value = if values.len() == 1 { values.remove(0) } else { Value::Array(values) };
        object.insert(spec.name.clone(), value);
    }
    match object.len() {
        1 => object.into_iter().next().map_or(Value::Null, |(_, value)| value),
        _ => Value::Object(object),
    }
}

fn n_elements(tensor: &IndexedTensor) -> usize {
    tensor.shape.iter().product()
}

/// The element at this place; null where it is no number or is not there.
fn element(tensor: &IndexedTensor, i: usize) -> Value {
    macro_rules! number {
        ($type:ty) => {{
            let width = size_of::<$type>();
            let bytes = tensor.data.get(i * width..(i + 1) * width).and_then(|bytes| bytes.try_into().ok());
            bytes.map(<$type>::from_le_bytes)
        }};
    }
    match tensor.datatype {
        Datatype::Bool => json!(number!(u8).map(|byte| byte != 0)),
        Datatype::Uint8 => json!(number!(u8)),
        Datatype::Uint16 => json!(number!(u16)),
        Datatype::Uint32 => json!(number!(u32)),
        Datatype::Uint64 => json!(number!(u64)),
        Datatype::Int8 => json!(number!(i8)),
        Datatype::Int16 => json!(number!(i16)),
        Datatype::Int32 => json!(number!(i32)),
        Datatype::Int64 => json!(number!(i64)),
        Datatype::Fp16 => json!(number!(f16).map(|x| shortest(x.into()))),
        Datatype::Bf16 => json!(number!(bf16).map(|x| shortest(x.into()))),
        Datatype::Fp32 => json!(number!(f32).map(shortest)),
        Datatype::Fp64 => json!(number!(f64)),
        Datatype::Bytes => bytes_elements(tensor).nth(i).map_or(Value::Null, Value::String),
    }
}

/// The `f64` that prints as this `f32` does: 0.1 stays 0.1.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::NAN)
}

fn bytes_elements(tensor: &IndexedTensor) -> impl Iterator<Item = String> {
    let named = Tensor {
        name: String::new(),
        datatype: tensor.datatype,
        shape: tensor.shape.clone(),
        data: tensor.data.clone(),
    };
    named.elements().map(|text| String::from_utf8_lossy(&text).into_owned()).collect::<Vec<_>>().into_iter()
}

struct Output<'a> {
    spec: &'a TensorSpec,
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
            map.serialize_entry("data", &Elements(self.tensor))?;
        }
        map.end()
    }
}

struct Elements<'a>(&'a IndexedTensor);

impl Serialize for Elements<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let data = &self.0.data;
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
        match self.0.datatype {
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
            Datatype::Bytes => serializer.collect_seq(bytes_elements(self.0)),
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
    fn what_json_cannot_say_is_null() {
        let about = About { model: "m", version: "1", id: Some("7") };
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
        let about = About { model: "m", version: "1", id: None };
        let encoded = encode(&schema(OutputView::Tensors), about, &tensors(), &wanted);
        assert_eq!(encoded.body[encoded.n_json_bytes.unwrap()..], tensors()[1].data);
    }

    #[test]
    fn outputs_without_a_view_are_objects_by_name() {
        let rows = predictions(&schema(OutputView::Tensors), &tensors());
        assert_eq!(rows[0], json!({"label": 1, "probabilities": [0.25, 0.75]}));
    }
}
