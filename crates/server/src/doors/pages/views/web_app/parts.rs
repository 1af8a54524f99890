//! Parts of a web app: inputs and outputs that are more than values, as a page shows them.
//!
//! Holds what the templates print and decides nothing. Invariant: an address of a file stands for its bytes themselves.

use super::{Bar, Field};

/// One part of a form.
#[derive(Debug, Clone)]
pub struct Part {
    /// The word for its kind, such as `image`.
    pub kind: &'static str,
    /// Which files a browser offers.
    pub accept: String,
    pub field: Field,
}

/// One part of an answer.
#[derive(Debug, Clone)]
pub enum ShownPart {
    Text(String),
    Label {
        label: String,
        bars: Vec<Bar>,
    },
    Image(String),
    Audio(String),
    Video(String),
    File(String),
    Table {
        columns: Vec<String>,
        rows: Vec<Vec<String>>,
        n_rows: usize,
    },
    /// Boxes or masks, in words.
    Regions(Vec<String>),
    Json(String),
    /// The model gave none.
    Nothing,
}

impl Bar {
    /// The bar of a class of this probability.
    pub fn new(label: &str, probability: f64, is_best: bool) -> Self {
        let percent = (probability * 100.0).clamp(0.0, 100.0);
        Self {
            label: label.to_owned(),
            text: format!("{percent:.1} %"),
            percent: format!("{percent:.2}"),
            is_best,
        }
    }
}
