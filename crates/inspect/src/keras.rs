//! `.keras` archives: the architecture as JSON, and weights in HDF5 that are not read.
//!
//! Loading one imports every class and function that its JSON names. Invariant: every such name in the JSON is
//! judged, wherever it stands.

use serde_json::{Map, Value as Json};
use spec::facts::{Danger, DangerLevel, FileFacts, Format, Step};
use spec::tensor::{Datatype, TensorSpec};

use crate::archive::Archive;
use crate::error::Error;
use crate::{limits, numbers, pickle, shown};

/// Fills in what a Keras archive says.
pub(crate) fn read(archive: &mut Archive<'_>, facts: &mut FileFacts) -> Result<(), Error> {
    facts.format = Format::Keras;
    facts.framework = Some("keras".to_owned());
    let metadata = json(archive, "metadata.json")?;
    if let Some(version) = metadata.get("keras_version").and_then(Json::as_str) {
        facts.versions.insert("keras".to_owned(), shown::short(version));
    }
    let texts = metadata.as_object().into_iter().flatten();
    let texts = texts.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
    shown::metadata(&mut facts.metadata, texts.filter(|(key, _)| key != "keras_version"));
    if let Some(weights) = archive.names.iter().find(|name| name.ends_with(".weights.h5")) {
        facts.metadata.insert("weights".to_owned(), format!("`{}`, HDF5, not read", shown::short(weights)));
    }
    let config = json(archive, "config.json")?;
    facts.class = class(&config);
    dangers(&config, &mut facts.dangers);
    let model = config.get("config").and_then(Json::as_object);
    if let Some(model) = model {
        if let Some(name) = model.get("name").and_then(Json::as_str) {
            facts.metadata.insert("name".to_owned(), shown::short(name));
        }
        let layers = model.get("layers").and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
        facts.steps = layers.iter().take(FileFacts::STEPS).filter_map(step).collect();
        facts.inputs = inputs(layers);
        if facts.inputs.is_empty() {
            facts.inputs.extend(build_input(&config));
        }
        facts.outputs = outputs(model, layers);
    }
    Ok(())
}

fn json(archive: &mut Archive<'_>, entry: &'static str) -> Result<Json, Error> {
    if !archive.has(entry) {
        return Err(Error::NoEntry { entry });
    }
    let bytes = archive.bytes(entry, limits::ARCHIVE_JSON_BYTES)?;
    serde_json::from_slice(&bytes).map_err(|source| Error::Json { entry, source })
}

/// `keras.layers.Dense`, or the name alone where there is no module.
fn class(object: &Json) -> Option<String> {
    let name = object.get("class_name")?.as_str()?;
    Some(shown::short(&match object.get("module").and_then(Json::as_str) {
        Some(module) => format!("{module}.{name}"),
        None => name.to_owned(),
    }))
}

fn step(layer: &Json) -> Option<Step> {
    let config = layer.get("config").and_then(Json::as_object);
    let name = config.and_then(|config| config.get("name")).and_then(Json::as_str).unwrap_or_default();
    let plain =
        config.into_iter().flatten().filter(|(key, _)| key.as_str() != "name").filter_map(|(key, value)| {
            let value = match value {
                Json::Null | Json::Bool(_) | Json::Number(_) => value.clone(),
                Json::String(text) => Json::from(shown::short(text)),
                Json::Array(items) if items.len() <= 8 && items.iter().all(is_number) => value.clone(),
                // An initialiser, a regulariser, a policy: its class says enough.
                Json::Object(object) => Json::from(shown::short(object.get("class_name")?.as_str()?)),
                Json::Array(_) => return None,
            };
            Some((shown::short(key), value))
        });
    let hyperparameters = plain.take(FileFacts::HYPERPARAMETERS).collect();
    Some(Step { name: shown::short(name), class: class(layer)?, hyperparameters })
}

fn is_number(value: &Json) -> bool {
    value.is_number() || value.is_null()
}

fn inputs(layers: &[Json]) -> Vec<TensorSpec> {
    let is_input = |layer: &&Json| layer.get("class_name").and_then(Json::as_str) == Some("InputLayer");
    let inputs = layers.iter().filter(is_input).filter_map(|layer| {
        let config = layer.get("config")?;
        let shape = config.get("batch_shape").or_else(|| config.get("batch_input_shape"))?;
        let datatype = config.get("dtype").and_then(Json::as_str).unwrap_or("float32");
        tensor(config.get("name")?.as_str()?, datatype, shape)
    });
    inputs.take(limits::INPUTS).collect()
}

/// The input of a model whose layers name none, from the shape it was built with.
fn build_input(config: &Json) -> Option<TensorSpec> {
    tensor("input", "float32", config.get("build_config")?.get("input_shape")?)
}

