//! Tensors among the symbolic values of a PyTorch pickle, by the path under which the model keeps them.
//!
//! Invariant: numbers that two tensors share are counted once, and what an optimiser keeps of them is not counted.

use std::collections::{BTreeMap, BTreeSet};

use spec::facts::{FileFacts, Step, TensorFacts};
use spec::tensor::Datatype;

use crate::pickle::estimator;
use crate::pickle::plain::{self, Budget};
use crate::pickle::value::{Heap, Node, Value};
use crate::{limits, numbers, shown};

/// A block of bytes that tensors look into.
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) n_bytes: u64,
}

/// Lists the tensors below a value, counts their elements, and names the modules of a network.
pub(super) fn list(heap: &Heap, root: Value, budget: &mut Budget, facts: &mut FileFacts) {
    let mut count = Count::default();
    walk(heap, root, |path, value| {
        if let Some(tensor) = tensor(heap, value) {
            if !path.is_of_optimiser {
                count.add(&tensor);
            }
            if facts.tensors.len() < FileFacts::TENSORS {
                facts.tensors.push(TensorFacts {
                    name: path.text(heap),
                    datatype: tensor.datatype,
                    shape: tensor.shape,
                });
            }
            return;
        }
        let is_module =
            path.link > 0 && estimator::attributes(heap, value).iter().any(|(name, _)| *name == "_modules");
        if let (true, Some(class)) =
            (is_module && facts.steps.len() < FileFacts::STEPS, estimator::class(heap, value))
        {
            let mut hyperparameters = estimator::hyperparameters(heap, value, budget);
            hyperparameters.remove("training");
            facts.steps.push(Step { name: path.text(heap), class, hyperparameters });
        }
    });
    facts.n_parameters = count.n_parameters();
}

/// The elements of tensors; of those that look into one storage, no more than it holds.
#[derive(Default)]
struct Count {
    /// Elements looked at and elements held, by the storage's key.
    stored: BTreeMap<String, (u64, u64)>,
    n_elsewhere: Option<u64>,
}

impl Count {
    fn add(&mut self, tensor: &Tensor) {
        let n = shown::n_elements(&tensor.shape);
        let n_seen = match &tensor.key {
            Some(key) => {
                let (n_seen, n_stored) = self.stored.entry(key.clone()).or_default();
                *n_stored = tensor.n_stored.max(*n_stored);
                n_seen
            }
            None => self.n_elsewhere.get_or_insert(0),
        };
        *n_seen = n_seen.saturating_add(n);
    }

    /// None where there is no tensor.
    fn n_parameters(&self) -> Option<u64> {
        let stored = self.stored.values().map(|(n_seen, n_stored)| *n_seen.min(n_stored));
        stored.chain(self.n_elsewhere).reduce(u64::saturating_add)
    }
}

/// The storages that tensors below a value need, by key.
pub(super) fn storages(heap: &Heap, root: Value) -> Vec<Storage> {
    let mut found = BTreeMap::new();
    walk(heap, root, |_, value| {
        if let Some(Tensor { key: Some(key), n_stored, datatype: Some(datatype), .. }) = tensor(heap, value) {
            let n_bytes = n_stored.saturating_mul(datatype.n_bytes().unwrap_or(0) as u64);
            let wanted = found.entry(key).or_insert(0);
            *wanted = n_bytes.max(*wanted);
        }
    });
    found.into_iter().map(|(key, n_bytes)| Storage { key, n_bytes }).collect()
}

struct Tensor {
    datatype: Option<Datatype>,
    shape: Vec<u64>,
    /// Its first element in the storage, where its elements stand there one after the other.
    begins: Option<u64>,
    /// Where its bytes are.
    key: Option<String>,
    /// Elements in that storage.
    n_stored: u64,
}

