//! What a model's files say of it, as whoever holds an anonymous link reads it: schema, examples and dangers.
//!
//! Pure. Names, categories and classes stay as they are: a model is asked with them and answers with them. Invariant:
//! whatever of these texts [`find`] tells to be hidden is hidden here.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use spec::api::Trace;
use spec::facts::Facts;
use spec::manifest::Examples;
use spec::schema::{InputView, OutputView, Schema};

use super::guard::Guest;
use super::traces;
use crate::anonymity::Identity;
use crate::predict::scalar::BASE64_KEY;

/// Traces that are told of a schema, and of examples.
const TRACES: usize = 50;

impl Guest {
    /// A schema as they may read it.
    pub fn schema<'s>(&self, schema: &'s Schema) -> Cow<'s, Schema> {
        let Some(identity) = &self.identity else { return Cow::Borrowed(schema) };
        let mut veiled = schema.clone();
        texts(&mut veiled).into_iter().for_each(|(_, text)| *text = identity.hide(text).into_owned());
        Cow::Owned(veiled)
    }

    /// Facts as they may read them. What a file would do to whoever loads it names paths and modules of its author's.
    pub fn facts(&self, mut facts: Facts) -> Facts {
        if self.identity.is_none() {
            return facts;
        }
        facts.files.iter_mut().for_each(|file| file.dangers.clear());
        facts.schema = facts.schema.map(|schema| self.schema(&schema).into_owned());
        facts
    }

    /// Examples as they may read them. One with a file that tells is left out.
    pub fn examples(&self, mut examples: Examples) -> Examples {
        let Some(identity) = &self.identity else { return examples };
        let tells: Vec<bool> =
            examples.rows.iter().map(|row| row.iter().any(|value| file_tells(identity, value))).collect();
        let mut at_row = tells.iter().copied();
        examples.rows.retain(|_| !at_row.next().unwrap_or_default());
        let mut at_answer = tells.iter().copied();
        examples.expected.retain(|_| !at_answer.next().unwrap_or_default());
        let values = examples.rows.iter_mut().flatten().chain(&mut examples.expected);
        values.for_each(|value| hide(identity, value));
        examples
    }
}

/// Where a schema and examples tell whose they are.
pub(super) fn find(identity: &Identity, schema: &Schema, examples: &Examples) -> Vec<Trace> {
    let word = |text: &str| identity.find(text.as_bytes(), 1).pop().map(|found| found.word);
    let mut veiled = schema.clone();
    let of_texts = texts(&mut veiled)
        .into_iter()
        .filter_map(|(place, text)| Some(Trace { word: word(text)?, place, hidden: true, shown: false }));
    let of_names = names(schema)
        .into_iter()
        .filter_map(|(place, name)| Some(Trace { word: word(name)?, place, hidden: false, shown: true }));
    let mut found: Vec<Trace> = of_texts.chain(of_names).take(TRACES).collect();
    let mut of_examples = Vec::new();
    for (i, row) in examples.rows.iter().enumerate() {
        let place = format!("example {}", i + 1);
        let mut said = Vec::new();
        row.iter().chain(examples.expected.get(i)).for_each(|value| collect(value, &mut said));
        let told = said.into_iter().find_map(word);
        of_examples.extend(told.map(|word| Trace { word, place: place.clone(), hidden: true, shown: false }));
        if row.iter().any(|value| file_tells(identity, value)) {
            let place = format!("a file in {place}");
            of_examples.push(Trace { word: String::new(), place, hidden: false, shown: false });
        }
        if of_examples.len() >= TRACES {
            break;
        }
    }
    found.extend(of_examples);
    found
}

/// The texts of a schema that are for people alone, each with where it stands.
fn texts(schema: &mut Schema) -> Vec<(String, &mut String)> {
    let of_input = |name: &str| format!("the description of the input `{name}`");
    let mut found: Vec<(String, &mut String)> = match &mut schema.input {
        InputView::Table { features } => {
            features.iter_mut().map(|one| (of_input(&one.name), &mut one.description)).collect()
        }
        InputView::Parts { parts } => {
            parts.iter_mut().map(|one| (of_input(&one.name), &mut one.description)).collect()
        }
        InputView::Image(_) | InputView::Tensors => Vec::new(),
    };
    let of_output = |name: &str| format!("the title of the output `{name}`");
    match &mut schema.output {
        OutputView::Number { output, title } => found.push((of_output(output), title)),
        OutputView::Parts { parts } => {
            found.extend(parts.iter_mut().map(|one| (of_output(&one.name), &mut one.title)));
        }
        OutputView::Label { .. } | OutputView::Tensors => {}
    }
    found
}

