//! What one type hint tells of an input or output: its tensor, and how people give or see it.
//!
//! Knows hints, not signatures. Invariant: a word that annotates a hint decides; without one the type does.

use spec::schema::Feature;
use spec::schema::parts::{InputKind, InputPart, OutputKind, OutputPart};
use spec::tensor::{Datatype, TensorSpec};

use super::hints::Hint;

/// A hint that is understood.
pub(super) struct Told {
    pub(super) datatype: Datatype,
    /// Dimensions of one row.
    pub(super) n_dimensions: usize,
    pub(super) categories: Vec<String>,
    /// What it is besides a value or a list of values.
    kind: Option<OutputKind>,
    /// The media type that annotates it.
    media_type: Option<String>,
}

impl Told {
    /// Of an input.
    pub(super) fn of_input(hint: &Hint) -> Option<Self> {
        // A label, boxes and masks only come out.
        let word = |word: &String| InputKind::of_word(word).and(OutputKind::of_word(word));
        Self::of(hint, word)
    }

    /// Of an output.
    pub(super) fn of_output(hint: &Hint) -> Option<Self> {
        Self::of(hint, |word| OutputKind::of_word(word))
    }

    /// Of a text that is given piece by piece.
    pub(super) fn text() -> Self {
        Self {
            datatype: Datatype::Bytes,
            n_dimensions: 0,
            categories: Vec::new(),
            kind: None,
            media_type: None,
        }
    }

    fn of(hint: &Hint, kind_of: impl Fn(&String) -> Option<OutputKind>) -> Option<Self> {
        let words = hint.words();
        let media_type = words.iter().find(|word| word.contains('/')).cloned();
        if let Some(kind) = words.iter().find_map(kind_of) {
            let inner = plain(hint.required());
            let datatype = match kind {
                OutputKind::Series => inner.map_or(Datatype::Fp64, |told| told.datatype),
                _ => Datatype::Bytes,
            };
            let n_dimensions = usize::from(kind == OutputKind::Series);
            return Some(Self {
                datatype,
                n_dimensions,
                categories: Vec::new(),
                kind: Some(kind),
                media_type,
            });
        }
        let hint = hint.required();
        let kind = match hint {
            hint if hint.is("bytes") => OutputKind::File,
            hint if hint.is_picture() => OutputKind::Image,
            hint if hint.is_frame() => OutputKind::Table,
            hint if hint.is_object() => OutputKind::Json,
            hint => return plain(hint),
        };
        let (datatype, n_dimensions, categories) = (Datatype::Bytes, 0, Vec::new());
        Some(Self { datatype, n_dimensions, categories, kind: Some(kind), media_type })
    }

    pub(super) fn tensor(&self, name: &str) -> TensorSpec {
        TensorSpec { name: name.to_owned(), datatype: self.datatype, shape: vec![-1; self.n_dimensions + 1] }
    }

    /// A field of a row; none for what is more than a value.
    pub(super) fn feature(&self, name: &str) -> Option<Feature> {
        (self.n_dimensions == 0 && self.kind.is_none()).then(|| Feature {
            name: name.to_owned(),
            datatype: self.datatype,
            minimum: None,
            maximum: None,
            categories: self.categories.clone(),
            description: String::new(),
        })
    }

    /// A part of a form; none for lists of lists and lists of texts.
    pub(super) fn input_part(&self, name: &str) -> Option<InputPart> {
        let kind = InputKind::of_word(self.kind_of_part()?.as_str()).unwrap_or(InputKind::Value);
        let media_types = self.media_type.clone().filter(|_| kind.is_file()).into_iter().collect();
        Some(InputPart { media_types, categories: self.categories.clone(), ..InputPart::new(name, kind) })
    }

    /// A part of an answer; none for lists of lists and lists of texts.
    pub(super) fn output_part(&self, name: &str) -> Option<OutputPart> {
        Some(OutputPart::new(name, self.kind_of_part()?))
    }

    /// Whether it is more than a value or a list of values.
    pub(super) fn is_part(&self) -> bool {
        self.kind.is_some()
    }

    fn kind_of_part(&self) -> Option<OutputKind> {
        match (self.kind, self.n_dimensions, self.datatype) {
            (Some(kind), ..) => Some(kind),
            (None, 0, Datatype::Bytes) if self.categories.is_empty() => Some(OutputKind::Text),
            (None, 0, _) => Some(OutputKind::Value),
            (None, 1, Datatype::Fp64 | Datatype::Int64) => Some(OutputKind::Series),
            _ => None,
        }
    }
}

/// A value, or a list of values.
fn plain(hint: &Hint) -> Option<Told> {
    let value = |datatype, categories| {
        Some(Told { datatype, n_dimensions: 0, categories, kind: None, media_type: None })
    };
    match hint.required() {
        Hint::Literal(categories) => value(Datatype::Bytes, categories.clone()),
        hint if hint.is("float") => value(Datatype::Fp64, Vec::new()),
        hint if hint.is("int") => value(Datatype::Int64, Vec::new()),
        hint if hint.is("bool") => value(Datatype::Bool, Vec::new()),
        hint if hint.is("str") => value(Datatype::Bytes, Vec::new()),
        hint => {
            let inner = plain(hint.items()?)?;
            let n_dimensions = inner.n_dimensions + 1;
            let fits = n_dimensions < spec::limits::TENSOR_DIMENSIONS && inner.categories.is_empty();
            fits.then_some(Told { n_dimensions, ..inner })
        }
    }
}
