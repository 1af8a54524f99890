//! Files written by the libraries that people use: what is read from each.

use insta::assert_json_snapshot;
use spec::facts::{FileFacts, Format};

use super::{dangers, names, read, read_bytes};

/// The lines of `left` that matter to a person: names with their types and shapes.
fn tensors(facts: &FileFacts) -> Vec<String> {
    facts.tensors.iter().map(|t| format!("{} {:?} {:?}", t.name, t.datatype, t.shape)).collect()
}

fn steps(facts: &FileFacts) -> Vec<String> {
    facts.steps.iter().map(|step| format!("{} {}", step.name, step.class)).collect()
}

#[test]
fn a_model_of_a_known_library_is_read_to_its_end_and_is_harmless() {
    let odd = [
        "evil.pt",
        "lambda.keras",
        "logistic.xz.joblib",
        "module.pt",
        "outside.onnx",
        "real.unregistered.keras",
        "script.pt",
        "short.pt",
    ];
    let known: Vec<_> = names().into_iter().filter(|name| !odd.contains(&name.as_str())).collect();
    assert!(known.len() >= 25);
    for name in known {
        let facts = read(&name);
        assert_eq!((facts.error.as_deref(), dangers(&facts)), (None, vec![]), "{name}");
        assert!(facts.format != Format::Unknown && facts.framework.is_some(), "{name}");
    }
}

#[test]
fn every_protocol_and_packing_of_one_estimator_says_the_same() {
    let first = read("logistic.p3.pkl");
    assert_eq!(first.class.as_deref(), Some("sklearn.linear_model._logistic.LogisticRegression"));
    assert_eq!(first.hyperparameters["C"], 0.5);
    assert_eq!(first.versions["scikit-learn"], "1.9.1");
    assert_eq!(first.classes, ["setosa", "versicolor", "virginica"]);
    // A line for each of 3 classes over 4 features, their intercepts, and the iterations it took.
    assert_eq!((first.n_parameters, first.n_features), (Some(16), Some(4)));
    for name in
        ["logistic.p0.pkl", "logistic.p1.pkl", "logistic.joblib", "logistic.c3.joblib", "logistic.gz.joblib"]
    {
        let mut facts = read(name);
        let is_joblib = name.ends_with("joblib");
        assert_eq!(facts.format, if is_joblib { Format::Joblib } else { Format::Pickle }, "{name}");
        facts.metadata.clear();
        (facts.path, facts.format) = (first.path.clone(), first.format);
        assert_eq!(facts, first, "{name}");
    }
    let (p2, p4, p5) = (read("forest.p2.pkl"), read("forest.p4.pkl"), read("forest.p5.pkl"));
    assert_eq!((&p2.hyperparameters, p2.n_parameters), (&p4.hyperparameters, p4.n_parameters));
    assert_eq!((&p4.hyperparameters, p4.n_parameters), (&p5.hyperparameters, p5.n_parameters));
}