/// The words of a schema that a model takes and gives.
fn names(schema: &Schema) -> Vec<(String, &str)> {
    let mut found = Vec::new();
    for (what, specs) in [("input", &schema.inputs), ("output", &schema.outputs)] {
        found.extend(specs.iter().map(|spec| (format!("the name of an {what}"), spec.name.as_str())));
    }
    match &schema.input {
        InputView::Table { features } => {
            for feature in features {
                found.push(("the name of an input".to_owned(), feature.name.as_str()));
                let place = format!("a value of the input `{}`", feature.name);
                found.extend(feature.categories.iter().map(|value| (place.clone(), value.as_str())));
            }
        }
        InputView::Parts { parts } => {
            for part in parts {
                let place = format!("a value of the input `{}`", part.name);
                found.extend(part.categories.iter().map(|value| (place.clone(), value.as_str())));
            }
        }
        InputView::Image(_) | InputView::Tensors => {}
    }
    if let OutputView::Label { classes, labels, .. } = &schema.output {
        let all = classes.iter().chain(labels);
        found.extend(all.map(|class| ("the name of a class".to_owned(), class.as_str())));
    }
    found
}

/// Every text of a value, but for files.
fn collect<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Object(fields) if fields.contains_key(BASE64_KEY) => {}
        Value::Object(fields) => {
            for (name, value) in fields {
                found.push(name);
                collect(value, found);
            }
        }
        _ => {}
    }
}

/// Takes the words out of all that [`collect`] finds.
fn hide(identity: &Identity, value: &mut Value) {
    match value {
        Value::String(text) => *text = identity.hide(text).into_owned(),
        Value::Array(values) => values.iter_mut().for_each(|value| hide(identity, value)),
        Value::Object(fields) if fields.contains_key(BASE64_KEY) => {}
        Value::Object(fields) => {
            let taken = std::mem::take(fields);
            fields.extend(taken.into_iter().map(|(name, mut value)| {
                hide(identity, &mut value);
                (identity.hide(&name).into_owned(), value)
            }));
        }
        _ => {}
    }
}

/// Whether a value is a file in which a word stands, or could stand unseen.
fn file_tells(identity: &Identity, value: &Value) -> bool {
    let text = value.get(BASE64_KEY).and_then(Value::as_str);
    let bytes = text.and_then(|text| STANDARD.decode(text).ok());
    bytes.is_some_and(|bytes| traces::is_packed(&bytes) || !identity.find(&bytes, 1).is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use spec::schema::parts::{InputKind, InputPart, OutputKind, OutputPart};

    use super::*;

    fn identity() -> Identity {
        Identity::new(["Alice".to_owned()]).unwrap()
    }

    fn schema() -> Schema {
        let mut part = InputPart::new("alice_score", InputKind::Text);
        part.description = "as Alice wrote it".to_owned();
        let mut out = OutputPart::new("answer", OutputKind::Text);
        out.title = "What Alice would say".to_owned();
        let mut schema = Schema {
            input: InputView::Parts { parts: vec![part] },
            output: OutputView::Parts { parts: vec![out] },
            ..Schema::default()
        };
        schema.complete_from_parts();
        schema
    }

    #[test]
    fn texts_are_hidden_and_names_are_told_to_be_shown() {
        let found = find(&identity(), &schema(), &Examples::default());
        let told: Vec<_> = found.iter().map(|one| (one.place.as_str(), one.hidden, one.shown)).collect();
        assert_eq!(
            told,
            [
                ("the description of the input `alice_score`", true, false),
                ("the title of the output `answer`", true, false),
                ("the name of an input", false, true),
            ]
        );
    }

    #[test]
    fn an_example_with_a_file_that_tells_goes_with_its_answer() {
        let file = |bytes: &[u8]| json!({ "b64": STANDARD.encode(bytes) });
        let examples = Examples {
            rows: vec![
                vec![file(b"\x89PNG Author Alice")],
                vec![file(b"\x89PNG")],
                vec![json!({"x": ["by Alice"]})],
            ],
            expected: vec![json!("a"), json!("alice"), json!("c")],
        };
        let found = find(&identity(), &Schema::default(), &examples);
        let told: Vec<_> = found.iter().map(|one| (one.place.as_str(), one.hidden)).collect();
        assert_eq!(told, [("a file in example 1", false), ("example 2", true), ("example 3", true)]);
        let mut left = examples;
        left.rows.iter_mut().flatten().for_each(|value| hide(&identity(), value));
        assert_eq!(left.rows[2], [json!({"x": ["by [hidden]"]})]);
        assert_eq!(left.rows[1], [file(b"\x89PNG")]);
    }
}
