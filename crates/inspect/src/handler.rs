//! What a handler takes and gives, read from its type hints without running it.
//!
//! Knows Python's grammar only as far as signatures go. Invariants: no name is looked up and nothing is imported;
//! a hint that is not understood is named, never guessed at.

mod hints;
mod signature;
mod tokens;
mod told;

use spec::facts::Offers;
use spec::handler::Handler;
use spec::schema::{Feature, InputView, OutputView, Schema};
use spec::tensor::{Datatype, TensorSpec};

use self::hints::Hint;
use self::signature::Signature;
use self::told::Told;
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
    let mut told = Vec::new();
    for (name, hint) in &signature.parameters {
        let hint = hint.as_ref().ok_or_else(|| {
            format!("`{name}` has no type hint; write `{name}: float`, or name the inputs in `reenact.toml`")
        })?;
        let one = Told::of_input(hint).ok_or_else(|| {
            format!("the type `{hint}` of `{name}` is not understood; name the inputs in `reenact.toml`")
        })?;
        told.push((name.as_str(), one));
    }
    let inputs = told.iter().map(|(name, one)| one.tensor(name)).collect();
    let hint = signature.returns.as_ref().ok_or("it does not say what it gives; write `-> float`")?;
    let (outputs, output) = outputs(hint).ok_or_else(|| {
        format!("the type `{hint}` that it gives is not understood; name the outputs in `reenact.toml`")
    })?;
    Ok(Schema { inputs, outputs, input: input_view(&told), output })
}

/// A row of a table where all are values, a form of parts where some are more.
fn input_view(told: &[(&str, Told)]) -> InputView {
    let features: Option<Vec<Feature>> = told.iter().map(|(name, one)| one.feature(name)).collect();
    if let Some(features) = features {
        return InputView::Table { features };
    }
    let parts: Option<Vec<_>> = told.iter().map(|(name, one)| one.input_part(name)).collect();
    parts.map_or(InputView::Tensors, |parts| InputView::Parts { parts })
}

fn outputs(hint: &Hint) -> Option<(Vec<TensorSpec>, OutputView)> {
    if let Some(hints) = hint.fixed_tuple().filter(|_| hint.words().is_empty()) {
        let told = hints.iter().map(Told::of_output).collect::<Option<Vec<_>>>()?;
        let named = |(n, one): (usize, Told)| (format!("output_{n}"), one);
        let named: Vec<(String, Told)> = told.into_iter().enumerate().map(named).collect();
        let outputs = named.iter().map(|(name, one)| one.tensor(name)).collect();
        let has_parts = named.iter().any(|(_, one)| one.is_part());
        let parts = named.iter().map(|(name, one)| one.output_part(name));
        let parts = parts.collect::<Option<Vec<_>>>().filter(|_| has_parts);
        return Some((outputs, parts.map_or(OutputView::Tensors, |parts| OutputView::Parts { parts })));
    }
    let told = if hint.is_stream_of_text() { Told::text() } else { Told::of_output(hint)? };
    let name = if told.categories.is_empty() { "output" } else { "label" };
    let number = || OutputView::Number { output: name.to_owned(), title: String::new() };
    let view = match (&told, told.n_dimensions) {
        (told, _) if told.is_part() => {
            OutputView::Parts { parts: told.output_part(name).into_iter().collect() }
        }
        (Told { categories, .. }, 0) if !categories.is_empty() => OutputView::Label {
            label: name.to_owned(),
            probabilities: None,
            classes: categories.clone(),
            labels: Vec::new(),
        },
        (Told { datatype: Datatype::Fp64 | Datatype::Int64, .. }, 0) => number(),
        _ => OutputView::Tensors,
    };
    Some((vec![told.tensor(name)], view))
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
        assert_eq!(kinds(&schema), "text text, weights series -> output json");
    }

    #[test]
    fn annotations_say_what_is_more_than_a_value() {
        let schema = read(
            "from typing import Annotated as A\nimport typing as t\n\n\
             def predict(photo: t.Annotated[bytes, 'image/png'], voice: Annotated[bytes, \"audio\"] | None, \
             scan: Image.Image, heart: Annotated[np.ndarray, 'series'], table: pd.DataFrame, options: dict, \
             size: Annotated[float, 'metres'] = 1.0, mode: Literal['a', 'b'] = 'a', raw: bytes = b'') -> \
             tuple[Annotated[list[dict], 'boxes'], PIL.Image.Image, dict, float, str]:\n    ...\n",
        )
        .unwrap();
        assert_eq!(
            kinds(&schema),
            "photo image, voice audio, scan image, heart series, table table, options json, size value, mode value, \
             raw file -> output_0 boxes, output_1 image, output_2 json, output_3 value, output_4 text"
        );
        assert_eq!(schema.input_part("photo").unwrap().media_types, ["image/png"]);
        assert_eq!(schema.input_part("mode").unwrap().categories, ["a", "b"]);
        assert!(schema.inconsistencies().is_empty(), "{:?}", schema.inconsistencies());
        let refused = read("def predict(a: Annotated[bytes, 'boxes']) -> int: ...\n").unwrap();
        assert_eq!(kinds(&refused), "a file -> ");
    }

    fn kinds(schema: &Schema) -> String {
        let inputs = schema.inputs.iter().filter_map(|tensor| schema.input_part(&tensor.name));
        let inputs: Vec<_> = inputs.map(|part| format!("{} {}", part.name, part.kind.as_str())).collect();
        let outputs = schema.outputs.iter().filter_map(|tensor| schema.output_part(&tensor.name));
        let outputs: Vec<_> = outputs.map(|part| format!("{} {}", part.name, part.kind.as_str())).collect();
        format!("{} -> {}", inputs.join(", "), outputs.join(", "))
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
