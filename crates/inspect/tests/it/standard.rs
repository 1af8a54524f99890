//! Files without a handler: which are served by one of the server's own, and what is said of the others.

use inspect::Folder;
use spec::facts::{Facts, FileFacts, Library};
use spec::manifest::Manifest;
use spec::schema::OutputView;

use super::read;

const SAVED: [&str; 3] = ["config.json", "model.safetensors", "tokenizer.json"];
const CLASSIFIER: &str = r#"{"architectures": ["BertForSequenceClassification"], "model_type": "bert",
    "id2label": {"1": "good", "0": "bad", "10": "both", "2": "neither"}, "transformers_version": "4.57.1"}"#;

/// The facts of fixtures beside further paths.
fn archives(manifest: &str, names: &[&str], others: &[&str]) -> Facts {
    let files: Vec<FileFacts> = names.iter().map(|name| read(name)).collect();
    let paths: Vec<String> = names.iter().chain(others).map(ToString::to_string).collect();
    let manifest = (!manifest.is_empty()).then(|| Manifest::parse(manifest.as_bytes()));
    inspect::repository(manifest, files, &Folder { paths: &paths, ..Folder::default() })
}

/// The facts of a folder of `transformers` with this configuration.
fn folder(config: &str, task: Option<&str>, paths: &[&str]) -> Facts {
    let mut weights = read("layer.safetensors");
    weights.path = "model.safetensors".to_owned();
    let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
    let folder = Folder { paths: &paths, config: Some(config.as_bytes()), task };
    inspect::repository(None, vec![weights], &folder)
}

fn refused(facts: &Facts) -> &str {
    assert!(!facts.is_servable(), "{facts:?}");
    facts.unserved.as_deref().unwrap()
}

#[test]
fn a_keras_archive_is_served_by_the_keras_that_saved_it() {
    let facts = archives("", &["dense.keras"], &["README.md"]);
    let python = facts.python.unwrap();
    let standard = python.standard.unwrap();
    assert_eq!((standard.library, standard.file.as_deref()), (Library::Keras, Some("dense.keras")));
    assert_eq!(python.requirements, ["keras==3.12.0", "jax==0.10.2"]);
    assert!(standard.assumed.iter().any(|one| one.contains("`keras==3.12.0`, `jax==0.10.2` are installed")));
    let schema = facts.schema.unwrap();
    assert_eq!((schema.inputs[0].name.as_str(), schema.outputs[0].name.as_str()), ("image", "scores"));
    assert_eq!((facts.model, facts.unserved), (None, None));
}

#[test]
fn what_is_declared_is_taken_in_the_place_of_what_is_assumed() {
    let facts = archives("", &["dense.keras"], &["requirements.txt"]);
    let python = facts.python.unwrap();
    assert_eq!(
        (python.requirements_file.as_deref(), python.requirements.len()),
        (Some("requirements.txt"), 0)
    );
    let assumed = python.standard.unwrap().assumed;
    assert!(assumed.iter().all(|one| !one.contains("installed")), "{assumed:?}");
    let locked = archives("", &["dense.keras"], &["uv.lock", "pyproject.toml"]).python.unwrap();
    assert_eq!((locked.lock.as_deref(), locked.requirements.len()), (Some("uv.lock"), 0));
    let kept = archives("[environment]\ninterpreter = \"debian\"\n", &["dense.keras"], &["reenact.toml"]);
    assert_eq!(kept.python.unwrap().requirements, ["keras==3.12.0"]);
    let own = archives("", &["dense.keras"], &["predict.py"]).python.unwrap();
    assert!(own.standard.is_none());
}

#[test]
fn one_of_several_archives_has_to_be_named() {
    let names = ["dense.keras", "real.sequential.keras", "script.pt"];
    let facts = archives("", &names, &[]);
    assert!(refused(&facts).contains("3 files that are a model each, such as `dense.keras`"), "{facts:?}");
    let facts = archives("model = \"real.sequential.keras\"", &names, &["reenact.toml"]);
    assert_eq!(facts.python.unwrap().standard.unwrap().file.as_deref(), Some("real.sequential.keras"));
    let facts = archives("", &["forest.onnx", "dense.keras"], &[]);
    assert_eq!((facts.model.as_deref(), facts.python), (Some("forest.onnx"), None));
}

