//! Facts and schemas in words: what a model takes and gives, what its files say, what is dangerous in them.
//!
//! Pure. Invariant: whatever a file says of itself is shown as its own words, never as ours.

use serde_json::Value;
use spec::facts::{DangerLevel, Facts, FileFacts, TensorFacts};
use spec::manifest;
use spec::schema::parts::InputPart;
use spec::schema::{Feature, InputView, OutputView, Schema};
use spec::tensor::TensorSpec;

use super::encode;
use crate::doors::pages::place::encode_path;
use crate::doors::pages::views::repository::{
    Conversion, DangerLine, Dangers, FileFactsBox, InputLine, OutputLine, StandardBox, StepLine, TensorLine,
};
use crate::text;

/// Tensors of one file that a page lists.
const TENSORS: usize = 200;
/// Categories that are listed by name.
const CATEGORIES: usize = 12;
/// Characters of a value that are shown.
const VALUE_CHARACTERS: usize = 300;

/// What could harm whoever loads the files, worst first.
pub fn dangers(facts: &Facts) -> Dangers {
    let of_level = |level: DangerLevel| {
        facts.dangers().filter(move |(_, danger)| danger.level == level).map(|(path, danger)| DangerLine {
            what: danger.what.clone(),
            place: danger.place.clone(),
            reason: danger.reason.clone(),
            file: path.to_owned(),
        })
    };
    Dangers {
        dangerous: of_level(DangerLevel::Dangerous).collect(),
        unknown: of_level(DangerLevel::Unknown).collect(),
    }
}

/// The few facts beside a card.
pub fn in_short(facts: &Facts) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut say = |name: &str, value: String| pairs.push((name.to_owned(), value));
    let model = facts.model.as_deref().and_then(|path| facts.file(path)).or_else(|| facts.files.first());
    let original = facts.original.as_deref().and_then(|path| facts.file(path)).or(model);
    // What a dangerous pickle would call is no class of a model.
    let harmless = original.filter(|file| file.dangers.is_empty());
    if let Some(class) = harmless.and_then(|file| file.class.as_deref()) {
        say("Class", class.rsplit('.').next().unwrap_or(class).to_owned());
    }
    if let Some(file) = model {
        say("Format", file.format.title().to_owned());
        if let Some(n) = file.n_parameters {
            say("Learned numbers", text::count(n));
        }
    }
    if let Some(schema) = &facts.schema {
        say("Takes", inputs(schema).0);
        if let OutputView::Label { classes, .. } = &schema.output {
            say("Answers", format!("one of {} classes", classes.len()));
        }
    }
    pairs
}

/// How the served file came to be, and whether it agrees with the original.
pub(super) fn conversion(facts: &Facts) -> Option<Conversion> {
    let manifest::Conversion { from, tool, rows, equal_labels, largest_difference, tolerance } =
        facts.conversion.as_ref()?;
    let labels = match equal_labels {
        Some(n) if n == rows => "all labels were equal, and probabilities".to_owned(),
        Some(n) => format!("{n} of {rows} labels were equal, and probabilities"),
        None => "the answers".to_owned(),
    };
    let sentence = format!(
        "`{tool}` made the served file from `{from}`. On {rows} example rows {labels} differed by at most \
         {largest_difference:.1e} ({tolerance:.0e} is allowed), as whoever pushed it measured."
    );
    let is_proved = *largest_difference <= *tolerance && equal_labels.is_none_or(|n| n == *rows);
    Some(Conversion { is_proved, sentence })
}

/// The server's own handler, where the files are served by one.
pub(super) fn standard(facts: &Facts) -> Option<StandardBox> {
    let standard = facts.python.as_ref()?.standard.as_ref()?;
    Some(StandardBox { library: standard.library.title(), assumed: standard.assumed.clone() })
}

