//! Repositories as a whole: which file is the model, and what people see of it.

use spec::facts::{Facts, FileFacts};
use spec::manifest::Manifest;
use spec::schema::{Feature, Image, InputView, Layout, OutputView};

use inspect::Folder;

use super::read;

/// The facts of a repository that holds these fixtures and, perhaps, a manifest.
fn repository(manifest: &str, names: &[&str]) -> Facts {
    let files: Vec<FileFacts> = names.iter().map(|name| read(name)).collect();
    let paths: Vec<String> = names.iter().map(ToString::to_string).collect();
    let manifest = (!manifest.is_empty()).then(|| Manifest::parse(manifest.as_bytes()));
    inspect::repository(manifest, files, &of(&paths))
}

fn of(paths: &[String]) -> Folder<'_> {
    Folder { paths, ..Folder::default() }
}

fn feature_names(facts: &Facts) -> Vec<&str> {
    match &facts.schema.as_ref().unwrap().input {
        InputView::Table { features } => features.iter().map(|feature| feature.name.as_str()).collect(),
        other => panic!("{other:?} is no table"),
    }
}

#[test]
fn without_a_manifest_the_onnx_file_is_the_model_and_the_pickle_its_original() {
    let facts = repository("", &["forest.p4.pkl", "forest.onnx"]);
    assert_eq!(
        (facts.model.as_deref(), facts.original.as_deref()),
        (Some("forest.onnx"), Some("forest.p4.pkl"))
    );
    assert_eq!(facts.problems, Vec::<String>::new());
    assert_eq!(feature_names(&facts), ["x0", "x1", "x2", "x3"]);
    let classes = ["setosa", "versicolor", "virginica"].map(str::to_owned).to_vec();
    let (label, probabilities) = ("label".to_owned(), Some("probabilities".to_owned()));
    let view = OutputView::Label { label, probabilities, classes, labels: Vec::new() };
    assert_eq!(facts.schema.unwrap().output, view);
}

#[test]
fn a_regressor_answers_with_a_number_and_a_network_sees_a_picture() {
    let regressor = repository("", &["regressor.onnx"]);
    assert_eq!(feature_names(&regressor).len(), 10);
    let number = OutputView::Number { output: "variable".to_owned(), title: String::new() };
    assert_eq!(regressor.schema.unwrap().output, number);
    let network = repository("", &["conv.onnx"]).schema.unwrap();
    let image = Image { width: 28, height: 28, channels: 1, black: 0.0, white: 1.0, layout: Layout::Nchw };
    assert_eq!((network.input, network.output), (InputView::Image(image), OutputView::Tensors));
}

#[test]
fn a_label_without_probabilities_is_still_a_label() {
    let schema = repository("", &["forest.zipmap.onnx"]).schema.unwrap();
    assert!(matches!(schema.output, OutputView::Label { probabilities: None, .. }), "{schema:?}");
}

#[test]
fn the_original_lends_its_feature_names() {
    let mut original = read("forest.p4.pkl");
    original.feature_names = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
    let paths = ["forest.onnx".to_owned(), "forest.p4.pkl".to_owned()];
    let facts = inspect::repository(None, vec![original, read("forest.onnx")], &of(&paths));
    assert_eq!(feature_names(&facts), ["a", "b", "c", "d"]);
}

#[test]
fn the_manifest_decides_and_its_views_stand_over_the_files_tensors() {
    let manifest = r#"
        model = "logistic.onnx"
        original = "logistic.joblib"
        [schema.input]
        kind = "table"
        features = [
            { name = "sepal length", datatype = "FP32" }, { name = "sepal width", datatype = "FP32" },
            { name = "petal length", datatype = "FP32" }, { name = "petal width", datatype = "FP32" },
        ]
    "#;
    let facts = repository(manifest, &["forest.onnx", "logistic.onnx", "logistic.joblib", "forest.p4.pkl"]);
    assert_eq!(
        (facts.model.as_deref(), facts.original.as_deref()),
        (Some("logistic.onnx"), Some("logistic.joblib"))
    );
    assert_eq!(feature_names(&facts)[0], "sepal length");
    let schema = facts.schema.unwrap();
    assert_eq!(schema.inputs[0].name, "X");
    assert!(matches!(&schema.output, OutputView::Label { classes, .. } if classes == &["0", "1", "2"]));
    assert_eq!(facts.problems, Vec::<String>::new());
}

#[test]
fn what_does_not_fit_is_a_problem() {
    let manifest = r#"
        model = "missing.onnx"
        examples = "examples.json"
        [schema]
        inputs = [{ name = "Y", datatype = "FP32", shape = [-1, 4] }]
        [schema.input]
        kind = "table"
        features = [{ name = "only", datatype = "FP32" }]
    "#;
    let facts = repository(manifest, &["forest.onnx"]);
    insta::assert_json_snapshot!(facts.problems, @r#"
    [
      "`reenact.toml` names `missing.onnx` as its model, and there is no such file",
      "`reenact.toml` names `examples.json` as its examples, and there is no such file",
      "the inputs in `reenact.toml` are not those of the model; the model's are taken",
      "the table has 1 features and the input `X` takes 4"
    ]
    "#);
    assert_eq!((facts.model.as_deref(), facts.examples), (Some("forest.onnx"), None));
    let broken = repository("licence = 1", &["forest.onnx"]);
    assert!(
        broken.problems[0].starts_with("`reenact.toml`: unknown field `licence`"),
        "{:?}",
        broken.problems
    );
    assert!(broken.schema.is_some());
}

#[test]
fn a_model_that_breaks_off_is_a_problem() {
    let whole = super::bytes("forest.onnx");
    let cut = super::read_bytes("model.onnx", &whole[..whole.len() / 2]);
    let facts = inspect::repository(None, vec![cut], &of(&["model.onnx".to_owned()]));
    assert_eq!(facts.model.as_deref(), Some("model.onnx"));
    assert!(
        facts.problems[0].starts_with("the model could not be read to its end: "),
        "{:?}",
        facts.problems
    );
}

#[test]
fn a_repository_of_a_pickle_alone_has_an_original_and_no_served_model() {
    let facts = repository("", &["forest.p4.pkl"]);
    assert_eq!((facts.model, facts.original.as_deref(), facts.schema), (None, Some("forest.p4.pkl"), None));
    assert_eq!(inspect::repository(None, Vec::new(), &Folder::default()), Facts::default());
}

#[test]
fn columns_of_their_own_make_a_table() {
    let mut model = read("forest.onnx");
    let column = |name: &str| spec::tensor::TensorSpec {
        name: name.into(),
        shape: vec![-1, 1],
        ..model.inputs[0].clone()
    };
    model.inputs = vec![column("age"), column("income")];
    let facts = inspect::repository(None, vec![model], &of(&["forest.onnx".to_owned()]));
    assert_eq!(feature_names(&facts), ["age", "income"]);
    let is_hint_free = |feature: &Feature| feature.minimum.is_none() && feature.categories.is_empty();
    let InputView::Table { features } = facts.schema.unwrap().input else { panic!("no table") };
    assert!(features.iter().all(is_hint_free));
}
