//! Symbolic values as plain JSON, for people.
//!
//! Invariant: what one file shows is bounded in depth and in characters, whatever refers to whatever.

use serde_json::{Map, Value as Json};

use super::array;
use super::value::{Heap, Node, Value};
use crate::{limits, shown};

/// How much of one file is still to be shown, in characters.
#[derive(Debug)]
pub(crate) struct Budget {
    n_chars_left: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { n_chars_left: limits::SHOWN_CHARS_IN_ALL }
    }
}

impl Budget {
    fn spend(&mut self, n_chars: usize) -> Option<()> {
        self.n_chars_left = self.n_chars_left.checked_sub(n_chars)?;
        Some(())
    }
}

/// A number as JSON; what JSON has no number for, as text.
pub(crate) fn float(value: f64) -> Json {
    let text = match value {
        _ if value.is_nan() => "nan",
        f64::INFINITY => "inf",
        f64::NEG_INFINITY => "-inf",
        _ => return Json::from(value),
    };
    Json::from(text)
}

/// A value without parts: nothing, a truth value, a number, a text.
pub(crate) fn scalar(heap: &Heap, value: Value) -> Option<Json> {
    Some(match value {
        Value::None => Json::Null,
        Value::Bool(value) => Json::from(value),
        Value::Int(value) => Json::from(value),
        Value::Float(value) => float(value),
        Value::Forgotten => return None,
        Value::Node(_) => match heap.node(value)? {
            Node::Text(text) => Json::from(shown::short(text)),
            _ => return array::scalar(heap, value),
        },
    })
}

/// A value as one would write it: an object as `Class()`, a function as `module.name`.
pub(crate) fn value(heap: &Heap, value: Value, budget: &mut Budget) -> Option<Json> {
    part(heap, value, budget, 0)
}

/// What text a plain value is, as a model would name a class by it.
pub(crate) fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn part(heap: &Heap, value: Value, budget: &mut Budget, depth: usize) -> Option<Json> {
    const DEEPEST: usize = 4;
    const MARGIN: usize = 8;
    if let Some(found) = scalar(heap, value) {
        budget.spend(MARGIN + found.as_str().map_or(0, str::len))?;
        return Some(found);
    }
    if depth >= DEEPEST {
        return None;
    }
    budget.spend(MARGIN)?;
    match heap.node(value)? {
        Node::List(items) | Node::Tuple(items) | Node::Set(items) => {
            let shown = items.kept.iter().take(limits::SHOWN_ITEMS);
            let mut shown: Vec<_> = shown.map_while(|item| part(heap, *item, budget, depth + 1)).collect();
            if items.n > shown.len() as u64 {
                shown.push(Json::from(format!("… {} in all", items.n)));
            }
            Some(Json::from(shown))
        }
        Node::Dict(pairs) => {
            let mut map = Map::new();
            for (key, value) in pairs.kept.iter().take(limits::SHOWN_ITEMS) {
                let (Some(key), Some(value)) = (scalar(heap, *key), part(heap, *value, budget, depth + 1))
                else {
                    break;
                };
                let key = text(&key);
                budget.spend(key.len())?;
                map.insert(key, value);
            }
            if pairs.n > map.len() as u64 {
                map.insert("…".to_owned(), Json::from(format!("{} in all", pairs.n)));
            }
            Some(Json::from(map))
        }
        Node::Global { module, name } => {
            let text = shown::short(&format!("{module}.{name}"));
            budget.spend(text.len())?;
            Some(Json::from(text))
        }
        Node::Object(_) | Node::Inline(_) => object(heap, value, budget),
        Node::Bytes { n, .. } => Some(Json::from(format!("{n} bytes"))),
        Node::Text(_) | Node::Persistent(_) => None,
    }
}

fn object(heap: &Heap, value: Value, budget: &mut Budget) -> Option<Json> {
    if let Some(array) = array::array(heap, value) {
        let elements = array.plain(heap, limits::SHOWN_ITEMS);
        let shape = || Json::from(format!("array of shape {:?}", array.shape));
        let shown = if array.shape.len() == 1 { elements.map_or_else(shape, Json::from) } else { shape() };
        budget.spend(shown.as_array().map_or(0, |elements| elements.len() * 8))?;
        return Some(shown);
    }
    let (_, name) = array::class_of(heap, value)?;
    let name = shown::short(name);
    budget.spend(name.len())?;
    Some(Json::from(format!("{name}()")))
}
