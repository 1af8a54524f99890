//! What was asked and what was answered as JSON that can be kept: the tensors as the Open Inference Protocol writes them.
//!
//! Pure. Invariant: what is written reads back as the same tensors, but for numbers that JSON cannot say.

use bytes::Bytes;
use serde_json::{Value, json};
use spec::frame::IndexedTensor;
use spec::schema::parts::{InputKind, InputPart};
use spec::schema::{InputView, Schema};

use super::answers::Elements;
use super::scalar::Texts;
use super::tensors;

/// The inputs as a request's body.
pub fn of_inputs(schema: &Schema, asked: &[IndexedTensor]) -> Value {
    let inputs = asked.iter().filter_map(|tensor| {
        let spec = schema.inputs.get(usize::from(tensor.index))?;
        Some(document(&spec.name, tensor, Texts::of_input(schema, &spec.name)))
    });
    json!({ "inputs": inputs.collect::<Vec<_>>() })
}

/// The outputs as an answer's body.
pub fn of_outputs(schema: &Schema, answered: &[IndexedTensor]) -> Value {
    let outputs = answered.iter().filter_map(|tensor| {
        let spec = schema.outputs.get(usize::from(tensor.index))?;
        Some(document(&spec.name, tensor, Texts::of_output(schema, &spec.name)))
    });
    json!({ "outputs": outputs.collect::<Vec<_>>() })
}

/// The outputs that such a document holds; none where it has numbers that JSON cannot say.
pub fn read_outputs(schema: &Schema, document: &Value) -> Option<Vec<IndexedTensor>> {
    let is_file = |name: &str| Texts::of_output(schema, name) == Texts::Base64;
    let parts = schema.outputs.iter().filter(|spec| is_file(&spec.name));
    let parts = parts.map(|spec| InputPart::new(&spec.name, InputKind::File)).collect();
    // Outputs are read as the inputs of a model that takes what this one gives.
    let mirrored =
        Schema { inputs: schema.outputs.clone(), input: InputView::Parts { parts }, ..Schema::default() };
    let body = json!({ "inputs": document["outputs"] }).to_string();
    tensors::read(&mirrored, &Bytes::from(body), None).ok().map(|request| request.tensors)
}

fn document(name: &str, tensor: &IndexedTensor, texts: Texts) -> Value {
    let data = serde_json::to_value(Elements { tensor, texts }).unwrap_or_default();
    json!({ "name": name, "datatype": tensor.datatype, "shape": tensor.shape, "data": data })
}

#[cfg(test)]
mod tests {
    use spec::schema::OutputView;
    use spec::schema::parts::{OutputKind, OutputPart};
    use spec::tensor::Datatype;

    use super::*;

    #[test]
    fn what_is_kept_reads_back() {
        let parts =
            [OutputPart::new("picture", OutputKind::Image), OutputPart::new("words", OutputKind::Text)];
        let mut schema = Schema { output: OutputView::Parts { parts: parts.to_vec() }, ..Schema::default() };
        schema.complete_from_parts();
        let tensor = |index, data: &'static [u8]| IndexedTensor {
            index,
            datatype: Datatype::Bytes,
            shape: vec![1],
            data: Bytes::from_static(data),
        };
        let tensors = vec![tensor(0, b"\x03\0\0\0\xff\x00\xfe"), tensor(1, b"\x02\0\0\0hi")];
        let document = of_outputs(&schema, &tensors);
        assert_eq!(document["outputs"][0]["data"][0], "/wD+");
        assert_eq!(document["outputs"][1]["data"][0], "hi");
        assert_eq!(read_outputs(&schema, &document).unwrap(), tensors);
        assert!(read_outputs(&schema, &json!({})).is_none());
    }
}
