//! Parts: inputs and outputs that are more than numbers, such as pictures, sounds, series, tables and objects.
//!
//! Knows how each kind travels: a file as its own bytes in one BYTES element, a table and an object as text, a series
//! as numbers. Reads no file. Invariant: each part is one tensor, one element or one list of numbers a row.

use serde::{Deserialize, Serialize};

use super::{InputView, OutputView, Schema};
use crate::tensor::{Datatype, TensorSpec};

/// One input, as people give it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct InputPart {
    /// The input tensor that it fills.
    pub name: String,
    pub kind: InputKind,
    /// The only media types that a file may have, such as `image/png`; empty where any of its kind will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media_types: Vec<String>,
    /// Smallest value in the example data; a hint for forms, not a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Largest value in the example data; a hint for forms, not a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The only values a text may take; empty where any will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// How an input is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum InputKind {
    /// A number, a truth value, a short text or one of some texts.
    Value,
    /// A text of any length.
    Text,
    /// The bytes of a picture's file.
    Image,
    /// The bytes of a sound's file.
    Audio,
    /// The bytes of a film's file.
    Video,
    /// The bytes of any file.
    File,
    /// A table as CSV text, its first line the names of the columns.
    Table,
    /// Numbers in their order, `[rows, length]`.
    Series,
    /// An object as JSON text.
    Json,
}

/// One output, as people see it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OutputPart {
    /// The output tensor that holds it.
    pub name: String,
    pub kind: OutputKind,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub title: String,
}

/// How an output is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// A number, a truth value or a short text.
    Value,
    Text,
    /// A class as text, or an object of classes and their probabilities as JSON text.
    Label,
    Image,
    Audio,
    Video,
    File,
    /// JSON text of `{"columns": […], "data": [[…], …]}`.
    Table,
    /// Numbers in their order.
    Series,
    /// Rectangles over the first picture that went in: JSON text of a list of `{"label", "score", "box": {"xmin",
    /// "ymin", "xmax", "ymax"}}` in pixels, as the pipelines of `transformers` answer.
    Boxes,
    /// Regions of the first picture that went in: JSON text of a list of `{"label", "score", "mask"}`, the mask a PNG in
    /// base64 that is white where the region is.
    Masks,
    /// JSON text.
    Json,
}

impl InputKind {
    /// What a word of a type hint or a manifest means, or a media type.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match kind_word(word) {
            "text" => Self::Text,
            "image" => Self::Image,
            "audio" => Self::Audio,
            "video" => Self::Video,
            "file" => Self::File,
            "table" => Self::Table,
            "series" => Self::Series,
            "json" => Self::Json,
            _ => return None,
        })
    }

    /// Whether it travels as the bytes of a file: base64 in JSON.
    pub fn is_file(self) -> bool {
        OutputKind::from(self).is_file()
    }

    pub fn as_str(self) -> &'static str {
        OutputKind::from(self).as_str()
    }

    fn tensor(self, name: &str) -> TensorSpec {
        OutputKind::from(self).tensor(name)
    }
}

/// What goes in one way can come out the same way.
impl From<InputKind> for OutputKind {
    fn from(kind: InputKind) -> Self {
        match kind {
            InputKind::Value => Self::Value,
            InputKind::Text => Self::Text,
            InputKind::Image => Self::Image,
            InputKind::Audio => Self::Audio,
            InputKind::Video => Self::Video,
            InputKind::File => Self::File,
            InputKind::Table => Self::Table,
            InputKind::Series => Self::Series,
            InputKind::Json => Self::Json,
        }
    }
}

impl OutputKind {
    /// What a word of a type hint or a manifest means, or a media type.
    pub fn of_word(word: &str) -> Option<Self> {
        Some(match kind_word(word) {
            "label" => Self::Label,
            "boxes" => Self::Boxes,
            "masks" => Self::Masks,
            word => InputKind::of_word(word)?.into(),
        })
    }

    /// Whether it travels as the bytes of a file: base64 in JSON.
    pub fn is_file(self) -> bool {
        matches!(self, Self::Image | Self::Audio | Self::Video | Self::File)
    }

    /// Whether its text is JSON. A label may be either.
    pub fn is_json(self) -> bool {
        matches!(self, Self::Table | Self::Boxes | Self::Masks | Self::Json)
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Text => "text",
            Self::Label => "label",
            Self::Image => "image",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::File => "file",
            Self::Table => "table",
            Self::Series => "series",
            Self::Boxes => "boxes",
            Self::Masks => "masks",
            Self::Json => "json",
        }
    }

    fn tensor(self, name: &str) -> TensorSpec {
        let (datatype, shape) = match self {
            Self::Value => (Datatype::Fp64, vec![-1]),
            Self::Series => (Datatype::Fp64, vec![-1, -1]),
            _ => (Datatype::Bytes, vec![-1]),
        };
        TensorSpec { name: name.to_owned(), datatype, shape }
    }
}

/// The word for a media type, or the word itself.
fn kind_word(word: &str) -> &str {
    match word {
        "application/json" => "json",
        "text/csv" => "table",
        "text/plain" => "text",
        _ => match word.split_once('/') {
            Some((kind @ ("image" | "audio" | "video"), _)) => kind,
            Some(_) => "file",
            None => word,
        },
    }
}

