//! Folders that `save_pretrained` of `transformers` filled: which task the model is for, and what that takes and gives.
//!
//! Knows `config.json` and the names of files. Invariant: a folder is taken only for a task whose head its weights
//! have, because the library would make up the numbers of any other.

use serde_json::{Map, Value as Json};
use spec::facts::{Library, Standard};
use spec::schema::{Feature, InputView, OutputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use super::{CONFIG, Fit, Folder, OWN_HANDLER, TORCH};
use crate::{limits, shown};

/// The library where the configuration names none that can be had; it reads what older ones wrote.
const LIBRARY: &str = "4.57.6";
/// The first version that is taken as it is named: those before have no wheels for the Python that is taken.
const OLDEST: (u32, u32) = (4, 40);
const WEIGHTS: [&str; 2] = ["model.safetensors", "model.safetensors.index.json"];
const TOKENIZERS: [&str; 2] = ["tokenizer.json", "tokenizer_config.json"];

/// A task, and how the names of classes with its head end.
struct Task {
    name: &'static str,
    endings: &'static [&'static str],
}

const CLASSIFICATION: &str = "text-classification";
const FEATURES: &str = "feature-extraction";
/// Tasks that take one text. A bare `Model` comes last, because others end so, too.
const TASKS: [Task; 5] = [
    Task { name: CLASSIFICATION, endings: &["ForSequenceClassification"] },
    Task { name: "token-classification", endings: &["ForTokenClassification"] },
    Task { name: "fill-mask", endings: &["ForMaskedLM"] },
    Task { name: "text-generation", endings: &["ForCausalLM", "LMHeadModel"] },
    Task { name: FEATURES, endings: &["Model"] },
];

/// The handler for a folder; none where it is not the library's, an error where it is and cannot be served.
pub(super) fn fit(folder: &Folder<'_>) -> Option<Result<Fit, String>> {
    let config: Map<String, Json> = serde_json::from_slice(folder.config?).ok()?;
    if config.contains_key("architecture") && config.contains_key("pretrained_cfg") {
        return Some(Err(format!(
            "it is a model of `timm`, which has no handler of its own here; {OWN_HANDLER}"
        )));
    }
    let is_known = config.contains_key("model_type") || config.contains_key("architectures");
    is_known.then(|| fit_known(folder, &config))
}

fn fit_known(folder: &Folder<'_>, config: &Map<String, Json>) -> Result<Fit, String> {
    check_files(folder, config)?;
    let (task, assumed) = task(folder, config)?;
    let (library, instead) = version(config);
    let assumed = std::iter::once(assumed).chain(instead).collect();
    let standard =
        Standard { library: Library::Transformers, file: None, task: Some(task.to_owned()), assumed };
    let requirements = vec![format!("transformers=={library}"), TORCH.to_owned()];
    Ok(Fit { standard, schema: Some(schema(task, config)), requirements })
}

/// Whether all is there that answering takes.
fn check_files(folder: &Folder<'_>, config: &Map<String, Json>) -> Result<(), String> {
    let has_one = |names: &[&str]| names.iter().any(|name| folder.has(name));
    if folder.has("modules.json") {
        return Err(format!(
            "it is a model of `sentence-transformers`, which has no handler of its own here; {OWN_HANDLER}"
        ));
    }
    if config.contains_key("auto_map") {
        return Err(format!(
            "`{CONFIG}` names code of the model's own (`auto_map`), which is not run unasked; {OWN_HANDLER}"
        ));
    }
    if !has_one(&WEIGHTS) {
        let pickled =
            folder.paths.iter().find(|path| path.starts_with("pytorch_model") && path.ends_with(".bin"));
        return Err(match pickled {
            Some(path) => format!(
                "its weights are a pickle, `{path}`; save them again with a `transformers` that writes `{}`",
                WEIGHTS[0]
            ),
            None => format!("it has a `{CONFIG}` and no weights beside it; add `{}`", WEIGHTS[0]),
        });
    }
    if !has_one(&TOKENIZERS) {
        return Err(format!(
            "it has weights and no tokenizer; add `{}`, or, if it takes no text, {}",
            TOKENIZERS[0], &OWN_HANDLER
        ));
    }
    Ok(())
}

