//! Counts the numbers that a model learned.
//!
//! Counted are the elements of arrays, and the numbers in lists, under attributes that end in `_`; a record of a
//! structured array, such as a node of a tree, counts once. Inside of what such an attribute holds, objects
//! without such attributes are counted whole. Invariant: each array in the file is counted once, however often
//! it is named; joblib writes an array anew for each name, and so it counts for each.

use std::collections::BTreeSet;

use super::array;
use super::estimator;
use super::value::{Heap, Node, Pairs, Value};
use crate::limits;

/// Attributes without a `_` at the end that hold what was learned all the same.
const LEARNED: &[&str] = &["_predictors", "_fit_X", "_tree"];
/// Attributes with a `_` at the end that hold names or a protocol of the search.
const NOT_LEARNED: &[&str] = &["classes_", "feature_names_in_", "cv_results_", "n_features_in_"];

/// Learned numbers below a value; none where there is nothing to count, or too much to look at.
pub(super) fn count(heap: &Heap, root: Value) -> Option<u64> {
    let mut left = vec![root];
    let mut seen = BTreeSet::new();
    let mut n_learned: Option<u64> = None;
    let mut n_looks_left = limits::VISITS;
    while let Some(value) = left.pop() {
        let Value::Node(number) = value else { continue };
        if !seen.insert(number) {
            continue;
        }
        let Part { n, inner } = part(heap, value);
        // Many objects may share one long list: what is looked at is counted, not what there is.
        n_looks_left = n_looks_left.checked_sub(1 + inner.len())?;
        left.extend(inner);
        if let Some(n) = n {
            n_learned = Some(n_learned.unwrap_or(0).saturating_add(n));
        }
    }
    n_learned
}

/// What one value adds: numbers of its own, and the values inside.
#[derive(Default)]
struct Part {
    n: Option<u64>,
    inner: Vec<Value>,
}

fn part(heap: &Heap, value: Value) -> Part {
    if let Some(array) = array::array(heap, value) {
        return match array.dtype.kind {
            'O' => Part { n: None, inner: array.objects().to_vec() },
            'f' | 'i' | 'u' | 'b' | 'c' | 'V' => Part { n: Some(array.n_elements()), inner: Vec::new() },
            _ => Part::default(),
        };
    }
    let values = |pairs: &Pairs| pairs.kept.iter().map(|(_, value)| *value).collect::<Vec<_>>();
    match heap.node(value) {
        Some(Node::List(items) | Node::Tuple(items)) => {
            // Of a list that was not kept whole, the rest is taken to be like the beginning.
            let is_float = |item: &Value| matches!(item, Value::Float(_));
            let are_numbers = !items.kept.is_empty() && items.kept.iter().all(is_float);
            Part { n: are_numbers.then_some(items.n), inner: items.kept.clone() }
        }
        Some(Node::Dict(pairs)) => Part { n: None, inner: values(pairs) },
        Some(Node::Object(object)) => {
            let mut inner = inside(heap, value);
            inner.extend(&object.items.kept);
            inner.extend(values(&object.pairs));
            Part { n: None, inner }
        }
        _ => Part::default(),
    }
}

/// What of an object is counted.
fn inside(heap: &Heap, value: Value) -> Vec<Value> {
    let attributes = estimator::attributes(heap, value);
    let is_learned = |name: &str| {
        !NOT_LEARNED.contains(&name)
            && (name.ends_with('_') && !name.starts_with('_') || LEARNED.contains(&name))
    };
    let learned: Vec<_> =
        attributes.iter().filter(|(name, _)| is_learned(name)).map(|(_, value)| *value).collect();
    if !learned.is_empty() {
        return learned;
    }
    match attributes.is_empty() {
        false => attributes.into_iter().map(|(_, value)| value).collect(),
        // Objects of compiled code keep a tuple.
        true => heap.object(value).and_then(|object| object.state).into_iter().collect(),
    }
}