#[test]
fn a_forest_shows_what_it_was_made_with() {
    let facts = read("forest.p5.pkl");
    assert_eq!(facts.class.as_deref(), Some("sklearn.ensemble._forest.RandomForestClassifier"));
    let shown =
        ["n_estimators", "max_depth", "criterion", "bootstrap", "max_features", "class_weight", "ccp_alpha"];
    let shown: Vec<_> = shown.iter().map(|name| facts.hyperparameters[*name].clone()).collect();
    assert_json_snapshot!(shown, @r#"
    [
      3,
      2,
      "gini",
      true,
      "sqrt",
      null,
      0.0
    ]
    "#);
    assert!(!facts.hyperparameters.keys().any(|name| name.ends_with('_') || name.starts_with('_')));
    // Its base class sets these; its constructor takes neither.
    assert!(!facts.hyperparameters.keys().any(|name| name.starts_with("estimator")));
}

#[test]
fn the_steps_of_a_pipeline_are_named_as_scikit_learn_names_them() {
    let facts = read("columns.joblib");
    assert_eq!(facts.class.as_deref(), Some("sklearn.pipeline.Pipeline"));
    assert_json_snapshot!(steps(&facts), @r#"
    [
      "columntransformer sklearn.compose._column_transformer.ColumnTransformer",
      "columntransformer__numbers sklearn.preprocessing._data.StandardScaler",
      "columntransformer__colours sklearn.preprocessing._encoders.OneHotEncoder",
      "logisticregression sklearn.linear_model._logistic.LogisticRegression"
    ]
    "#);
    let svc = read("pipeline.pkl").steps.pop().unwrap();
    assert_eq!(
        (svc.hyperparameters["kernel"].as_str(), svc.hyperparameters["degree"].as_i64()),
        (Some("poly"), Some(2))
    );
    assert!(steps(&read("search.joblib"))[0].starts_with("best_estimator_ sklearn.pipeline.Pipeline"));
}

#[test]
fn a_dict_of_models_names_each() {
    let facts = read("dict.pkl");
    assert_eq!((facts.class.as_deref(), facts.framework.as_deref()), (Some("dict"), Some("scikit-learn")));
    assert_json_snapshot!(steps(&facts), @r#"
    [
      "scaler sklearn.preprocessing._data.StandardScaler",
      "model sklearn.linear_model._logistic.LogisticRegression"
    ]
    "#);
}

#[test]
fn gradient_boosting_libraries_are_known() {
    let (light, extreme) = (read("lightgbm.pkl"), read("xgboost.pkl"));
    assert_eq!(light.class.as_deref(), Some("lightgbm.sklearn.LGBMClassifier"));
    assert_eq!(
        (light.framework.as_deref(), light.hyperparameters["num_leaves"].as_i64()),
        (Some("lightgbm"), Some(4))
    );
    assert_eq!(extreme.class.as_deref(), Some("xgboost.sklearn.XGBClassifier"));
    assert_eq!(
        (extreme.versions["xgboost"].as_str(), extreme.hyperparameters["missing"].as_str()),
        ("3.2.0", Some("nan"))
    );
}

#[test]
fn an_onnx_classifier_tells_its_tensors_and_its_classes() {
    assert_json_snapshot!(read("forest.onnx"), @r#"
    {
      "path": "forest.onnx",
      "format": "onnx",
      "framework": "skl2onnx",
      "versions": {
        "skl2onnx": "1.20.0"
      },
      "hyperparameters": {},
      "steps": [],
      "n_parameters": 47,
      "inputs": [
        {
          "name": "X",
          "datatype": "FP32",
          "shape": [
            -1,
            4
          ]
        }
      ],
      "outputs": [
        {
          "name": "label",
          "datatype": "BYTES",
          "shape": [
            -1
          ]
        },
        {
          "name": "probabilities",
          "datatype": "FP32",
          "shape": [
            -1,
            3
          ]
        }
      ],
      "classes": [
        "setosa",
        "versicolor",
        "virginica"
      ],
      "operators": {
        "ai.onnx.ml:TreeEnsembleClassifier": 1
      },
      "tensors": [],
      "metadata": {
        "onnx ir version": "10",
        "opset ai.onnx": "22",
        "opset ai.onnx.ml": "1"
      },
      "dangers": []
    }
    "#);
    let zipmap = read("forest.zipmap.onnx");
    assert_eq!(zipmap.outputs.len(), 1);
    assert_eq!(zipmap.metadata["outputs that are no tensors"], "output_probability");
}

#[test]
fn an_onnx_network_tells_its_weights_and_named_dimensions() {
    let facts = read("conv.onnx");
    assert_eq!(facts.inputs[0].shape, [-1, 1, 28, 28]);
    assert_eq!((facts.framework.as_deref(), facts.versions["pytorch"].as_str()), (Some("pytorch"), "2.9.0"));
    assert_eq!(facts.n_parameters, Some(20));
    assert_eq!(tensors(&facts), ["kernel Some(Fp32) [2, 1, 3, 3]", "bias Some(Fp32) [2]"]);
    assert_eq!(facts.metadata["author"], "a test");
}

#[test]
fn a_tensor_outside_of_the_models_folder_is_a_danger() {
    let facts = read("outside.onnx");
    assert_eq!(dangers(&facts), ["Unknown ../../etc/passwd external data of a tensor"]);
    assert_eq!(facts.metadata["external data"], "../../etc/passwd, weights.bin");
}

#[test]
fn safetensors_list_their_tensors() {
    let facts = read("layer.safetensors");
    assert_eq!(tensors(&facts), ["layer.weight Some(Fp32) [3, 4]", "layer.bias Some(Fp16) [3]"]);
    assert_eq!((facts.n_parameters, facts.framework.as_deref()), (Some(15), Some("pytorch")));
}

#[test]
fn safetensors_whose_offsets_leave_the_file_are_an_error() {
    let file = |header: &str, n_data: usize| {
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header.as_bytes());
        bytes.resize(bytes.len() + n_data, 0);
        read_bytes("x.safetensors", &bytes).error
    };
    let tensor =
        |from: u64, to: u64| format!(r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[{from},{to}]}}}}"#);
    assert_eq!(file(&tensor(0, 8), 8), None);
    assert_eq!(file(&tensor(0, 8), 4).unwrap(), "its tensors take 8 bytes and the file holds 4 for them");
    assert!(file(&tensor(8, 16), 16).unwrap().starts_with("its header is malformed"));
    assert!(file(&tensor(0, 4), 4).unwrap().starts_with("its header is malformed"));
    let mut claims = u64::MAX.to_le_bytes().to_vec();
    claims.extend(b"{}");
    assert!(read_bytes("x.safetensors", &claims).error.is_some());
}

