//! Answers that tell less: rounded, and with the most probable classes alone.
//!
//! Pure. For models that may be asked but not copied: the fewer digits an answer has, the more questions a copy
//! takes (Tramèr et al., "Stealing Machine Learning Models via Prediction APIs", USENIX Security 2016). Invariant:
//! shapes, types and the predicted class stay as they are.

use bytes::Bytes;
use half::{bf16, f16};
use spec::frame::IndexedTensor;
use spec::schema::{OutputView, Schema};
use spec::tensor::Datatype;

mod documents;

/// How much an answer tells.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Blunt {
    /// Digits after the point that numbers are rounded to.
    pub n_decimals: Option<u32>,
    /// How many of the most probable classes are told; the others have the probability 0.
    pub top_k: Option<usize>,
}

impl Blunt {
    /// The answer, told so.
    pub fn apply(self, schema: &Schema, tensors: &mut [IndexedTensor]) {
        if self == Self::default() {
            return;
        }
        for tensor in tensors {
            let name = schema.outputs.get(usize::from(tensor.index)).map(|spec| spec.name.as_str());
            let top_k = self.top_k.filter(|_| name.is_some() && name == probabilities(schema));
            if let Some(kind) = name.and_then(|name| schema.output_part(name)).map(|part| part.kind)
                && let Some(data) = documents::told(self, kind, &tensor.data)
            {
                tensor.data = data;
                continue;
            }
            let Some(mut values) = read(tensor) else { continue };
            if let Some(top_k) = top_k {
                let n_classes = values.len() / tensor.n_rows().max(1);
                values.chunks_mut(n_classes.max(1)).for_each(|row| keep_best(row, top_k));
            }
            if let Some(scale) = self.scale() {
                values.iter_mut().for_each(|value| *value = round(*value, scale));
            }
            tensor.data = write(tensor.datatype, &values);
        }
    }

    /// What a number is multiplied with before it is rounded to a whole one.
    fn scale(self) -> Option<f64> {
        self.n_decimals.map(|n| 10_f64.powi(i32::try_from(n).unwrap_or(i32::MAX)))
    }
}

/// The output that holds the probabilities of classes.
fn probabilities(schema: &Schema) -> Option<&str> {
    match &schema.output {
        OutputView::Label { probabilities, .. } => probabilities.as_deref(),
        _ => None,
    }
}

/// Why of this model the best classes cannot be told alone: probabilities have to tell of the others, and nothing else may.
pub fn check_best(schema: &Schema) -> Result<(), String> {
    let OutputView::Label { label, probabilities: Some(probabilities), .. } = &schema.output else {
        return Err(
            "this model gives no probabilities of classes of which the best could be chosen".to_owned()
        );
    };
    match schema.outputs.iter().find(|output| ![label, probabilities].contains(&&output.name)) {
        Some(output) => Err(format!(
            "the output `{}` would tell of the other classes; only a model without it can be asked for the best alone",
            output.name
        )),
        None => Ok(()),
    }
}

/// Where two are equal the first is kept, so that the same answer is always told alike.
fn keep_best(row: &mut [f64], top_k: usize) {
    let mut places: Vec<usize> = (0..row.len()).collect();
    places.sort_by(|a, b| row[*b].total_cmp(&row[*a]).then(a.cmp(b)));
    for place in places.into_iter().skip(top_k) {
        row[place] = 0.0;
    }
}

fn round(value: f64, scale: f64) -> f64 {
    let rounded = (value * scale).round() / scale;
    if rounded.is_finite() { rounded } else { value }
}

/// The values of a tensor of floating point numbers; none of another.
fn read(tensor: &IndexedTensor) -> Option<Vec<f64>> {
    let data = &tensor.data;
    Some(match tensor.datatype {
        Datatype::Fp16 => numbers(data, |b: [u8; 2]| f64::from(f16::from_le_bytes(b))),
        Datatype::Bf16 => numbers(data, |b: [u8; 2]| f64::from(bf16::from_le_bytes(b))),
        Datatype::Fp32 => numbers(data, |b: [u8; 4]| f64::from(f32::from_le_bytes(b))),
        Datatype::Fp64 => numbers(data, f64::from_le_bytes),
        _ => return None,
    })
}

