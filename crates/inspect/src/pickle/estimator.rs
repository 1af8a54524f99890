//! A trained estimator among the symbolic values: its class, what it was made with and what it says it learned.
//!
//! Follows scikit-learn's conventions, which XGBoost, LightGBM and CatBoost share: what the constructor was
//! given lies under public names, what was learned under names that end in `_`. Invariant: every list is as
//! long as [`FileFacts`] allows at most, in the order of the file.

mod inherited;

use std::collections::BTreeMap;

use serde_json::Value as Json;
use spec::facts::{FileFacts, Step};

use super::array;
use super::learned;
use super::plain::{self, Budget};
use super::value::{Heap, Node, Value};
use crate::{limits, shown};

/// Fills in what the value at the root of a pickle says.
pub(crate) fn describe(heap: &Heap, root: Value, facts: &mut FileFacts) {
    let mut budget = Budget::default();
    facts.class = class(heap, root);
    facts.framework = framework(heap, root).map(str::to_owned);
    facts.hyperparameters = hyperparameters(heap, root, &mut budget);
    let mut walk = Walk { heap, budget, facts };
    walk.told(root);
    walk.steps(root, "", 0);
    if facts.framework.is_none() {
        let mut frameworks =
            facts.steps.iter().filter_map(|step| step.class.split('.').next().and_then(package));
        facts.framework = frameworks.next().map(str::to_owned);
    }
    facts.n_parameters = learned::count(heap, root);
}

/// The package that a top-level module belongs to, as its users call it.
fn package(module: &str) -> Option<&'static str> {
    match module.split('.').next()? {
        "sklearn" => Some("scikit-learn"),
        "xgboost" => Some("xgboost"),
        "lightgbm" => Some("lightgbm"),
        "catboost" | "_catboost" => Some("catboost"),
        "torch" => Some("pytorch"),
        "keras" => Some("keras"),
        "tensorflow" => Some("tensorflow"),
        "statsmodels" => Some("statsmodels"),
        "numpy" => Some("numpy"),
        "pandas" => Some("pandas"),
        _ => None,
    }
}

fn framework(heap: &Heap, root: Value) -> Option<&'static str> {
    array::class_of(heap, root).and_then(|(module, _)| package(module))
}

/// The class of an object; for a list or a dict, that and the class of what it holds, where that is one.
pub(crate) fn class(heap: &Heap, root: Value) -> Option<String> {
    if let Some(own) = own_class(heap, root) {
        return Some(own);
    }
    let (kind, inner): (_, Vec<_>) = match heap.node(root)? {
        Node::List(items) => ("list", items.kept.clone()),
        Node::Tuple(items) => ("tuple", items.kept.clone()),
        Node::Set(items) => ("set", items.kept.clone()),
        Node::Dict(pairs) => ("dict", pairs.kept.iter().map(|(_, value)| *value).collect()),
        Node::Global { module, name } => return Some(shown::short(&format!("{module}.{name}"))),
        _ => return None,
    };
    let mut classes = inner.iter().map(|value| own_class(heap, *value));
    let first = classes.next().flatten();
    let is_one = first.is_some() && classes.all(|class| class == first);
    Some(match first.filter(|_| is_one) {
        Some(inner) => format!("{kind} of {inner}"),
        None => kind.to_owned(),
    })
}

/// The class of what a call gives, where that is known.
fn own_class(heap: &Heap, value: Value) -> Option<String> {
    if array::array(heap, value).is_some() {
        return Some("numpy.ndarray".to_owned());
    }
    let (module, name) = array::class_of(heap, value)?;
    let (module, name) = match (module, name) {
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => ("torch.nn", "Parameter"),
        ("torch._utils", name) if name.starts_with("_rebuild_") => ("torch", "Tensor"),
        other => other,
    };
    Some(shown::short(&format!("{module}.{name}")))
}

/// Names and values of an object's attributes, in the order of the file.
pub(crate) fn attributes(heap: &Heap, value: Value) -> Vec<(&str, Value)> {
    let state = heap.object(value).and_then(|object| object.state);
    let state = state.map(|state| match heap.items(state) {
        // Objects with slots: a pair of a dict and the slots.
        Some([dict, _]) => *dict,
        _ => state,
    });
    let pairs = state.and_then(|state| heap.pairs(state)).unwrap_or_default();
    pairs.iter().filter_map(|(key, value)| heap.text(*key).map(|key| (key, *value))).collect()
}

