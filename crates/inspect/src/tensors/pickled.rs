//! NumPy arrays in pickles and joblib files, by the path of attributes, keys and numbers that leads to each.
//!
//! Invariant: a value is visited once, in the order of the file; what could not be followed makes the result
//! incomplete.

use std::collections::BTreeSet;

use super::{Bytes, Tensor, Tensors, numpy};
use crate::bounded::{Reader, Source};
use crate::pickle::value::{Heap, Node, Value};
use crate::pickle::{self, Loader, array, plain};
use crate::{limits, shown};

pub(super) fn read(source: &mut dyn Source) -> Option<Tensors> {
    let mut reader = Reader::file(source).ok()?;
    let end = reader.end();
    let walked = pickle::walk(&mut reader, end, Loader::Plain);
    let mut walk = Walk {
        heap: &walked.heap,
        end,
        seen: BTreeSet::new(),
        left: walked.roots.iter().rev().map(|root| (*root, String::new())).collect(),
        tensors: Tensors { found: Vec::new(), is_complete: walked.error.is_none() },
    };
    while let Some((value, name)) = walk.left.pop() {
        walk.visit(value, &name);
    }
    Some(walk.tensors)
}

struct Walk<'h> {
    heap: &'h Heap,
    end: u64,
    seen: BTreeSet<u32>,
    /// Values to be visited, the next one last.
    left: Vec<(Value, String)>,
    tensors: Tensors,
}

impl Walk<'_> {
    fn visit(&mut self, value: Value, name: &str) {
        let number = match value {
            Value::Node(number) => number,
            Value::Forgotten => {
                self.tensors.is_complete = false;
                return;
            }
            _ => return,
        };
        if !self.seen.insert(number) {
            return;
        }
        if self.seen.len() > limits::VISITS {
            self.tensors.is_complete = false;
            self.left.clear();
            return;
        }
        if let Some(found) = array::array(self.heap, value) {
            match found.dtype.kind {
                'O' => self.push_items(found.objects().to_vec(), name),
                _ => self.take(value, &found, name),
            }
            return;
        }
        self.push_inner(value, name);
    }

    fn take(&mut self, value: Value, found: &array::Array<'_>, name: &str) {
        let dtype = found.dtype;
        let n_bytes = found.n_elements().checked_mul(dtype.n_bytes);
        let place = array::place(self.heap, value).zip(n_bytes);
        let bytes = match place {
            Some((offset, n_bytes)) if offset.checked_add(n_bytes).is_some_and(|end| end <= self.end) => {
                Bytes::At { offset, n_bytes }
            }
            // Text of old protocols, which is not there as it is.
            _ => match found.whole() {
                Some(bytes) => Bytes::Held(bytes.to_vec()),
                None => {
                    self.tensors.is_complete = false;
                    return;
                }
            },
        };
        let kind = format!("{}{}", dtype.kind, dtype.n_bytes);
        let datatype = numpy::datatype(&kind).0.filter(|_| !dtype.is_big_endian);
        let name = if name.is_empty() { "array".to_owned() } else { shown::short(name) };
        self.tensors.found.push(Tensor { name, datatype, shape: found.shape.clone(), bytes });
    }

    fn push_inner(&mut self, value: Value, name: &str) {
        match self.heap.node(value) {
            Some(Node::List(items) | Node::Tuple(items) | Node::Set(items)) => {
                self.tensors.is_complete &= items.n == items.kept.len() as u64;
                self.push_items(items.kept.clone(), name);
            }
            Some(Node::Dict(pairs)) => {
                self.tensors.is_complete &= pairs.n == pairs.kept.len() as u64;
                self.push_pairs(&pairs.kept, name);
            }
            Some(Node::Object(object)) => {
                self.push_items(object.items.kept.clone(), name);
                self.push_pairs(&object.pairs.kept, name);
                // Neither adds a name of its own: an attribute is called as in the program.
                self.left.extend(object.state.map(|state| (state, name.to_owned())));
                self.left.push((object.arguments, name.to_owned()));
            }
            Some(Node::Persistent(_)) => self.tensors.is_complete = false,
            _ => {}
        }
    }

    fn push_items(&mut self, items: Vec<Value>, name: &str) {
        let is_inner = |(_, item): &(usize, Value)| matches!(item, Value::Node(_) | Value::Forgotten);
        let named = items.into_iter().enumerate().filter(is_inner);
        let named: Vec<_> = named.map(|(i, item)| (item, joined(name, &i.to_string()))).collect();
        self.left.extend(named.into_iter().rev());
    }

    fn push_pairs(&mut self, pairs: &[(Value, Value)], name: &str) {
        let heap = self.heap;
        let key = |key: Value| plain::scalar(heap, key).map_or_else(String::new, |key| plain::text(&key));
        let named =
            pairs.iter().rev().filter(|(_, value)| matches!(value, Value::Node(_) | Value::Forgotten));
        self.left.extend(named.map(|(at, value)| (*value, joined(name, &key(*at)))));
    }
}

fn joined(name: &str, part: &str) -> String {
    match (name, part) {
        ("", part) => part.to_owned(),
        (name, "") => name.to_owned(),
        (name, part) => format!("{name}.{part}"),
    }
}