fn numbers<const N: usize>(data: &[u8], number: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    data.as_chunks::<N>().0.iter().map(|bytes| number(*bytes)).collect()
}

#[expect(clippy::cast_possible_truncation, reason = "the values were read from this very type")]
fn write(datatype: Datatype, values: &[f64]) -> Bytes {
    let mut out = Vec::with_capacity(values.len() * 8);
    for value in values {
        match datatype {
            Datatype::Fp16 => out.extend_from_slice(&f16::from_f64(*value).to_le_bytes()),
            Datatype::Bf16 => out.extend_from_slice(&bf16::from_f64(*value).to_le_bytes()),
            Datatype::Fp32 => out.extend_from_slice(&(*value as f32).to_le_bytes()),
            _ => out.extend_from_slice(&value.to_le_bytes()),
        }
    }
    out.into()
}

#[cfg(test)]
mod tests {
    use spec::tensor::TensorSpec;

    use super::*;

    fn tensor(datatype: Datatype, shape: &[usize], values: &[f64]) -> IndexedTensor {
        IndexedTensor { index: 0, datatype, shape: shape.to_vec(), data: write(datatype, values) }
    }

    fn told(blunt: Blunt, mut tensor: IndexedTensor) -> Vec<f64> {
        let outputs =
            vec![TensorSpec { name: "p".to_owned(), datatype: tensor.datatype, shape: vec![-1, 3] }];
        let output = OutputView::Label {
            label: "l".to_owned(),
            probabilities: Some("p".to_owned()),
            classes: Vec::new(),
            labels: Vec::new(),
        };
        let schema = Schema { outputs, output, ..Schema::default() };
        blunt.apply(&schema, std::slice::from_mut(&mut tensor));
        read(&tensor).unwrap()
    }

    #[test]
    fn numbers_keep_so_many_digits_in_every_type() {
        let two = Blunt { n_decimals: Some(2), top_k: None };
        for datatype in [Datatype::Fp64, Datatype::Fp32] {
            let got = told(two, tensor(datatype, &[1, 3], &[0.123_456, -1.995_1, f64::INFINITY]));
            let near = |a: f64, b: f64| (a - b).abs() < 1e-6 || a == b;
            assert!(near(got[0], 0.12) && near(got[1], -2.0) && got[2].is_infinite(), "{got:?}");
        }
    }

    #[test]
    fn the_most_probable_classes_alone_are_told_row_by_row() {
        let best = Blunt { n_decimals: None, top_k: Some(1) };
        let got = told(best, tensor(Datatype::Fp64, &[2, 3], &[0.2, 0.5, 0.3, 0.4, 0.4, 0.2]));
        assert_eq!(got, [0.0, 0.5, 0.0, 0.4, 0.0, 0.0]);
    }

    #[test]
    fn a_further_output_would_tell_of_the_other_classes() {
        let output =
            |name: &str| TensorSpec { name: name.to_owned(), datatype: Datatype::Fp32, shape: vec![-1, 3] };
        let view = OutputView::Label {
            label: "l".to_owned(),
            probabilities: Some("p".to_owned()),
            classes: Vec::new(),
            labels: Vec::new(),
        };
        let of = |names: &[&str]| Schema {
            outputs: names.iter().map(|name| output(name)).collect(),
            output: view.clone(),
            ..Schema::default()
        };
        assert!(check_best(&of(&["l", "p"])).is_ok());
        assert!(check_best(&of(&["l", "logits", "p"])).unwrap_err().contains("`logits`"));
        assert!(check_best(&Schema::default()).is_err());
    }

    #[test]
    fn nothing_changes_where_nothing_is_asked() {
        let values = [0.123_456_789, 2.0, 3.0];
        assert_eq!(told(Blunt::default(), tensor(Datatype::Fp64, &[1, 3], &values)), values);
    }
}