#[test]
fn a_pytorch_archive_lists_its_tensors_by_path() {
    let facts = read("state.pt");
    assert_eq!(facts.format, Format::Pytorch);
    assert_eq!(tensors(&facts), ["model.fc.weight Some(Fp32) [3, 4]", "model.fc.bias Some(Fp16) [3]"]);
    assert_eq!((facts.hyperparameters["epoch"].as_i64(), facts.n_parameters), (Some(7), Some(15)));
    let legacy = read("legacy.pth");
    assert_eq!((legacy.format, legacy.class.as_deref()), (Format::Pytorch, Some("dict of torch.Tensor")));
    assert_eq!(legacy.tensors, read("short.pt").tensors);
}

#[test]
fn a_pytorch_archive_that_lacks_bytes_is_an_error() {
    let error = read("short.pt").error.unwrap();
    assert_eq!(error, "the storage `0` holds 40 bytes and its tensors need 48");
}

#[test]
fn numbers_that_two_tensors_share_are_counted_once() {
    let facts = read("real.tied.pt");
    assert_eq!(tensors(&facts), ["embedding Some(Fp32) [10, 144]", "head Some(Fp32) [144, 10]"]);
    assert_eq!(facts.n_parameters, Some(1440));
}

#[test]
fn a_whole_pytorch_module_names_its_layers_and_its_own_class_as_unknown() {
    let facts = read("module.pt");
    assert_eq!(steps(&facts), ["fc torch.nn.modules.linear.Linear"]);
    assert_eq!(tensors(&facts), ["fc.weight Some(Fp32) [3, 4]"]);
    assert_eq!(dangers(&facts), ["Unknown __main__.Net GLOBAL at 2", "Unknown __main__.Net REDUCE at 17"]);
    assert_eq!(dangers(&read("script.pt")), ["Unknown TorchScript code/"]);
    assert_eq!(
        dangers(&read("evil.pt")),
        ["Dangerous posix.system GLOBAL at 298", "Dangerous posix.system REDUCE at 326"]
    );
}

#[test]
fn a_keras_archive_tells_its_layers_and_its_tensors() {
    let facts = read("dense.keras");
    assert_eq!(facts.versions["keras"], "3.12.0");
    assert_eq!(
        steps(&facts),
        ["image keras.layers.InputLayer", "flatten keras.layers.Flatten", "scores keras.layers.Dense"]
    );
    assert_eq!(
        (facts.inputs[0].name.as_str(), facts.inputs[0].shape.as_slice()),
        ("image", &[-1, 28, 28, 1][..])
    );
    assert_eq!(
        (facts.outputs[0].name.as_str(), facts.outputs[0].shape.as_slice()),
        ("scores", &[-1, 10][..])
    );
    assert_eq!(facts.steps[2].hyperparameters["units"], 10);
}

#[test]
fn a_trained_keras_archive_tells_its_layers_and_takes_batches_of_any_length() {
    let facts = read("real.sequential.keras");
    assert_eq!((facts.class.as_deref(), facts.steps.len()), (Some("keras.Sequential"), 6));
    assert_eq!(facts.steps[1].hyperparameters["filters"], 4);
    assert_eq!(
        (facts.inputs[0].shape.as_slice(), facts.outputs[0].shape.as_slice()),
        (&[-1, 8, 8, 1][..], &[-1, 10][..])
    );
}

#[test]
fn a_layer_from_the_script_that_was_run_is_not_keras_own() {
    assert_eq!(dangers(&read("real.unregistered.keras")), ["Unknown Shifted `own` in config.json"]);
}

#[test]
fn a_keras_archive_that_brings_code_is_dangerous() {
    assert_json_snapshot!(dangers(&read("lambda.keras")), @r#"
    [
      "Dangerous keras.layers.Lambda `sly` in config.json",
      "Dangerous __lambda__ config.json",
      "Dangerous os.system config.json"
    ]
    "#);
}

#[test]
fn what_is_not_read_is_named() {
    let error = |name: &str, bytes: &[u8]| read_bytes(name, bytes).error.unwrap();
    assert_eq!(
        read("logistic.xz.joblib").error.unwrap(),
        "its content is compressed with xz, which is not read"
    );
    assert_eq!(dangers(&read("logistic.xz.joblib")), ["Unknown the rest of the file from byte 0"]);
    assert_eq!(error("model.h5", b"\x89HDF\r\n\x1a\n...."), "its content is HDF5, which is not read");
    assert_eq!(error("model.onnx", b""), "the file is empty");
    assert_eq!(
        error("model.onnx", b"<html>404</html>"),
        "its content is of no model format that can be read here"
    );
}

#[test]
fn a_file_is_what_its_content_is_whatever_its_name() {
    assert_eq!(read_bytes("model.onnx", &super::bytes("forest.p4.pkl")).format, Format::Pickle);
    assert_eq!(read_bytes("model.pkl", &super::bytes("forest.onnx")).format, Format::Onnx);
    assert_eq!(read_bytes("model.safetensors", &super::bytes("state.pt")).format, Format::Pytorch);
    assert_eq!(read_bytes("model.bin", &super::bytes("logistic.p0.pkl")).format, Format::Pickle);
}
