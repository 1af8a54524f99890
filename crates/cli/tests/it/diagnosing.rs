//! What makes runs differ: named by the doctor with its line, taken away by the patch, and measured by variance.

use serde_json::Value;

use crate::reenact::Home;
use crate::reproducing::{example, python, torch_python};

const CHANCE: &str = "\
import os, random, time
import numpy as np
rng = np.random.default_rng()
np.random.shuffle([1, 2])
random.seed(int(time.time()))
for name in {'a', 'b'}: pass
for name in sorted({'a', 'b'}): pass
os.listdir('.')
sorted(os.listdir('.'))
key = os.urandom(4)
np.random.seed(1)
np.random.rand()
";

fn diagnosis(home: &Home, arguments: &[&str]) -> Value {
    serde_json::from_str(&home.ask(&[&["doctor", "--json"], arguments].concat())).unwrap()
}

/// Kinds, with the lines that are named of each.
fn named(found: &Value) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let places = |cause: &Value| {
        let places = cause["places"].as_array().cloned().unwrap_or_default();
        places.iter().map(text).collect()
    };
    found["causes"].as_array().unwrap().iter().map(|cause| (text(&cause["kind"]), places(cause))).collect()
}

#[test]
fn the_doctor_names_the_lines_that_leave_something_to_chance_and_no_others() {
    let home = Home::new().with("OMP_NUM_THREADS", "1").with("OPENBLAS_CORETYPE", "Haswell");
    home.write("t.py", CHANCE);
    let found = diagnosis(&home, &["--", &python(), "t.py"]);
    let expected = [
        ("unseeded", "t.py:4"),
        ("unseeded", "t.py:3"),
        ("entropy", "t.py:10"),
        ("clock-seed", "t.py:5"),
        ("set-order", "t.py:6"),
        ("folder-order", "t.py:8"),
    ];
    let expected = expected.map(|(kind, place)| (kind.to_owned(), vec![place.to_owned()]));
    assert_eq!(named(&found), expected, "{found:#}");
    let said = home.ask(&["doctor", "--", &python(), "t.py"]);
    assert!(said.contains("6 causes, of which 2 need a change to the program"), "{said}");
    home.write("calm.py", "import random\nrandom.seed(1)\nprint(random.random())\n");
    let said = home.ask(&["doctor", "--", &python(), "calm.py"]);
    assert!(said.contains("nothing was found"), "{said}");
}

#[test]
fn a_patch_is_proven_by_two_runs_and_can_be_used_without_us() {
    let home = Home::new();
    home.write("numpy_mlp.py", example("numpy_mlp.py"));
    let found = diagnosis(&home, &["--patch", "--", &python(), "numpy_mlp.py"]);
    assert_eq!(found["patch"]["is_proven"], true, "{found:#}");
    assert_eq!(found["patch"]["variables"]["PYTHONHASHSEED"], "0");
    let losses = || {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", &format!(". ./reenact-patch/env && {} numpy_mlp.py", python())]);
        shell.current_dir(home.path()).output().unwrap().stdout
    };
    let first = losses();
    assert!(first == losses() && String::from_utf8(first).unwrap().contains("epoch 29"));
}

#[test]
fn a_patch_that_does_not_help_says_so() {
    let home = Home::new();
    home.write("t.py", "import os\nopen('out.bin', 'wb').write(os.urandom(8))\n");
    let ended = home.run(&["doctor", "--patch", "--", &python(), "t.py"]);
    assert!(ended.code == Some(1) && ended.stdout.contains("two runs still differ"), "{ended}");
    home.write("taken/notes.txt", "mine");
    let ended = home.run(&["doctor", "--patch", "--patch-folder", "taken", "--", &python(), "t.py"]);
    assert!(ended.code == Some(1) && ended.stderr.contains("`taken` is not empty"), "{ended}");
    let failed = home.run(&["doctor", "--", &python(), "-c", "raise SystemExit(3)"]);
    assert!(failed.code == Some(3) && failed.stdout.is_empty(), "{failed}");
}

