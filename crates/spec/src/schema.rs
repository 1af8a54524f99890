//! The schema: named, typed inputs and outputs of a model.
//!
//! Every form, API document and check of a request is derived from it. Two layers: the *tensors* that the
//! model takes and gives, always there, and the *view* that people have of them (a row of a table, an image),
//! where it is known. Invariant: a view describes tensors of the same schema.

pub mod parts;

use serde::{Deserialize, Serialize};

use self::parts::{InputPart, OutputPart};
use crate::tensor::{Datatype, TensorSpec};

/// What a model takes and gives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub struct Schema {
    pub inputs: Vec<TensorSpec>,
    pub outputs: Vec<TensorSpec>,
    pub input: InputView,
    pub output: OutputView,
}

/// How people see what goes in.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum InputView {
    /// One row of a table. The features fill the columns of the single input tensor `[rows, features]` in
    /// order, or, where the model has one input for each feature, the input of the same name `[rows, 1]`.
    Table { features: Vec<Feature> },
    /// One picture a row, in the single input tensor.
    Image(Image),
    /// A form of parts, each an input of its own: texts, files, series, objects and single values.
    Parts { parts: Vec<InputPart> },
    /// Tensors and nothing more is known.
    #[default]
    Tensors,
}

/// One column of a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Feature {
    pub name: String,
    pub datatype: Datatype,
    /// Smallest value in the example data; a hint for forms, not a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<f64>,
    /// Largest value in the example data; a hint for forms, not a rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<f64>,
    /// The only values a text feature may take; empty where any will do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
}

/// A picture as the model wants it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Image {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// 1 for grayscale, 3 for RGB.
    pub channels: u32,
    /// The value of a black pixel.
    pub black: f64,
    /// The value of a white pixel. Smaller than `black` where ink is high, as in scanned digits.
    pub white: f64,
    /// Where the channels stand in the tensor.
    pub layout: Layout,
}

impl Image {
    /// How many values it has; none where they cannot be counted.
    pub fn n_values(&self) -> Option<usize> {
        let n_pixels = (self.width as usize).checked_mul(self.height as usize)?;
        n_pixels.checked_mul(self.channels as usize)
    }
}

/// The order of an image's dimensions in its tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// `[rows, height * width * channels]`
    Flat,
    /// `[rows, height, width, channels]`; `[rows, height, width]` for one channel.
    Nhwc,
    /// `[rows, channels, height, width]`
    Nchw,
}

/// How people see what comes out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum OutputView {
    /// One class a row.
    Label {
        /// Output tensor that holds the class: an index, the class's own value, or its text.
        label: String,
        /// Output tensor that holds a probability for each class, `[rows, classes]`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        probabilities: Option<String>,
        /// What the model itself calls its classes, as text, in the order of the probabilities.
        classes: Vec<String>,
        /// What people call them, in the same order; empty where that is the same.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        labels: Vec<String>,
    },
    /// One number a row.
    Number {
        /// Output tensor that holds it.
        output: String,
        /// What the number is, for people, such as `price in USD`.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        title: String,
    },
    /// One or more parts, each an output of its own: texts, files, tables, boxes and more.
    Parts { parts: Vec<OutputPart> },
    /// Tensors and nothing more is known.
    #[default]
    Tensors,
}

impl Schema {
    /// The input of this name.
    pub fn input_named(&self, name: &str) -> Option<&TensorSpec> {
        self.inputs.iter().find(|input| input.name == name)
    }

    /// The output of this name.
    pub fn output_named(&self, name: &str) -> Option<&TensorSpec> {
        self.outputs.iter().find(|output| output.name == name)
    }

    /// Why this view does not describe these tensors, in words for the model's owner; empty where it does.
    pub fn inconsistencies(&self) -> Vec<String> {
        let mut found = Vec::new();
        match &self.input {
            InputView::Table { features } => self.check_table(features, &mut found),
            InputView::Image(image) => self.check_image(image, &mut found),
            InputView::Parts { .. } | InputView::Tensors => {}
        }
        self.check_parts(&mut found);
        let named = match &self.output {
            OutputView::Label { label, probabilities, .. } => {
                std::iter::once(label).chain(probabilities.as_ref()).cloned().collect()
            }
            OutputView::Number { output, .. } => vec![output.clone()],
            OutputView::Parts { .. } | OutputView::Tensors => Vec::new(),
        };
        for name in named.iter().filter(|name| self.output_named(name).is_none()) {
            found.push(format!("the output `{name}` of the view is not an output of the model"));
        }
        found
    }

    fn check_table(&self, features: &[Feature], found: &mut Vec<String>) {
        let n = features.len();
        match self.inputs.as_slice() {
            [input] if input.row_elements().is_none_or(|width| width == n) => {}
            [input] => {
                let width = input.row_elements().unwrap_or_default();
                found
                    .push(format!("the table has {n} features and the input `{}` takes {width}", input.name));
            }
            _ => {
                for feature in features.iter().filter(|f| self.input_named(&f.name).is_none()) {
                    found.push(format!("the feature `{}` is not an input of the model", feature.name));
                }
            }
        }
    }

    fn check_image(&self, image: &Image, found: &mut Vec<String>) {
        let [input] = self.inputs.as_slice() else {
            found.push(format!("an image needs one input; the model has {}", self.inputs.len()));
            return;
        };
        let n = image.n_values();
        if n.is_none() || input.row_elements().is_some_and(|width| Some(width) != n) {
            found.push(format!(
                "an image of {}x{}x{} has not as many values as the input `{}` takes",
                image.width, image.height, image.channels, input.name
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(n_features: usize) -> Schema {
        let feature = |i| Feature {
            name: format!("f{i}"),
            datatype: Datatype::Fp32,
            minimum: None,
            maximum: None,
            categories: Vec::new(),
            description: String::new(),
        };
        Schema {
            inputs: vec![TensorSpec { name: "X".into(), datatype: Datatype::Fp32, shape: vec![-1, 4] }],
            outputs: vec![TensorSpec { name: "label".into(), datatype: Datatype::Int64, shape: vec![-1] }],
            input: InputView::Table { features: (0..n_features).map(feature).collect() },
            output: OutputView::Number { output: "label".into(), title: String::new() },
        }
    }

    #[test]
    fn a_view_must_describe_its_tensors() {
        assert!(schema(4).inconsistencies().is_empty());
        assert_eq!(schema(3).inconsistencies(), ["the table has 3 features and the input `X` takes 4"]);
    }

    #[test]
    fn what_cannot_be_counted_fits_nothing() {
        let image = |side| Image {
            width: side,
            height: side,
            channels: side,
            black: 0.0,
            white: 1.0,
            layout: Layout::Flat,
        };
        assert_eq!((image(3).n_values(), image(u32::MAX).n_values()), (Some(27), None));
        let odd = Schema { input: InputView::Image(image(u32::MAX)), ..schema(4) };
        assert_eq!(odd.inconsistencies().len(), 1);
        let wide = TensorSpec { name: "X".into(), datatype: Datatype::Fp32, shape: vec![-1, i64::MAX, 4] };
        assert_eq!((wide.row_elements(), wide.one_row()), (None, None));
    }

    #[test]
    fn a_schema_reads_back_as_written() {
        let text = serde_json::to_string(&schema(4)).unwrap();
        assert_eq!(serde_json::from_str::<Schema>(&text).unwrap(), schema(4));
    }
}