/// The tensor that a value is, if it is one, by the function that puts it back together.
fn tensor(heap: &Heap, value: Value) -> Option<Tensor> {
    let object = heap.object(value)?;
    let arguments = heap.items(object.arguments)?;
    match (heap.global(object.class)?, arguments) {
        (("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state"), [inner, ..]) => {
            let inner = heap.object(*inner)?;
            rebuilt(heap, heap.global(inner.class)?, heap.items(inner.arguments)?)
        }
        (("torch._tensor", "_rebuild_from_type_v2"), [function, _, inner, ..]) => {
            rebuilt(heap, heap.global(*function)?, heap.items(*inner)?)
        }
        (function, arguments) => rebuilt(heap, function, arguments),
    }
}

fn rebuilt(heap: &Heap, function: (&str, &str), arguments: &[Value]) -> Option<Tensor> {
    let ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2" | "_rebuild_tensor_v3") = function else {
        return None;
    };
    let [storage, begins, size, ..] = arguments else { return None };
    let shape = heap.items(*size)?.iter().map(|length| match length {
        Value::Int(length) => u64::try_from(*length).ok(),
        _ => None,
    });
    let shape = shape.collect::<Option<Vec<u64>>>()?;
    let strides = arguments.get(3).and_then(|strides| heap.items(*strides)).unwrap_or_default();
    let begins = match begins {
        Value::Int(begins) if are_dense(&shape, strides) => u64::try_from(*begins).ok(),
        _ => None,
    };
    // The third version names the type itself, as its storage has none.
    let named =
        arguments.get(6).filter(|_| function.1 == "_rebuild_tensor_v3").and_then(|dtype| heap.global(*dtype));
    let (mut datatype, mut key, mut n_stored) = (None, None, 0);
    if let Some(Node::Persistent(id)) = heap.node(*storage)
        && let Some([_, class, name, _, n, ..]) = heap.items(*id)
    {
        datatype = heap.global(*class).and_then(|(_, class)| storage_type(class));
        key = heap.text(*name).map(str::to_owned);
        n_stored = if let Value::Int(n) = n { u64::try_from(*n).unwrap_or(0) } else { 0 };
    }
    if let Some((_, name)) = named {
        datatype = numbers::datatype(name);
        // An untyped storage counts bytes.
        n_stored = datatype.and_then(Datatype::n_bytes).map_or(0, |width| n_stored / width as u64);
    }
    Some(Tensor { datatype, shape, begins, key, n_stored })
}

/// Whether elements of this shape stand row by row, each beside the last.
fn are_dense(shape: &[u64], strides: &[Value]) -> bool {
    let mut n_inner = Some(1_u64);
    shape.len() == strides.len()
        && shape.iter().zip(strides).rev().all(|(length, stride)| {
            let is_next = *length == 1 || n_inner.is_some_and(|n| *stride == Value::Int(n.cast_signed()));
            n_inner = n_inner.and_then(|n| n.checked_mul(*length));
            is_next
        })
}

/// A tensor by its name, and the bytes of its storage that are its own.
pub(crate) struct Placed {
    pub(crate) name: String,
    pub(crate) datatype: Option<Datatype>,
    pub(crate) shape: Vec<u64>,
    pub(crate) key: String,
    /// Offset and length in bytes; none for a tensor that skips elements, of which all of the storage is meant.
    pub(crate) range: Option<(u64, u64)>,
}

/// The tensors below a value, in the order of the file.
pub(crate) fn placed(heap: &Heap, root: Value) -> Vec<Placed> {
    let mut found = Vec::new();
    walk(heap, root, |path, value| {
        let Some(Tensor { datatype, shape, begins, key: Some(key), .. }) = tensor(heap, value) else {
            return;
        };
        let width = datatype.and_then(Datatype::n_bytes).map(|width| width as u64);
        let range = begins.zip(width).and_then(|(begins, width)| {
            Some((begins.checked_mul(width)?, shown::n_elements(&shape).checked_mul(width)?))
        });
        found.push(Placed { name: path.text(heap), datatype, shape, key, range });
    });
    found
}

