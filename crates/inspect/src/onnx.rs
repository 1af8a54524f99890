//! ONNX: inputs, outputs, operators and parameters of a model, read from its protocol buffers.
//!
//! The file is walked field by field; tensors are skipped, so that a model of any size takes little memory.
//! Counted as parameters are the elements of all initialisers and the floats in the attributes of
//! `ai.onnx.ml` operators (thresholds, leaves, coefficients), except how often a node was hit. Invariant: what
//! is said of a class label was traced from the output back to the operator that gives it.

mod graph;
pub(crate) mod message;
mod trace;
pub(crate) mod wire;

use spec::facts::{Danger, DangerLevel, FileFacts, Format};

use self::graph::Graph;
use self::message::{Entry, OperatorSet};
use self::wire::{Field, Wire};
use crate::bounded::{Reader, Source};
use crate::error::Error;
use crate::{archive, limits, shown};

/// Fills in what an ONNX file says.
pub(crate) fn read(source: &mut dyn Source, facts: &mut FileFacts) -> Result<(), Error> {
    facts.format = Format::Onnx;
    let mut reader = Reader::file(source)?;
    let mut model = Model::default();
    let result = read_model(&mut reader, &mut model);
    model.finish(facts);
    result
}

/// Whether the bytes begin as a model does: its version, and then another of its fields.
pub(crate) fn is_plausible(reader: &mut Reader<'_>) -> bool {
    let mut fields = Vec::new();
    let end = reader.end();
    while fields.len() < 3 {
        match wire::field(reader, end) {
            Ok(Some(field)) if is_model_field(&field) => {
                let wire = field.wire;
                fields.push(field);
                if wire::skip(reader, wire).is_err() {
                    break;
                }
            }
            Ok(None) => break,
            _ => return false,
        }
    }
    let is_version = |field: &Field| field.number == 1 && matches!(field.wire, Wire::Number(1..=100));
    fields.len() >= 2 && fields.iter().any(is_version)
}

fn is_model_field(field: &Field) -> bool {
    match field.number {
        1 | 5 => matches!(field.wire, Wire::Number(_)),
        2 | 3 | 4 | 6 | 7 | 8 | 14 | 20 | 25 | 26 => matches!(field.wire, Wire::Bytes(_)),
        _ => false,
    }
}

#[derive(Default)]
struct Model {
    version: Option<u64>,
    producer: String,
    producer_version: String,
    operator_sets: Vec<OperatorSet>,
    metadata: Vec<Entry>,
    graph: Graph,
    has_graph: bool,
}

/// The fields of `ModelProto`.
fn read_model(reader: &mut Reader<'_>, model: &mut Model) -> Result<(), Error> {
    let end = reader.end();
    while let Some(Field { number, wire }) = wire::field(reader, end)? {
        match (number, wire) {
            (1, Wire::Number(version)) => model.version = Some(version),
            (2, Wire::Bytes(n)) => model.producer = wire::text(reader, n)?,
            (3, Wire::Bytes(n)) => model.producer_version = wire::text(reader, n)?,
            (7, Wire::Bytes(n)) => {
                model.has_graph = true;
                graph::read(reader, n, 0, &mut model.graph)?;
            }
            (8, Wire::Bytes(n)) if model.operator_sets.len() < limits::METADATA => {
                model.operator_sets.extend(message(reader, n)?);
            }
            (14, Wire::Bytes(n)) if model.metadata.len() < limits::METADATA => {
                model.metadata.extend(message(reader, n)?);
            }
            // Functions that the model defines are graphs in all but name.
            (25, Wire::Bytes(n)) => graph::read_function(reader, n, &mut model.graph)?,
            (_, wire) => wire::skip(reader, wire)?,
        }
    }
    if model.has_graph { Ok(()) } else { Err(Error::NoGraph) }
}

/// Decodes a small message; one too long to be one is skipped.
fn message<M: prost::Message + Default>(reader: &mut Reader<'_>, n: u64) -> Result<Option<M>, Error> {
    let at = reader.at();
    if n > limits::MESSAGE_BYTES {
        reader.skip(n)?;
        return Ok(None);
    }
    let bytes = reader.take(n, usize::MAX)?;
    M::decode(bytes.as_slice()).map(Some).map_err(|source| Error::Message { at, source })
}

impl Model {
    fn finish(self, facts: &mut FileFacts) {
        if !self.producer.is_empty() {
            if !self.producer_version.is_empty() {
                facts.versions.insert(self.producer.clone(), self.producer_version);
            }
            facts.framework = Some(self.producer);
        }
        let own = |key: &str, value: String| (key.to_owned(), value);
        let version = self.version.map(|version| own("onnx ir version", version.to_string()));
        let sets = self.operator_sets.into_iter().map(|set| {
            let domain = if set.domain.is_empty() { "ai.onnx" } else { &set.domain };
            (format!("opset {}", shown::short(domain)), set.version.to_string())
        });
        let entries = self.metadata.into_iter().map(|entry| (entry.key, entry.value));
        let entries: Vec<_> = version.into_iter().chain(sets).chain(entries).collect();
        facts.feature_names = feature_names(&entries);
        shown::metadata(&mut facts.metadata, entries);
        let graph = self.graph;
        if !graph.not_tensors.is_empty() {
            facts.metadata.insert("outputs that are no tensors".to_owned(), graph.not_tensors.join(", "));
        }
        facts.classes = trace::classes(&graph).unwrap_or_default();
        facts.dangers = graph
            .external
            .iter()
            .filter(|path| archive::leaves_folder(path))
            .map(|path| outside(path))
            .collect();
        if !graph.external.is_empty() {
            let paths: Vec<_> = graph.external.iter().map(String::as_str).collect();
            shown::metadata(&mut facts.metadata, [own("external data", paths.join(", "))]);
        }
        facts.external_data =
            graph.external.iter().filter(|path| !archive::leaves_folder(path)).cloned().collect();
        facts.inputs =
            graph.inputs.into_iter().filter(|input| !graph.initialisers.contains(&input.name)).collect();
        facts.outputs = graph.outputs;
        facts.operators = graph.operators;
        facts.tensors = graph.tensors;
        facts.n_parameters = self.has_graph.then_some(graph.n_parameters);
    }
}

/// Names of features that an exporter wrote beside the model: a JSON list, or names with commas between.
fn feature_names(entries: &[(String, String)]) -> Vec<String> {
    let found = entries
        .iter()
        .find(|(key, _)| matches!(key.as_str(), "feature_names" | "features" | "feature_names_in_"));
    let Some((_, text)) = found else { return Vec::new() };
    let names: Vec<String> = serde_json::from_str(text)
        .unwrap_or_else(|_| text.split(',').map(|name| name.trim().to_owned()).collect());
    names.iter().take(limits::CLASSES).map(|name| shown::short(name)).collect()
}

fn outside(path: &str) -> Danger {
    Danger {
        level: DangerLevel::Unknown,
        what: path.to_owned(),
        place: "external data of a tensor".to_owned(),
        reason: "it leads out of the model's folder: whoever loads the model reads that file".to_owned(),
    }
}
