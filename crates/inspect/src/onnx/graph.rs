//! Graphs, nodes, attributes and initialisers, walked as a stream.
//!
//! Invariant: the work is linear in the length of the file: each byte is read or skipped once, however deep
//! graphs stand in graphs.

use std::collections::{BTreeMap, BTreeSet};

use spec::facts::{FileFacts, TensorFacts};
use spec::tensor::TensorSpec;

use super::message::{self, Entry, ValueInfo};
use super::wire::{self, Field, Wire};
use crate::bounded::Reader;
use crate::error::Error;
use crate::{limits, shown};

/// What was found in the main graph and those inside of it.
#[derive(Default)]
pub(super) struct Graph {
    pub(super) inputs: Vec<TensorSpec>,
    pub(super) outputs: Vec<TensorSpec>,
    /// Names of outputs that are sequences or maps.
    pub(super) not_tensors: Vec<String>,
    /// Names of the main graph's initialisers, which older files list among the inputs.
    pub(super) initialisers: BTreeSet<String>,
    pub(super) operators: BTreeMap<String, u64>,
    pub(super) tensors: Vec<TensorFacts>,
    pub(super) n_parameters: u64,
    /// Paths of files that hold tensors.
    pub(super) external: BTreeSet<String>,
    /// Nodes of the main graph, by the name of each output.
    pub(super) producers: BTreeMap<String, Producer>,
}

/// A node, as far as it matters to where an output comes from.
#[derive(Debug, Clone, Default)]
pub(super) struct Producer {
    pub(super) operator: String,
    /// Which of the node's outputs it is.
    pub(super) n_output: usize,
    pub(super) first_input: String,
    /// The class labels among the node's attributes.
    pub(super) labels: Vec<String>,
}

#[derive(Default)]
struct Node {
    operator: String,
    domain: String,
    first_input: Option<String>,
    outputs: Vec<String>,
    labels: Vec<String>,
    n_floats: u64,
}

/// The fields of `GraphProto`, of which `n` bytes follow.
pub(super) fn read(reader: &mut Reader<'_>, n: u64, depth: usize, graph: &mut Graph) -> Result<(), Error> {
    check_depth(reader, depth)?;
    let end = reader.at() + n;
    let is_main = depth == 0;
    while let Some(Field { number, wire }) = wire::field(reader, end)? {
        match (number, wire) {
            (1, Wire::Bytes(n)) => node(reader, n, depth, graph)?,
            (5, Wire::Bytes(n)) => initialiser(reader, n, depth, graph)?,
            (15, Wire::Bytes(n)) => sparse(reader, n, graph)?,
            (11, Wire::Bytes(n)) if is_main && graph.inputs.len() < limits::INPUTS => {
                let info: Option<ValueInfo> = super::message(reader, n)?;
                graph.inputs.extend(info.and_then(|info| info.tensor()));
            }
            (12, Wire::Bytes(n)) if is_main && graph.outputs.len() < limits::INPUTS => {
                let Some(info) = super::message::<ValueInfo>(reader, n)? else { continue };
                match info.tensor() {
                    Some(output) => graph.outputs.push(output),
                    None if graph.not_tensors.len() < limits::METADATA => {
                        graph.not_tensors.push(shown::short(&info.name));
                    }
                    None => {}
                }
            }
            (_, wire) => wire::skip(reader, wire)?,
        }
    }
    Ok(())
}

/// The nodes of `FunctionProto`, of which `n` bytes follow.
pub(super) fn read_function(reader: &mut Reader<'_>, n: u64, graph: &mut Graph) -> Result<(), Error> {
    let end = reader.at() + n;
    while let Some(Field { number, wire }) = wire::field(reader, end)? {
        match (number, wire) {
            (7, Wire::Bytes(n)) => node(reader, n, 1, graph)?,
            (_, wire) => wire::skip(reader, wire)?,
        }
    }
    Ok(())
}

fn check_depth(reader: &Reader<'_>, depth: usize) -> Result<(), Error> {
    match depth <= limits::GRAPHS_DEEP {
        true => Ok(()),
        false => Err(Error::Protobuf { at: reader.at(), what: "graphs stand too deep in graphs" }),
    }
}

/// `NodeProto`
fn node(reader: &mut Reader<'_>, n: u64, depth: usize, graph: &mut Graph) -> Result<(), Error> {
    let end = reader.at() + n;
    let mut node = Node::default();
    while let Some(Field { number, wire }) = wire::field(reader, end)? {
        match (number, wire) {
            (1, Wire::Bytes(n)) if node.first_input.is_none() => {
                node.first_input = Some(wire::text(reader, n)?);
            }
            (2, Wire::Bytes(n)) if node.outputs.len() < 4 => node.outputs.push(wire::text(reader, n)?),
            (4, Wire::Bytes(n)) => node.operator = wire::text(reader, n)?,
            (7, Wire::Bytes(n)) => node.domain = wire::text(reader, n)?,
            (5, Wire::Bytes(n)) => attribute(reader, n, depth, &mut node, graph)?,
            (_, wire) => wire::skip(reader, wire)?,
        }
    }
    keep(node, depth, graph);
    Ok(())
}

