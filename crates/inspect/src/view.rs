//! What people see of a model whose owner said nothing: derived from the model's own file where it is certain.
//!
//! Invariant: a view derived here describes the tensors it was derived from.

use spec::facts::FileFacts;
use spec::schema::{Feature, Image, InputView, Layout, OutputView};
use spec::tensor::{Datatype, TensorSpec};

/// Most columns for which a form makes sense.
const FEATURES: usize = 200;

/// The view of a model's inputs. `names` are what its original calls its features.
pub(crate) fn input(model: &FileFacts, names: &[String]) -> InputView {
    match model.inputs.as_slice() {
        [input] => image(input).or_else(|| table(input, &[&model.feature_names, names])).unwrap_or_default(),
        inputs => columns(inputs).unwrap_or_default(),
    }
}

/// The view of a model's outputs.
pub(crate) fn output(model: &FileFacts) -> OutputView {
    label(model).or_else(|| number(model)).unwrap_or_default()
}

/// One input `[rows, features]`.
fn table(input: &TensorSpec, names: &[&[String]]) -> Option<InputView> {
    let [_, width] = input.shape.as_slice() else { return None };
    let width = usize::try_from(*width).ok().filter(|width| (1..=FEATURES).contains(width))?;
    if !input.datatype.is_float() {
        return None;
    }
    let names = names.iter().find(|names| names.len() == width);
    let name = |i: usize| names.and_then(|names| names.get(i).cloned()).unwrap_or_else(|| format!("x{i}"));
    Some(InputView::Table { features: (0..width).map(|i| feature(name(i), input.datatype)).collect() })
}

/// One input `[rows, 1]` for each feature.
fn columns(inputs: &[TensorSpec]) -> Option<InputView> {
    let is_column = |input: &TensorSpec| matches!(input.shape.as_slice(), [_, 1]);
    let are_columns = (1..=FEATURES).contains(&inputs.len()) && inputs.iter().all(is_column);
    let features = || inputs.iter().map(|input| feature(input.name.clone(), input.datatype)).collect();
    are_columns.then(|| InputView::Table { features: features() })
}

fn feature(name: String, datatype: Datatype) -> Feature {
    let (minimum, maximum, categories, description) = (None, None, Vec::new(), String::new());
    Feature { name, datatype, minimum, maximum, categories, description }
}

/// One input `[rows, channels, height, width]` of a size that is a picture's. Pixels are taken to go from 0 to 1.
fn image(input: &TensorSpec) -> Option<InputView> {
    const SMALLEST: u32 = 8;
    let [_, channels @ (1 | 3), height, width] = *input.shape.as_slice() else { return None };
    let size = |n: i64| u32::try_from(n).ok().filter(|n| *n >= SMALLEST);
    let (height, width, channels) = (size(height)?, size(width)?, u32::try_from(channels).ok()?);
    let image = Image { width, height, channels, black: 0.0, white: 1.0, layout: Layout::Nchw };
    input.datatype.is_float().then_some(InputView::Image(image))
}

/// A label, with its classes and where there are any its probabilities.
fn label(model: &FileFacts) -> Option<OutputView> {
    let is_label = |output: &&TensorSpec| {
        let is_named = matches!(output.name.as_str(), "label" | "output_label" | "variable");
        is_named
            && matches!(output.datatype, Datatype::Int64 | Datatype::Bytes)
            && matches!(output.shape.as_slice(), [_] | [_, 1])
    };
    let label = model.outputs.iter().find(is_label)?;
    if model.classes.is_empty() {
        return None;
    }
    let n_classes = model.classes.len();
    let is_probabilities = |output: &&TensorSpec| {
        let is_named = matches!(output.name.as_str(), "probabilities" | "output_probability" | "scores");
        let fits =
            matches!(output.shape.as_slice(), [_, n] if *n < 0 || usize::try_from(*n) == Ok(n_classes));
        is_named && fits && output.datatype.is_float() && output.name != "scores"
    };
    let probabilities = model.outputs.iter().find(is_probabilities).map(|output| output.name.clone());
    let (label, classes) = (label.name.clone(), model.classes.clone());
    Some(OutputView::Label { label, probabilities, classes, labels: Vec::new() })
}

/// The only output, one number a row, of a model that has a regressor in it.
fn number(model: &FileFacts) -> Option<OutputView> {
    const REGRESSORS: &[&str] = &[
        "ai.onnx.ml:TreeEnsembleRegressor",
        "ai.onnx.ml:LinearRegressor",
        "ai.onnx.ml:SVMRegressor",
        "ai.onnx.ml:TreeEnsemble",
    ];
    let [output] = model.outputs.as_slice() else { return None };
    let is_regression = REGRESSORS.iter().any(|operator| model.operators.contains_key(*operator));
    let is_number = output.datatype.is_float() && matches!(output.shape.as_slice(), [_] | [_, 1]);
    (is_regression && is_number)
        .then(|| OutputView::Number { output: output.name.clone(), title: String::new() })
}
