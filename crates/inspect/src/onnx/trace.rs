//! Where an output of a graph comes from.
//!
//! Invariant: class labels are given only where one output was traced, through nothing but operators that
//! leave a value what it is, to the operator whose attributes name the labels.

use spec::tensor::Datatype;

use super::graph::Graph;
use crate::limits;

/// The labels of the classifier that gives the model's label, in its order.
pub(super) fn classes(graph: &Graph) -> Option<Vec<String>> {
    let outputs =
        graph.outputs.iter().filter(|output| matches!(output.datatype, Datatype::Int64 | Datatype::Bytes));
    let mut found = outputs.filter_map(|output| labels(graph, &output.name));
    let labels = found.next()?;
    // Two outputs with labels: nobody knows which is the answer.
    (found.next().is_none() && labels.len() <= limits::CLASSES).then(|| labels.to_vec())
}

fn labels<'g>(graph: &'g Graph, output: &str) -> Option<&'g [String]> {
    const LONGEST: usize = 16;
    const SAME: &[&str] = &["Cast", "Identity", "Reshape", "Squeeze", "Unsqueeze", "Flatten"];
    let mut name = output;
    for _ in 0..LONGEST {
        let producer = graph.producers.get(name)?;
        if !producer.labels.is_empty() {
            let is_classifier =
                producer.operator.starts_with("ai.onnx.ml:") && producer.operator.ends_with("Classifier");
            return (is_classifier && producer.n_output == 0).then_some(producer.labels.as_slice());
        }
        if !SAME.contains(&producer.operator.as_str()) {
            return None;
        }
        name = &producer.first_input;
    }
    None
}