fn tensor(name: &str, datatype: &str, shape: &Json) -> Option<TensorSpec> {
    let length =
        |length: &Json| if length.is_null() { Some(-1) } else { length.as_i64().filter(|n| *n >= 0) };
    let mut shape: Vec<_> = shape.as_array()?.iter().map(length).collect::<Option<_>>()?;
    // Keras takes batches of any length, whatever the length of those it was built with.
    if let Some(batch) = shape.first_mut() {
        *batch = -1;
    }
    let datatype = match datatype {
        "string" => Datatype::Bytes,
        number => numbers::datatype(number)?,
    };
    Some(TensorSpec { name: shown::short(name), datatype, shape })
}

/// Outputs whose width the last layers say. A model that names no output layers ends with its last layer.
fn outputs(model: &Map<String, Json>, layers: &[Json]) -> Vec<TensorSpec> {
    let mut names = Vec::new();
    if let Some(outputs) = model.get("output_layers") {
        named_layers(outputs, &mut names);
    } else if let Some(last) = layers.last().and_then(|layer| layer.get("config")?.get("name")?.as_str()) {
        names.push(last);
    }
    let spec = |name: &&str| {
        let layer = layers
            .iter()
            .find(|layer| layer.get("config").and_then(|c| c.get("name")?.as_str()) == Some(name))?;
        let units = layer.get("config")?.get("units")?.as_i64()?;
        let is_dense = layer.get("class_name")?.as_str()? == "Dense";
        is_dense.then(|| TensorSpec {
            name: shown::short(name),
            datatype: Datatype::Fp32,
            shape: vec![-1, units],
        })
    };
    names.iter().filter_map(spec).take(limits::INPUTS).collect()
}

/// Layers are named as `["dense", 0, 0]`, or a list of such.
fn named_layers<'j>(value: &'j Json, names: &mut Vec<&'j str>) {
    match value.as_array().map(Vec::as_slice) {
        Some([Json::String(name), ..]) => names.push(name),
        Some(items) => items.iter().take(limits::INPUTS).for_each(|item| named_layers(item, names)),
        None => {}
    }
}

/// Judges every class and function that is named anywhere below a value. The parser bounds the depth.
fn dangers(value: &Json, found: &mut Vec<Danger>) {
    match value {
        Json::Array(items) => items.iter().for_each(|item| dangers(item, found)),
        Json::Object(object) => {
            if let Some(danger) = judge(object)
                && found.len() < limits::DANGERS
                && !found.contains(&danger)
            {
                found.push(danger);
            }
            object.values().for_each(|value| dangers(value, found));
        }
        _ => {}
    }
}

fn judge(object: &Map<String, Json>) -> Option<Danger> {
    const LAMBDA: &str = "it carries compiled Python code, which runs when the model is used";
    const CUSTOM: &str = "it is not part of Keras: loading it imports that module";
    const OWN: &str = "it is not part of Keras: whoever loads it runs code that is not in this file";
    const FUNCTION: &str = "it is a function that models do not need";
    let text = |key: &str| object.get(key).and_then(Json::as_str);
    let class = text("class_name")?;
    let module = text("module").unwrap_or_default();
    // Of a class from the script that was run, Keras writes no module, only the name it goes by.
    let registered = text("registered_name").or(Some(class).filter(|class| class.contains('>')));
    let name = match class {
        "function" => text("config").or(registered).unwrap_or(class),
        _ if module.is_empty() => registered.unwrap_or(class),
        _ => class,
    };
    let is_plain = |module: &str| {
        PLAIN.iter().any(|plain| {
            module == *plain || module.strip_prefix(plain).is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let (level, reason) = if matches!(class, "Lambda" | "__lambda__") {
        (DangerLevel::Dangerous, LAMBDA)
    } else if let Some((DangerLevel::Dangerous, reason)) = pickle::judge_name(module, name) {
        (DangerLevel::Dangerous, reason)
    } else if !module.is_empty() && module != "builtins" && module != "keras" && !module.starts_with("keras.")
    {
        (DangerLevel::Unknown, CUSTOM)
    } else if let (true, Some(_)) = (module.is_empty(), registered) {
        (DangerLevel::Unknown, OWN)
    } else if class == "function" && !is_plain(module) {
        (DangerLevel::Unknown, FUNCTION)
    } else {
        return None;
    };
    let what = if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") };
    let place = text("name").or_else(|| object.get("config")?.get("name")?.as_str());
    let place = place
        .map_or_else(|| "config.json".to_owned(), |name| format!("`{}` in config.json", shown::short(name)));
    Some(Danger { level, what: shown::short(&what), place, reason: reason.to_owned() })
}

/// Modules whose functions networks are made of.
const PLAIN: &[&str] = &[
    "builtins",
    "keras.activations",
    "keras.initializers",
    "keras.losses",
    "keras.metrics",
    "keras.ops",
    "keras.regularizers",
    "keras.src.activations",
    "keras.src.initializers",
    "keras.src.losses",
    "keras.src.metrics",
    "keras.src.ops",
    "keras.src.regularizers",
];