impl InputPart {
    pub fn new(name: &str, kind: InputKind) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            media_types: Vec::new(),
            minimum: None,
            maximum: None,
            categories: Vec::new(),
            description: String::new(),
        }
    }
}

impl OutputPart {
    pub fn new(name: &str, kind: OutputKind) -> Self {
        Self { name: name.to_owned(), kind, title: String::new() }
    }
}

impl Schema {
    /// The part of the input of this name.
    pub fn input_part(&self, name: &str) -> Option<&InputPart> {
        match &self.input {
            InputView::Parts { parts } => parts.iter().find(|part| part.name == name),
            _ => None,
        }
    }

    /// The part of the output of this name.
    pub fn output_part(&self, name: &str) -> Option<&OutputPart> {
        match &self.output {
            OutputView::Parts { parts } => parts.iter().find(|part| part.name == name),
            _ => None,
        }
    }

    /// Names the tensors of parts where nobody named any: parts say all of them.
    pub fn complete_from_parts(&mut self) {
        if let (InputView::Parts { parts }, true) = (&self.input, self.inputs.is_empty()) {
            let tensor = |part: &InputPart| match part.categories.is_empty() {
                true => part.kind.tensor(&part.name),
                false => InputKind::Text.tensor(&part.name),
            };
            self.inputs = parts.iter().map(tensor).collect();
        }
        if let (OutputView::Parts { parts }, true) = (&self.output, self.outputs.is_empty()) {
            self.outputs = parts.iter().map(|part| part.kind.tensor(&part.name)).collect();
        }
    }

    /// Why parts do not describe these tensors.
    pub(super) fn check_parts(&self, found: &mut Vec<String>) {
        if let InputView::Parts { parts } = &self.input {
            for part in parts {
                let tensor = self.input_named(&part.name);
                let wants = part.kind.tensor(&part.name);
                check_part(("input", part.kind.as_str()), &wants, tensor, found);
            }
            for input in self.inputs.iter().filter(|input| self.input_part(&input.name).is_none()) {
                found.push(format!("the input `{}` has no part in the view", input.name));
            }
        }
        if let OutputView::Parts { parts } = &self.output {
            for part in parts {
                let wants = part.kind.tensor(&part.name);
                let tensor = self.output_named(&part.name);
                check_part(("output", part.kind.as_str()), &wants, tensor, found);
            }
        }
    }
}

fn check_part(
    (what, kind): (&str, &str),
    wants: &TensorSpec,
    tensor: Option<&TensorSpec>,
    found: &mut Vec<String>,
) {
    let name = &wants.name;
    let Some(tensor) = tensor else {
        found.push(format!("the part `{name}` is not an {what} of the model"));
        return;
    };
    let is_numbers = tensor.datatype != Datatype::Bytes;
    let fits = match kind {
        "value" => tensor.shape.len() == 1 || tensor.row_elements() == Some(1),
        "series" => is_numbers && tensor.shape.len() == 2,
        _ => !is_numbers && tensor.shape.len() == 1,
    };
    if !fits {
        found.push(format!(
            "the {what} `{name}` is {} {:?}, and its part is `{kind}`",
            tensor.datatype, tensor.shape
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Schema {
        let input = [InputKind::Image, InputKind::Series, InputKind::Value];
        let parts = input.into_iter().map(|kind| InputPart::new(kind.as_str(), kind)).collect();
        let boxes = OutputPart::new("found", OutputKind::Boxes);
        let mut schema = Schema {
            input: InputView::Parts { parts },
            output: OutputView::Parts { parts: vec![boxes] },
            ..Schema::default()
        };
        schema.complete_from_parts();
        schema
    }

    #[test]
    fn parts_alone_say_which_tensors_there_are() {
        let schema = schema();
        let shown: Vec<_> =
            schema.inputs.iter().map(|t| (t.name.as_str(), t.datatype, t.shape.len())).collect();
        let wanted =
            [("image", Datatype::Bytes, 1), ("series", Datatype::Fp64, 2), ("value", Datatype::Fp64, 1)];
        assert_eq!(shown, wanted);
        assert!(schema.inconsistencies().is_empty());
    }

    #[test]
    fn a_part_that_does_not_fit_its_tensor_is_named() {
        let mut schema = schema();
        schema.inputs[0].datatype = Datatype::Fp32;
        schema.inputs[1].name = "other".to_owned();
        let found = schema.inconsistencies().join("; ");
        for words in ["`image` is FP32 [-1]", "`series` is not an input", "`other` has no part"] {
            assert!(found.contains(words), "{found}");
        }
    }

    #[test]
    fn a_word_or_a_media_type_says_the_kind() {
        assert_eq!(InputKind::of_word("image/png"), Some(InputKind::Image));
        assert_eq!(InputKind::of_word("application/dicom"), Some(InputKind::File));
        assert_eq!(OutputKind::of_word("text/csv"), Some(OutputKind::Table));
        assert_eq!(
            (InputKind::of_word("boxes"), OutputKind::of_word("boxes")),
            (None, Some(OutputKind::Boxes))
        );
        assert_eq!(InputKind::of_word("metres"), None);
    }
}