#[test]
fn torchscript_is_served_once_its_inputs_and_outputs_are_told() {
    let facts = archives("", &["script.pt"], &[]);
    assert!(refused(&facts).contains("name the `inputs` and `outputs`"), "{facts:?}");
    let manifest = r#"
        [schema]
        inputs = [{ name = "rows", datatype = "FP32", shape = [-1, 4] }]
        outputs = [{ name = "scores", datatype = "FP32", shape = [-1, 3] }]
    "#;
    let facts = archives(manifest, &["script.pt"], &["reenact.toml"]);
    let python = facts.python.unwrap();
    assert_eq!(python.standard.unwrap().library, Library::TorchScript);
    assert!(python.requirements[0].starts_with("torch==") && facts.schema.is_some());
}

#[test]
fn a_saved_folder_of_transformers_tells_task_labels_and_version() {
    let facts = folder(CLASSIFIER, None, &SAVED);
    let python = facts.python.unwrap();
    let standard = python.standard.unwrap();
    assert_eq!(
        (standard.library, standard.task.as_deref()),
        (Library::Transformers, Some("text-classification"))
    );
    assert_eq!(python.requirements[0], "transformers==4.57.1");
    let schema = facts.schema.unwrap();
    let OutputView::Label { classes, .. } = &schema.output else { panic!("{schema:?}") };
    assert_eq!(classes, &["bad", "good", "neither", "both"]);
    assert_eq!(schema.outputs[1].shape, [-1, 4]);
    assert_eq!(schema.inconsistencies(), Vec::<String>::new());
    let old = folder(&CLASSIFIER.replace("4.57.1", "4.9.0.dev0"), None, &SAVED).python.unwrap();
    assert!(old.requirements[0].starts_with("transformers==") && !old.requirements[0].contains("dev"));
    assert!(old.standard.unwrap().assumed[1].contains("names `transformers` 4.9.0.dev0"));
}

#[test]
fn a_task_that_the_weights_have_no_head_for_is_refused() {
    for (task, words) in [
        (
            "fill-mask",
            "`BertForSequenceClassification`, which is for `text-classification`; correct one of them",
        ),
        ("image-classification", "its task `image-classification` is not served by itself"),
    ] {
        let facts = folder(CLASSIFIER, Some(task), &SAVED);
        assert!(refused(&facts).contains(words), "{facts:?}");
    }
    let stated = folder(CLASSIFIER, Some("text-classification"), &SAVED);
    assert!(stated.python.unwrap().standard.unwrap().assumed[0].contains("the task that its owner names"));
    let other = folder(r#"{"architectures": ["WhisperForConditionalGeneration"]}"#, None, &SAVED);
    assert!(refused(&other).contains("`WhisperForConditionalGeneration`, which is for no task"), "{other:?}");
}

#[test]
fn what_a_folder_lacks_is_named() {
    let says = |config: &str, paths: &[&str], words: &str| {
        let facts = folder(config, None, paths);
        assert!(refused(&facts).contains(words), "{:?}", facts.unserved);
    };
    says(CLASSIFIER, &["config.json", "model.safetensors"], "no tokenizer; add `tokenizer.json`");
    says(
        CLASSIFIER,
        &["config.json", "pytorch_model.bin", "tokenizer.json"],
        "a pickle, `pytorch_model.bin`",
    );
    says(CLASSIFIER, &["config.json", "tokenizer.json"], "no weights beside it; add `model.safetensors`");
    says(CLASSIFIER, &["config.json", "modules.json"], "`sentence-transformers`");
    says(r#"{"model_type": "own", "auto_map": {}}"#, &SAVED, "code of the model's own (`auto_map`)");
    says(r#"{"architecture": "resnet18", "pretrained_cfg": {}}"#, &SAVED, "a model of `timm`");
    says("[1]", &SAVED, "add the `config.json` and tokenizer");
    says(&"[{\"a\":".repeat(100_000), &SAVED, "add the `config.json` and tokenizer");
}

#[test]
fn of_every_other_kind_of_file_it_is_said_what_to_do() {
    for (name, words) in [
        ("lambda.keras", "brings code of its own (`keras.layers.Lambda`)"),
        ("real.unregistered.keras", "needs `Shifted`, which is not part of Keras"),
        ("state.pt", "holds weights and no network to put them into"),
        ("forest.p4.pkl", "is a pickle, which is not opened unasked"),
        ("layer.safetensors", "no file beside it says what network they belong to"),
    ] {
        let facts = archives("", &[name], &[]);
        assert!(refused(&facts).starts_with(&format!("`{name}` ")), "{:?}", facts.unserved);
        assert!(refused(&facts).contains(words), "{:?}", facts.unserved);
    }
    assert_eq!(archives("", &[], &["README.md"]).unserved, None);
}