/// What goes in: as a phrase, and line by line.
pub(super) fn inputs(schema: &Schema) -> (String, Vec<InputLine>) {
    match &schema.input {
        InputView::Table { features } => {
            let n = features.len();
            let title = format!("a row of {n} {}", if n == 1 { "value" } else { "values" });
            (title, features.iter().map(feature).collect())
        }
        InputView::Image(image) => {
            let colors = if image.channels == 1 { "gray" } else { "colour" };
            let title = format!("a picture, {} × {} in {colors}", image.width, image.height);
            (title, schema.inputs.iter().map(tensor_input).collect())
        }
        InputView::Parts { parts } => {
            let kinds: Vec<&str> = parts.iter().map(|part| part.kind.as_str()).collect();
            (kinds.join(", "), parts.iter().map(|part| input_part(schema, part)).collect())
        }
        InputView::Tensors => {
            let n = schema.inputs.len();
            let title = format!("{n} {}", if n == 1 { "tensor" } else { "tensors" });
            (title, schema.inputs.iter().map(tensor_input).collect())
        }
    }
}

fn input_part(schema: &Schema, part: &InputPart) -> InputLine {
    let datatype = schema.input_named(&part.name).map(|input| input.datatype.to_string());
    InputLine {
        name: part.name.clone(),
        datatype: datatype.unwrap_or_default(),
        domain: match part.media_types.as_slice() {
            [] => part.kind.as_str().to_owned(),
            types => types.join(", "),
        },
        description: part.description.clone(),
    }
}

fn feature(feature: &Feature) -> InputLine {
    InputLine {
        name: feature.name.clone(),
        datatype: feature.datatype.to_string(),
        domain: domain(feature),
        description: feature.description.clone(),
    }
}

/// The values that a feature takes, in words; empty where nothing is known.
pub fn domain(feature: &Feature) -> String {
    if !feature.categories.is_empty() {
        let some =
            feature.categories.iter().take(CATEGORIES).map(String::as_str).collect::<Vec<_>>().join(", ");
        let n_more = feature.categories.len().saturating_sub(CATEGORIES);
        return if n_more == 0 {
            format!("one of {some}")
        } else {
            format!("one of {some} and {n_more} more")
        };
    }
    match (feature.minimum, feature.maximum) {
        (Some(low), Some(high)) => format!("{} to {} in the examples", number(low), number(high)),
        _ => String::new(),
    }
}