fn storage_type(class: &str) -> Option<Datatype> {
    Some(match class {
        "FloatStorage" => Datatype::Fp32,
        "DoubleStorage" => Datatype::Fp64,
        "HalfStorage" => Datatype::Fp16,
        "BFloat16Storage" => Datatype::Bf16,
        "LongStorage" => Datatype::Int64,
        "IntStorage" => Datatype::Int32,
        "ShortStorage" => Datatype::Int16,
        "CharStorage" => Datatype::Int8,
        "ByteStorage" | "UntypedStorage" => Datatype::Uint8,
        "BoolStorage" => Datatype::Bool,
        _ => return None,
    })
}

/// Visits every value below `root` once, in the order of the file, with its path.
fn walk(heap: &Heap, root: Value, mut visit: impl FnMut(Path<'_>, Value)) {
    let mut chain = Vec::new();
    let mut left = vec![(root, 0_usize, false)];
    let mut seen = BTreeSet::new();
    let mut n_looks_left = limits::VISITS;
    while let Some((value, link, is_of_optimiser)) = left.pop() {
        let Value::Node(number) = value else { continue };
        if !seen.insert(number) {
            continue;
        }
        visit(Path { chain: &chain, link, is_of_optimiser }, value);
        if tensor(heap, value).is_some() {
            continue;
        }
        let inner = inner(heap, value);
        let Some(fewer) = n_looks_left.checked_sub(1 + inner.len()) else { return };
        n_looks_left = fewer;
        let is_key = |name: &Name, key: &str| matches!(name, Name::Key(k) if heap.text(*k) == Some(key));
        // Every optimiser keeps these two, and under the first what it remembers of each parameter.
        let is_optimiser =
            ["state", "param_groups"].iter().all(|key| inner.iter().any(|(name, _)| is_key(name, key)));
        for (name, value) in inner.into_iter().rev().filter(|(_, value)| matches!(value, Value::Node(_))) {
            chain.push((link, name));
            let is_state = is_optimiser && is_key(&name, "state");
            left.push((value, chain.len(), is_of_optimiser || is_state));
        }
    }
}

/// How a value is reached: a chain of (parent, name). Link 0 is the root, link `i` the entry before `i`.
struct Path<'c> {
    chain: &'c [(usize, Name)],
    link: usize,
    /// Whether it is what an optimiser keeps between its steps, such as moving averages.
    is_of_optimiser: bool,
}

/// What one step down adds to a path.
#[derive(Clone, Copy)]
enum Name {
    Key(Value),
    Index(usize),
}

impl Path<'_> {
    /// The names, with dots between, as PyTorch writes them.
    fn text(&self, heap: &Heap) -> String {
        const DEEPEST: usize = 64;
        /// Where a module keeps its parts, which is no part of their names.
        const NAMELESS: &[&str] = &["_parameters", "_buffers", "_modules"];
        let mut names = Vec::new();
        let mut link = self.link;
        while let Some((parent, name)) = link.checked_sub(1).and_then(|i| self.chain.get(i)) {
            let name = match name {
                Name::Index(i) => i.to_string(),
                Name::Key(key) => plain::scalar(heap, *key).map_or_else(String::new, |key| plain::text(&key)),
            };
            if !NAMELESS.contains(&name.as_str()) {
                names.push(name);
            }
            if names.len() >= DEEPEST {
                break;
            }
            link = *parent;
        }
        names.reverse();
        shown::short(&names.join("."))
    }
}

/// The values inside of another.
fn inner(heap: &Heap, value: Value) -> Vec<(Name, Value)> {
    let keyed = |(key, value): &(Value, Value)| (Name::Key(*key), *value);
    let numbered = |(i, value): (usize, &Value)| (Name::Index(i), *value);
    match heap.node(value) {
        Some(Node::Dict(pairs)) => pairs.kept.iter().map(keyed).collect(),
        Some(Node::List(items) | Node::Tuple(items)) => items.kept.iter().enumerate().map(numbered).collect(),
        Some(Node::Object(object)) => {
            let state = object.state.and_then(|state| heap.pairs(state)).unwrap_or_default();
            let items = object.items.kept.iter().enumerate().map(numbered);
            object.pairs.kept.iter().chain(state).map(keyed).chain(items).collect()
        }
        _ => Vec::new(),
    }
}