#[test]
fn operations_of_pytorch_are_named_from_its_own_list_with_their_lines() {
    let Some(python) = torch_python() else { return };
    let home = Home::new().with("OMP_NUM_THREADS", "1");
    home.write(
        "t.py",
        "import torch\ntorch.manual_seed(0)\nlayer = torch.nn.Conv2d(1, 1, 3)\nlayer(torch.ones(1, 1, 5, 5))\n\
         torch.zeros(3).put_(torch.tensor([0]), torch.tensor([1.0]))\ntorch.bmm(torch.ones(1, 2, 2), torch.ones(1, 2, 2))\n",
    );
    let found = diagnosis(&home, &["--", &python, "t.py"]);
    let operations: Vec<(String, String, String)> = found["causes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|cause| cause["kind"] == "operation")
        .map(|cause| {
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            (text(&cause["summary"]), text(&cause["places"][0]), text(&cause["cure"]))
        })
        .collect();
    let met = |name: &str, place: &str, cure: &str| {
        operations.iter().any(|(summary, at, of)| summary.contains(name) && at == place && of == cure)
    };
    assert!(met("torch.nn.Conv2d", "t.py:4", "not-here"), "{operations:#?}");
    assert!(met("torch.bmm", "t.py:6", "not-here"), "{operations:#?}");
    assert!(met("put_", "t.py:5", "source"), "{operations:#?}");
}

#[test]
fn runs_that_nobody_seeded_are_measured_and_compared_with_others() {
    let home = Home::new().with("OMP_NUM_THREADS", "1").with("OPENBLAS_NUM_THREADS", "1");
    home.write("t.py", example("numpy_mlp.py"));
    let command = ["variance", "-n", "4", "--json"];
    let ask = |more: &[&str]| -> Value {
        let python = python();
        let arguments = [&command, more, &["--", &python, "t.py"]].concat();
        serde_json::from_str(&home.ask(&arguments)).unwrap()
    };
    let found = ask(&["-o", "before"]);
    assert_eq!((&found["n_results"], &found["n_failed"]), (&4.into(), &0.into()), "{found:#}");
    let loss = &found["metrics"][0];
    assert!(loss["name"] == "loss" && loss["spread"]["deviation"].as_f64().unwrap() > 0.0, "{loss:#}");
    let churn = &found["churn"];
    assert_eq!((&churn["n_predictions"], &churn["n_pairs"]), (&512.into(), &6.into()));
    assert!(churn["mean"].as_f64().unwrap() > 0.0 && churn["max"].as_f64() >= churn["mean"].as_f64());

    let worse = String::from_utf8(example("numpy_mlp.py")).unwrap().replace("range(30)", "range(2)");
    home.write("t.py", worse.replace("default_rng()", "default_rng(1)"));
    let found = ask(&["-o", "after", "--against", "before", "--html", "page.html"]);
    assert_eq!((&found["n_results"], &found["churn"]["mean"]), (&1.into(), &0.0.into()), "{found:#}");
    let effect = &found["metrics"][0]["effect"];
    assert_eq!((&effect["delta"], &effect["size"]), (&1.0.into(), &"large".into()), "{found:#}");
    let page = std::fs::read_to_string(home.path().join("page.html")).unwrap();
    assert!(page.contains("all with the same result") && page.contains("<circle") && !page.contains("http"));

    let none = home.run(&["variance", "-n", "2", "-o", "x", "--against", "a-file", "--", "true"]);
    assert!(none.code == Some(1) && none.stderr.contains("`a-file`"), "{none}");
    let failed = home.run(&["variance", "-n", "2", "--", "false"]);
    assert!(failed.code == Some(1) && failed.stderr.contains("the command failed"), "{failed}");
}

/// Draws without a seed, and sums in a graph and outside of one.
const TENSORFLOW: &str = r#"
import numpy as np
import tensorflow as tf

x = tf.random.normal((8, 6, 6, 1))
kernel = tf.Variable(tf.random.uniform((3, 3, 1, 2), seed=1))

@tf.function
def step(x):
    with tf.GradientTape() as tape:
        y = tf.nn.conv2d(x, kernel, 1, "SAME")
        loss = tf.reduce_sum(tf.reshape(y, (8, -1)))
    return tape.gradient(loss, kernel)

for _ in range(3):
    kernel.assign_sub(0.1 * step(x))
tf.math.segment_sum(tf.ones((4, 2)), [0, 0, 1, 1])
np.save("weights.npy", kernel.numpy())
"#;

#[test]
fn tensorflow_is_diagnosed_and_patched() {
    if std::env::var("REENACT_TEST_TENSORFLOW").as_deref() != Ok("1") {
        eprintln!("skipped: REENACT_TEST_TENSORFLOW is not 1: TensorFlow is 300 MB");
        return;
    }
    let python = std::env::var("REENACT_TEST_TENSORFLOW_PYTHON").unwrap_or_else(|_| python());
    let home = Home::new().with("TF_CPP_MIN_LOG_LEVEL", "3");
    home.write("t.py", TENSORFLOW);
    let found = diagnosis(&home, &["--patch", "--outputs", "weights.npy", "--", &python, "t.py"]);
    let causes = named(&found);
    let met =
        |kind: &str, place: &str| causes.iter().any(|(of, at)| of == kind && at.contains(&place.to_owned()));
    assert!(met("unseeded", "t.py:5"), "{causes:#?}");
    assert!(met("operation", "t.py:16") && met("operation", "t.py:17"), "{causes:#?}");
    assert!(!met("unseeded", "t.py:6"), "{causes:#?}");
    assert_eq!(found["patch"]["is_proven"], true, "{found:#?}");
}
