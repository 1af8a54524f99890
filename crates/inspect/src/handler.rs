//! What a handler takes and gives, read from its type hints without running it.
//!
//! Knows Python's grammar only as far as signatures go. Invariants: no name is looked up and nothing is imported;
//! a hint that is not understood is named, never guessed at.

mod hints;
mod signature;
mod tokens;

use spec::facts::Offers;
use spec::handler::Handler;
use spec::schema::{Feature, InputView, OutputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use self::hints::Hint;
use self::signature::Signature;
use crate::limits;

/// The schema of a handler that is called for each row; why there is none, in words for its owner.
pub fn handler(source: &[u8], handler: &Handler) -> Result<Schema, String> {
    let file = &handler.file;
    if source.len() > limits::HANDLER_BYTES {
        return Err(format!("`{file}` has more than {} bytes", limits::HANDLER_BYTES));
    }
    let text = std::str::from_utf8(source).map_err(|_| format!("`{file}` is not UTF-8 text"))?;
    let found = signature::find(text, &handler.object).map_err(|reason| format!("`{file}`: {reason}"))?;
    schema(&found).map_err(|reason| format!("`{handler}`: {reason}"))
}

/// What a handler does besides predicting, as far as its text shows.
pub fn offers(source: &[u8], handler: &Handler) -> Offers {
    let text = std::str::from_utf8(source).ok().filter(|text| text.len() <= limits::HANDLER_BYTES);
    let Some(text) = text else { return Offers::default() };
    let returns = signature::find(text, &handler.object).ok().and_then(|found| found.returns);
    Offers {
        streams: returns.is_some_and(|hint| hint.is_stream_of_text()),
        explains: signature::explains(text, &handler.object),
    }
}

fn schema(signature: &Signature) -> Result<Schema, String> {
    if signature.parameters.is_empty() {
        return Err("it takes nothing; give it a parameter for each input".to_owned());
    }
    let mut inputs = Vec::new();
    let mut features = Vec::new();
    for (name, hint) in &signature.parameters {
        let hint = hint.as_ref().ok_or_else(|| {
            format!("`{name}` has no type hint; write `{name}: float`, or name the inputs in `reenact.toml`")
        })?;
        let told = Told::of(hint).ok_or_else(|| {
            format!("the type `{hint}` of `{name}` is not understood; name the inputs in `reenact.toml`")
        })?;
        inputs.push(told.tensor(name));
        features.push(told.feature(name));
    }
    let features: Option<Vec<Feature>> = features.into_iter().collect();
    let input = features.map_or(InputView::Tensors, |features| InputView::Table { features });
    let hint = signature.returns.as_ref().ok_or("it does not say what it gives; write `-> float`")?;
    let (outputs, output) = outputs(hint).ok_or_else(|| {
        format!("the type `{hint}` that it gives is not understood; name the outputs in `reenact.toml`")
    })?;
    Ok(Schema { inputs, outputs, input, output })
}

fn outputs(hint: &Hint) -> Option<(Vec<TensorSpec>, OutputView)> {
    if let Some(parts) = hint.fixed_tuple() {
        let tensor = |(n, part)| Some(Told::of(part)?.tensor(&format!("output_{n}")));
        let outputs = parts.iter().enumerate().map(tensor).collect::<Option<Vec<_>>>()?;
        return Some((outputs, OutputView::Tensors));
    }
    if hint.is_stream_of_text() {
        let told = Told { datatype: Datatype::Bytes, n_dimensions: 0, categories: Vec::new() };
        return Some((vec![told.tensor("output")], OutputView::Tensors));
    }
    if hint.is_object() {
        // The worker writes objects as JSON.
        let told = Told { datatype: Datatype::Bytes, n_dimensions: 0, categories: Vec::new() };
        return Some((vec![told.tensor("output")], OutputView::Tensors));
    }
    let told = Told::of(hint)?;
    let name = if told.categories.is_empty() { "output" } else { "label" };
    let view = match (&told, told.n_dimensions) {
        (Told { categories, .. }, 0) if !categories.is_empty() => OutputView::Label {
            label: name.to_owned(),
            probabilities: None,
            classes: categories.clone(),
            labels: Vec::new(),
        },
        (Told { datatype: Datatype::Fp64 | Datatype::Int64, .. }, 0) => {
            OutputView::Number { output: name.to_owned(), title: String::new() }
        }
        _ => OutputView::Tensors,
    };
    Some((vec![told.tensor(name)], view))
}

/// A hint that is a value, or a list of values.
struct Told {
    datatype: Datatype,
    /// Dimensions of one row.
    n_dimensions: usize,
    categories: Vec<String>,
}

impl Told {
    fn of(hint: &Hint) -> Option<Self> {
        let plain = |datatype| Some(Self { datatype, n_dimensions: 0, categories: Vec::new() });
        match hint.required() {
            Hint::Literal(categories) => {
                Some(Self { datatype: Datatype::Bytes, n_dimensions: 0, categories: categories.clone() })
            }
            hint if hint.is("float") => plain(Datatype::Fp64),
            hint if hint.is("int") => plain(Datatype::Int64),
            hint if hint.is("bool") => plain(Datatype::Bool),
            hint if hint.is("str") => plain(Datatype::Bytes),
            hint => {
                let inner = Self::of(hint.items()?)?;
                let n_dimensions = inner.n_dimensions + 1;
                let fits = n_dimensions < spec::limits::TENSOR_DIMENSIONS && inner.categories.is_empty();
                fits.then_some(Self { n_dimensions, ..inner })
            }
        }
    }

    fn tensor(&self, name: &str) -> TensorSpec {
        TensorSpec { name: name.to_owned(), datatype: self.datatype, shape: vec![-1; self.n_dimensions + 1] }
    }

    /// A field of a form; none for a list.
    fn feature(&self, name: &str) -> Option<Feature> {
        (self.n_dimensions == 0).then(|| Feature {
            name: name.to_owned(),
            datatype: self.datatype,
            minimum: None,
            maximum: None,
            categories: self.categories.clone(),
            description: String::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(source: &str) -> Result<Schema, String> {
        handler(source.as_bytes(), &"predict.py:predict".parse().unwrap())
    }

    fn shown(tensors: &[TensorSpec]) -> String {
        let one = |t: &TensorSpec| format!("{} {} {:?}", t.name, t.datatype, t.shape);
        tensors.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn type_hints_become_a_form() {
        let schema = read(
            "from typing import Literal, Optional\n\n\
             def helper(x): pass\n\n\
             def predict(\n    age: int,  # years\n    income: 'float' = 1_000.0,\n    city: Literal['a', \"b\"] = 'a',\n    \
             member: Optional[bool] = None,\n) -> Literal['yes', 'no']:\n    return 'yes'\n",
        )
        .unwrap();
        assert_eq!(
            shown(&schema.inputs),
            "age INT64 [-1], income FP64 [-1], city BYTES [-1], member BOOL [-1]"
        );
        let InputView::Table { features } = &schema.input else { panic!("{:?}", schema.input) };
        assert_eq!(features[2].categories, ["a", "b"]);
        let OutputView::Label { label, classes, .. } = &schema.output else { panic!("{:?}", schema.output) };
        assert_eq!((label.as_str(), classes.as_slice()), ("label", &["yes".to_owned(), "no".to_owned()][..]));
        assert!(schema.inconsistencies().is_empty());
    }

    #[test]
    fn a_class_is_asked_by_its_method() {
        let source = "class predict(Base):\n    '''def predict(self, wrong: int): no'''\n\n    def other(self): ...\n\n    \
                      def predict(self, text: str, /, *, weights: list[float]) -> dict[str, float]:\n        ...\n";
        let schema = read(source).unwrap();
        assert_eq!(shown(&schema.inputs), "text BYTES [-1], weights FP64 [-1, -1]");
        assert_eq!(
            (schema.input, shown(&schema.outputs)),
            (InputView::Tensors, "output BYTES [-1]".to_owned())
        );
    }

    fn offered(source: &str) -> (bool, bool) {
        let offers = offers(source.as_bytes(), &"predict.py:predict".parse().unwrap());
        (offers.streams, offers.explains)
    }

    #[test]
    fn a_generator_of_text_answers_in_pieces() {
        for hint in
            ["Iterator[str]", "typing.Iterator[str]", "Generator[str, None, None]", "'Generator[str]'"]
        {
            let source = format!("def predict(text: str) -> {hint}:\n    yield text\n");
            assert_eq!(shown(&read(&source).unwrap().outputs), "output BYTES [-1]");
            assert_eq!(offered(&source), (true, false), "{hint}");
        }
        assert!(read("def predict(text: str) -> Iterator[int]: ...\n").is_err());
        assert_eq!(offered("def predict(text: str) -> list[str]: ...\n"), (false, false));
    }

    #[test]
    fn explain_stands_beside_predict() {
        let function = "def explain(a: int) -> dict: ...\n\ndef predict(a: int) -> int: ...\n";
        let class = "class predict:\n    def explain(self, a: int): ...\n\n    def predict(self, a: int) -> int: ...\n";
        assert_eq!((offered(function), offered(class)), ((false, true), (false, true)));
        // Neither another's method nor a function beside a class explains it.
        let other = "class Other:\n    def explain(self): ...\n\ndef predict(a: int) -> int: ...\n";
        let beside =
            "class predict:\n    def predict(self, a: int) -> int: ...\n\ndef explain(a: int): ...\n";
        assert_eq!((offered(other), offered(beside)), ((false, false), (false, false)));
        assert_eq!(offered("\u{e9}'"), (false, false));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let says = |source: &str, words: &str| {
            let reason = read(source).unwrap_err();
            assert!(reason.contains(words), "{reason}");
        };
        says("x = 1\n", "no `predict`");
        says("def predict(a) -> float: ...\n", "`a` has no type hint");
        says("def predict(a: np.ndarray) -> float: ...\n", "the type `np.ndarray` of `a`");
        says("def predict(a: int): ...\n", "does not say what it gives");
        says("def predict(a: int) -> Answer: ...\n", "the type `Answer` that it gives");
        says("def predict() -> int: ...\n", "takes nothing");
        says("def predict(a: int", "ends in the middle");
        says("def predict(*rows: int) -> int: ...\n", "`*rows`");
    }
}