/// At most five digits that count, as people write them.
pub fn number(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor();
    if !(-4.0..7.0).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let decimals = (4.0 - magnitude).clamp(0.0, 8.0) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

fn tensor_input(input: &TensorSpec) -> InputLine {
    InputLine {
        name: input.name.clone(),
        datatype: input.datatype.to_string(),
        domain: format!("shape {}", shape(input.shape.iter().copied())),
        description: String::new(),
    }
}

/// What comes out, line by line.
pub(super) fn outputs(schema: &Schema) -> Vec<OutputLine> {
    schema.outputs.iter().map(|output| describe_output(&schema.output, output)).collect()
}

fn describe_output(view: &OutputView, output: &TensorSpec) -> OutputLine {
    let shape = shape(output.shape.iter().copied());
    let mut line = OutputLine {
        name: output.name.clone(),
        meaning: format!("{}, shape {shape}", output.datatype),
        labels: Vec::new(),
    };
    match view {
        OutputView::Label { label, classes, labels, .. } if *label == output.name => {
            let named = if labels.is_empty() { classes } else { labels };
            line.meaning = format!("the class, one of {}", classes.len());
            line.labels = named.iter().take(100).cloned().collect();
        }
        OutputView::Label { probabilities: Some(name), .. } if *name == output.name => {
            "the probability of each class".clone_into(&mut line.meaning);
        }
        OutputView::Number { output: name, title } if *name == output.name => {
            line.meaning = if title.is_empty() { "the predicted number".to_owned() } else { title.clone() };
        }
        OutputView::Parts { parts } => {
            if let Some(part) = parts.iter().find(|part| part.name == output.name) {
                let title = if part.title.is_empty() { part.kind.as_str() } else { &part.title };
                title.clone_into(&mut line.meaning);
            }
        }
        _ => {}
    }
    line
}

/// What each model file says.
pub(super) fn files(facts: &Facts, path: &str) -> Vec<FileFactsBox> {
    facts.files.iter().map(|file| describe_file(facts, file, path)).collect()
}

fn describe_file(facts: &Facts, file: &FileFacts, path: &str) -> FileFactsBox {
    let mut pairs = Vec::new();
    let mut say = |name: &str, value: String| pairs.push((name.to_owned(), value));
    if facts.model.as_deref() == Some(file.path.as_str()) {
        say("Role", "what the endpoint serves".to_owned());
    } else if facts.original.as_deref() == Some(file.path.as_str()) && facts.is_servable() {
        let role = match facts.python {
            Some(_) => "what the handler answers with",
            None => "the original that was converted",
        };
        say("Role", role.to_owned());
    }
    if let Some(framework) = &file.framework {
        say("Made by", framework.clone());
    }
    if let Some(n) = file.n_parameters {
        say("Learned numbers", text::count(n));
    }
    for (package, version) in &file.versions {
        say(package, version.clone());
    }
    let shown = |value: &Value| cut(&value.to_string());
    FileFactsBox {
        path: file.path.clone(),
        href: format!("{path}/blob/{}/{}", encode("main"), encode_path(&file.path)),
        format: file.format.title().to_owned(),
        class: file.class.clone(),
        pairs,
        hyperparameters: file
            .hyperparameters
            .iter()
            .map(|(name, value)| (name.clone(), shown(value)))
            .collect(),
        steps: (file.steps.iter())
            .map(|step| StepLine {
                name: step.name.clone(),
                class: step.class.clone(),
                hyperparameters: (step.hyperparameters.iter())
                    .map(|(name, value)| format!("{name} = {}", shown(value)))
                    .collect::<Vec<_>>()
                    .join(", "),
            })
            .collect(),
        operators: file.operators.iter().map(|(name, n)| (name.clone(), text::count(*n))).collect(),
        tensors: file.tensors.iter().take(TENSORS).map(tensor).collect(),
        n_more_tensors: file.tensors.len().saturating_sub(TENSORS),
        metadata: file.metadata.iter().map(|(key, value)| (key.clone(), cut(value))).collect(),
        error: file.error.clone(),
    }
}

fn tensor(tensor: &TensorFacts) -> TensorLine {
    TensorLine {
        name: tensor.name.clone(),
        datatype: tensor.datatype.map_or_else(|| "other".to_owned(), |datatype| datatype.to_string()),
        shape: shape(tensor.shape.iter().map(|n| i64::try_from(*n).unwrap_or(i64::MAX))),
    }
}

fn shape(lengths: impl Iterator<Item = i64>) -> String {
    let lengths: Vec<String> =
        lengths.map(|n| if n < 0 { "any".to_owned() } else { n.to_string() }).collect();
    format!("[{}]", lengths.join(", "))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARACTERS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_what_counts() {
        let shown = [6.981, 28.11, 0.0, 16.0, 1234.5678, 0.000_123_4, 1e-9, 12_345_678.0, -2.5].map(number);
        assert_eq!(
            shown,
            ["6.981", "28.11", "0", "16", "1234.6", "0.0001234", "1.000e-9", "1.235e7", "-2.5"]
        );
    }

    #[test]
    fn a_conversion_is_called_checked_only_when_it_agrees() {
        let of = |equal, difference| {
            let conversion = manifest::Conversion {
                from: "A".into(),
                tool: "t 1".into(),
                rows: 5,
                equal_labels: Some(equal),
                largest_difference: difference,
                tolerance: 1e-5,
            };
            super::conversion(&Facts { conversion: Some(conversion), ..Facts::default() }).unwrap()
        };
        assert!(of(5, 1e-7).is_proved && !of(4, 1e-7).is_proved && !of(5, 1e-3).is_proved);
        assert!(of(4, 1e-7).sentence.contains("4 of 5 labels were equal"));
    }
}