fn keep(node: Node, depth: usize, graph: &mut Graph) {
    if node.domain == "ai.onnx.ml" {
        graph.n_parameters = graph.n_parameters.saturating_add(node.n_floats);
    }
    let name = match node.domain.as_str() {
        "" | "ai.onnx" => node.operator.clone(),
        domain => format!("{domain}:{}", node.operator),
    };
    if graph.operators.len() < limits::OPERATORS || graph.operators.contains_key(&name) {
        *graph.operators.entry(name.clone()).or_default() += 1;
    }
    if depth > 0 {
        return;
    }
    for (n_output, output) in node.outputs.into_iter().enumerate() {
        if graph.producers.len() < limits::GRAPH_NAMES {
            let first_input = node.first_input.clone().unwrap_or_default();
            let producer =
                Producer { operator: name.clone(), n_output, first_input, labels: node.labels.clone() };
            graph.producers.insert(output, producer);
        }
    }
}

/// `AttributeProto`
fn attribute(
    reader: &mut Reader<'_>,
    n: u64,
    depth: usize,
    node: &mut Node,
    graph: &mut Graph,
) -> Result<(), Error> {
    let end = reader.at() + n;
    let mut name = String::new();
    let mut n_floats = 0_u64;
    while let Some(Field { number, wire }) = wire::field(reader, end)? {
        let is_labels =
            matches!(name.as_str(), "classlabels_strings" | "classlabels_int64s" | "classlabels_ints");
        let room = node.labels.len() <= limits::CLASSES;
        match (number, wire) {
            (1, Wire::Bytes(n)) => name = wire::text(reader, n)?,
            (2, Wire::Fixed32) | (7, Wire::Fixed32) => {
                n_floats += 1;
                reader.skip(4)?;
            }
            (7, Wire::Bytes(n)) => {
                n_floats += n / 4;
                reader.skip(n)?;
            }
            (8, Wire::Number(label)) if is_labels && room => {
                node.labels.push(label.cast_signed().to_string());
            }
            (8, Wire::Bytes(n)) if is_labels && room => packed_labels(reader, n, &mut node.labels)?,
            (9, Wire::Bytes(n)) if is_labels && room => node.labels.push(wire::text(reader, n)?),
            (5 | 10, Wire::Bytes(n)) => n_floats = n_floats.saturating_add(tensor(reader, n)?.n_elements()),
            (6 | 11, Wire::Bytes(n)) => read(reader, n, depth + 1, graph)?,
            (_, wire) => wire::skip(reader, wire)?,
        }
    }
    // How many examples reached each node of a tree while it grew.
    if name != "nodes_hitrates" {
        node.n_floats = node.n_floats.saturating_add(n_floats);
    }
    Ok(())
}

fn packed_labels(reader: &mut Reader<'_>, n: u64, labels: &mut Vec<String>) -> Result<(), Error> {
    let end = reader.at() + n;
    while reader.at() < end {
        let label = wire::varint(reader)?;
        if labels.len() <= limits::CLASSES {
            labels.push(label.cast_signed().to_string());
        }
    }
    Ok(())
}

fn initialiser(reader: &mut Reader<'_>, n: u64, depth: usize, graph: &mut Graph) -> Result<(), Error> {
    let tensor = tensor(reader, n)?;
    graph.n_parameters = graph.n_parameters.saturating_add(tensor.n_elements());
    for path in &tensor.external {
        if graph.external.len() < limits::METADATA {
            graph.external.insert(shown::short(path));
        }
    }
    if depth == 0 && graph.initialisers.len() < limits::GRAPH_NAMES {
        graph.initialisers.insert(tensor.name.clone());
    }
    if graph.tensors.len() < FileFacts::TENSORS {
        let Tensor { name, code, shape, .. } = tensor;
        graph.tensors.push(TensorFacts {
            name: shown::short(&name),
            datatype: message::datatype(code),
            shape,
        });
    }
    Ok(())
}

/// `SparseTensorProto`: the values that are not zero, and where they stand.
fn sparse(reader: &mut Reader<'_>, n: u64, graph: &mut Graph) -> Result<(), Error> {
    let end = reader.at() + n;
    while let Some(Field { number, wire }) = wire::field(reader, end)? {
        match (number, wire) {
            (1, Wire::Bytes(n)) => {
                let values = tensor(reader, n)?;
                graph.n_parameters = graph.n_parameters.saturating_add(values.n_elements());
            }
            (_, wire) => wire::skip(reader, wire)?,
        }
    }
    Ok(())
}

#[derive(Default)]
struct Tensor {
    name: String,
    code: u64,
    shape: Vec<u64>,
    external: Vec<String>,
}

impl Tensor {
    fn n_elements(&self) -> u64 {
        shown::n_elements(&self.shape)
    }
}

/// `TensorProto`, without its data.
fn tensor(reader: &mut Reader<'_>, n: u64) -> Result<Tensor, Error> {
    let end = reader.at() + n;
    let mut tensor = Tensor::default();
    while let Some(Field { number, wire }) = wire::field(reader, end)? {
        match (number, wire) {
            (1, Wire::Number(length)) if tensor.shape.len() < limits::DIMENSIONS => tensor.shape.push(length),
            (1, Wire::Bytes(n)) => {
                let end = reader.at() + n;
                while reader.at() < end {
                    let length = wire::varint(reader)?;
                    if tensor.shape.len() < limits::DIMENSIONS {
                        tensor.shape.push(length);
                    }
                }
            }
            (2, Wire::Number(code)) => tensor.code = code,
            (8, Wire::Bytes(n)) => tensor.name = wire::text(reader, n)?,
            (13, Wire::Bytes(n)) => {
                let entry: Option<Entry> = super::message(reader, n)?;
                let path = entry.filter(|entry| entry.key == "location").map(|entry| entry.value);
                if tensor.external.len() < limits::DIMENSIONS {
                    tensor.external.extend(path);
                }
            }
            (_, wire) => wire::skip(reader, wire)?,
        }
    }
    Ok(tensor)
}