/// The task, and a sentence on who said so.
fn task(folder: &Folder<'_>, config: &Map<String, Json>) -> Result<(&'static str, String), String> {
    let known = || TASKS.map(|task| format!("`{}`", task.name)).join(", ");
    let classes: Vec<String> = strings(config.get("architectures"));
    let of_class = classes.iter().find_map(|class| {
        let fits = |task: &&Task| task.endings.iter().any(|ending| class.ends_with(ending));
        TASKS.iter().find(fits).map(|task| (class, task.name))
    });
    let Some((class, of_class)) = of_class else {
        let named = classes.first().map_or("no class".to_owned(), |class| format!("`{class}`"));
        return Err(format!(
            "`{CONFIG}` names {named}, which is for no task that is served by itself ({}); {OWN_HANDLER}",
            known()
        ));
    };
    match folder.task {
        Some(stated) if stated == of_class => {
            Ok((of_class, format!("it is asked for `{of_class}`, the task that its owner names")))
        }
        Some(stated) if TASKS.iter().any(|task| task.name == stated) => Err(format!(
            "its owner names the task `{stated}`, and `{CONFIG}` the class `{class}`, which is for `{of_class}`; correct one of them"
        )),
        Some(stated) => {
            Err(format!("its task `{stated}` is not served by itself ({} are); {OWN_HANDLER}", known()))
        }
        None => Ok((
            of_class,
            format!("it is asked for `{of_class}`, for which `{CONFIG}` names the class `{class}`"),
        )),
    }
}

/// The version to take, and a sentence where it is not the one that is named.
fn version(config: &Map<String, Json>) -> (String, Option<String>) {
    let named = config.get("transformers_version").and_then(Json::as_str).unwrap_or_default();
    let mut numbers = named.split('.').map(str::parse::<u32>);
    let first = match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => Some((major, minor)),
        _ => None,
    };
    if is_release(named) && first.is_some_and(|first| first >= OLDEST) {
        return (named.to_owned(), None);
    }
    let instead = match named {
        "" => format!("`{CONFIG}` names no version of `transformers`; {LIBRARY} is taken"),
        named => {
            format!("`{CONFIG}` names `transformers` {}; {LIBRARY} is taken to read it", shown::short(named))
        }
    };
    (LIBRARY.to_owned(), Some(instead))
}

/// Whether an index may have a version of this name: two or three numbers.
pub(super) fn is_release(version: &str) -> bool {
    let numbers: Vec<&str> = version.split('.').collect();
    let is_number = |text: &&str| (1..=4).contains(&text.len()) && text.bytes().all(|c| c.is_ascii_digit());
    (2..=3).contains(&numbers.len()) && numbers.iter().all(is_number)
}

fn schema(task: &str, config: &Map<String, Json>) -> Schema {
    let text = |name: &str| TensorSpec { name: name.to_owned(), datatype: Datatype::Bytes, shape: vec![-1] };
    let feature = Feature {
        name: "text".to_owned(),
        datatype: Datatype::Bytes,
        minimum: None,
        maximum: None,
        categories: Vec::new(),
        description: String::new(),
    };
    let input = InputView::Table { features: vec![feature] };
    let (outputs, output) = match task {
        CLASSIFICATION => {
            let classes = labels(config);
            let width = i64::try_from(classes.len()).unwrap_or(-1);
            let (name, datatype) = ("probabilities".to_owned(), Datatype::Fp64);
            let scores = TensorSpec { name: name.clone(), datatype, shape: vec![-1, width] };
            let (label, probabilities) = ("label".to_owned(), Some(name));
            let view = OutputView::Label { label, probabilities, classes, labels: Vec::new() };
            (vec![text("label"), scores], view)
        }
        FEATURES => {
            let (name, datatype) = ("output".to_owned(), Datatype::Fp32);
            (vec![TensorSpec { name, datatype, shape: vec![-1, -1, -1] }], OutputView::Tensors)
        }
        _ => (vec![text("output")], OutputView::Tensors),
    };
    Schema { inputs: vec![text("text")], outputs, input, output }
}

/// The labels in the order of the network's outputs; two where nobody says how many.
fn labels(config: &Map<String, Json>) -> Vec<String> {
    let named = config.get("id2label").and_then(Json::as_object).filter(|named| !named.is_empty());
    let Some(named) = named else {
        let n = config.get("num_labels").and_then(Json::as_u64).unwrap_or(2);
        let n = usize::try_from(n).unwrap_or(limits::CLASSES).min(limits::CLASSES);
        return (0..n).map(|place| format!("LABEL_{place}")).collect();
    };
    let numbered =
        named.iter().filter_map(|(place, label)| Some((place.parse::<u64>().ok()?, label.as_str()?)));
    let mut numbered: Vec<_> = numbered.collect();
    numbered.sort_unstable();
    numbered.into_iter().take(limits::CLASSES).map(|(_, label)| shown::short(label)).collect()
}

fn strings(value: Option<&Json>) -> Vec<String> {
    let items = value.and_then(Json::as_array).map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Json::as_str).take(limits::CLASSES).map(shown::short).collect()
}