/// The attribute of this name; the last, where it is set more than once.
fn attribute(heap: &Heap, value: Value, name: &str) -> Option<Value> {
    attributes(heap, value).iter().rev().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

/// What an object was made with, by name.
pub(crate) fn hyperparameters(heap: &Heap, value: Value, budget: &mut Budget) -> BTreeMap<String, Json> {
    let attributes = attributes(heap, value);
    // The steps of a pipeline are listed as such.
    let sklearn = array::class_of(heap, value).filter(|(module, _)| module.starts_with("sklearn."));
    let is_inherited = |name: &str| sklearn.is_some_and(|(_, class)| inherited::is_inherited(class, name));
    let is_given =
        |name: &str| !name.starts_with('_') && !name.ends_with('_') && name != "steps" && !is_inherited(name);
    let public = attributes.iter().filter(|(name, _)| is_given(name));
    let plain =
        public.filter_map(|(name, value)| Some((shown::short(name), plain::value(heap, *value, budget)?)));
    plain.take(FileFacts::HYPERPARAMETERS).collect()
}

struct Walk<'h, 'f> {
    heap: &'h Heap,
    budget: Budget,
    facts: &'f mut FileFacts,
}

impl Walk<'_, '_> {
    /// Lists the named parts of a pipeline or an ensemble, and theirs, as scikit-learn names them: `outer__inner`.
    fn steps(&mut self, value: Value, prefix: &str, depth: usize) {
        if depth >= limits::STEPS_DEEP {
            return;
        }
        for (name, part) in parts(self.heap, value) {
            if self.facts.steps.len() >= FileFacts::STEPS {
                return;
            }
            let name = shown::short(&format!("{prefix}{name}"));
            let class = class(self.heap, part).or_else(|| self.heap.text(part).map(shown::short));
            let Some(class) = class else { continue };
            let hyperparameters = hyperparameters(self.heap, part, &mut self.budget);
            let inner = format!("{name}__");
            self.facts.steps.push(Step { name, class, hyperparameters });
            self.told(part);
            self.steps(part, &inner, depth + 1);
        }
    }

    /// Takes what an estimator says of itself: its version, its classes, its features. The first that names its
    /// features is the one that gets them, the last that names classes the one that answers.
    fn told(&mut self, value: Value) {
        let (heap, facts) = (self.heap, &mut *self.facts);
        let versions = attributes(heap, value).into_iter().filter_map(|(key, value)| match key {
            "_sklearn_version" => Some(("scikit-learn", heap.text(value)?)),
            "_xgboost_version" => Some(("xgboost", heap.text(value)?)),
            "_lightgbm_version" => Some(("lightgbm", heap.text(value)?)),
            _ => None,
        });
        for (package, version) in versions {
            facts.versions.entry(package.to_owned()).or_insert_with(|| shown::short(version));
        }
        if let Some(version) = boosting_version(heap, value) {
            facts.versions.entry("xgboost".to_owned()).or_insert(version);
        }
        if facts.n_features.is_none() {
            let n =
                attribute(heap, value, "n_features_in_").or_else(|| attribute(heap, value, "_n_features"));
            facts.n_features = match n {
                Some(Value::Int(n)) => u64::try_from(n).ok(),
                _ => None,
            };
        }
        if facts.feature_names.is_empty() {
            facts.feature_names = attribute(heap, value, "feature_names_in_")
                .and_then(|names| texts(heap, names))
                .unwrap_or_default();
        }
        let classes = attribute(heap, value, "classes_").or_else(|| attribute(heap, value, "_classes"));
        if let Some(classes) = classes.and_then(|classes| texts(heap, classes)) {
            facts.classes = classes;
        }
    }
}

/// The version of XGBoost that wrote a booster, from the end of the booster's own bytes: three numbers after the
/// word, as its binary JSON writes them.
fn boosting_version(heap: &Heap, value: Value) -> Option<String> {
    const WORD: &[u8] = b"version[#L\0\0\0\0\0\0\0\x03";
    let booster = attribute(heap, value, "_Booster")?;
    let ("xgboost.core", "Booster") = array::class_of(heap, booster)? else { return None };
    let bytes = array::bytes(heap, attribute(heap, booster, "handle")?)?;
    let at = bytes.windows(WORD.len()).rposition(|window| window == WORD)?;
    match bytes.get(at + WORD.len()..)? {
        [b'i', major, b'i', minor, b'i', patch, ..] => Some(format!("{major}.{minor}.{patch}")),
        _ => None,
    }
}

/// The elements of an array or a list as texts.
fn texts(heap: &Heap, value: Value) -> Option<Vec<String>> {
    let plain = match array::array(heap, value) {
        Some(array) => array.plain(heap, limits::CLASSES)?,
        None => {
            let items = heap.items(value)?.iter().take(limits::CLASSES);
            items.map(|item| plain::scalar(heap, *item)).collect::<Option<Vec<_>>>()?
        }
    };
    Some(plain.iter().map(plain::text).collect())
}

/// The estimators that another is made of, with the names that it gives them.
fn parts(heap: &Heap, value: Value) -> Vec<(String, Value)> {
    // A plain dict or list of models.
    match heap.node(value) {
        Some(Node::Dict(pairs)) => {
            return models(heap, pairs.kept.iter().map(|(key, value)| (name_of(heap, *key), *value)));
        }
        Some(Node::List(items) | Node::Tuple(items)) => {
            return models(heap, items.kept.iter().enumerate().map(|(i, value)| (i.to_string(), *value)));
        }
        _ => {}
    }
    let mut found = Vec::new();
    for list in ["steps", "transformer_list", "transformers", "estimators"] {
        let Some(list) = attribute(heap, value, list).and_then(|list| heap.items(list)) else { continue };
        let tuples = list.iter().filter_map(|item| heap.items(*item));
        found.extend(tuples.filter_map(|tuple| match tuple {
            [name, part, ..] => Some((heap.text(*name)?.to_owned(), *part)),
            _ => None,
        }));
    }
    let best = "best_estimator_";
    found.extend(attribute(heap, value, best).map(|value| (best.to_owned(), value)));
    found
}

fn models(heap: &Heap, values: impl Iterator<Item = (String, Value)>) -> Vec<(String, Value)> {
    let is_model = |value: Value| {
        heap.object(value).is_some_and(|object| object.state.is_some()) && array::array(heap, value).is_none()
    };
    values.filter(|(_, value)| is_model(*value)).take(FileFacts::STEPS).collect()
}

fn name_of(heap: &Heap, key: Value) -> String {
    plain::scalar(heap, key).map_or_else(String::new, |key| plain::text(&key))
}
