//! The examples of `examples/reproduce`: trainings that nobody seeded, recorded and trained again.
//!
//! Each is recorded twice, since a training that comes out the same anyway would prove nothing.

use crate::reenact::Home;

/// The Python that has what the examples train with.
pub fn python() -> String {
    std::env::var("REENACT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// A Python that has PyTorch, where this machine has one.
pub fn torch_python() -> Option<String> {
    std::env::var("REENACT_TEST_TORCH_PYTHON").ok()
}

/// The text of one of the examples.
pub fn example(script: &str) -> Vec<u8> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/reproduce/");
    std::fs::read(format!("{source}{script}")).unwrap()
}

/// Records a script twice, replays the first, and compares.
fn check(script: &str) -> Home {
    check_with(&python(), script)
}

fn check_with(python: &str, script: &str) -> Home {
    check_in(Home::new(), python, script)
}

fn check_in(home: Home, python: &str, script: &str) -> Home {
    // Threads of libraries that wait by turning would fight the other tests for the processor.
    let home = home.with("OMP_NUM_THREADS", "1").with("OPENBLAS_NUM_THREADS", "1");
    home.write(script, example(script));
    for name in ["first", "second"] {
        home.ask(&["record", "-o", name, "--", python, script]);
    }
    let natively = home.run(&["verify", "first", "second"]);
    // Two that were drawn apart may well tell the same classes.
    assert!(natively.code == Some(1) && natively.stdout.contains("C1  weights      different"), "{natively}");
    assert!(natively.stdout.contains("each drew entropy of its own"), "{natively}");

    let replayed = home.run(&["replay", "first", "-o", "again"]);
    assert!(replayed.code == Some(0) && replayed.stdout.contains("verdict: bitwise"), "{script}\n{replayed}");
    let report = home.ask(&["verify", "first", "again", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["verdict"], "bitwise", "{report:#}");
    for finding in report["findings"].as_array().unwrap() {
        assert_ne!(finding["standing"], "different", "{finding:#}");
    }
    assert_eq!(report["findings"][1]["standing"], "equal", "the weights were not compared\n{report:#}");
    let entropy = std::fs::read_dir(home.path().join("first/entropy")).unwrap();
    let n_bytes: u64 = entropy.map(|log| log.unwrap().metadata().unwrap().len()).sum();
    assert!(n_bytes < 100_000, "{script} left {n_bytes} bytes of entropy");
    home
}

#[test]
fn an_unseeded_network_in_numpy_trains_again_to_the_same_bits() {
    check("numpy_mlp.py");
}

#[test]
fn a_forest_of_threads_and_a_network_that_stops_early_train_again_to_the_same_bits() {
    check("sklearn_forest.py");
}

#[test]
fn models_of_tables_and_a_regression_train_again_to_the_same_bits() {
    check("sklearn_tables.py");
}

#[test]
fn trees_that_workers_of_loky_grow_grow_again_to_the_same_bits() {
    check("loky.py");
}

#[test]
fn boosted_trees_with_drawn_seeds_train_again_to_the_same_bits() {
    check("boosting.py");
}

#[test]
fn workers_by_fork_spawn_and_forkserver_draw_the_same_again() {
    check("workers.py");
}

#[test]
fn tasks_that_any_worker_of_a_pool_may_take_draw_the_same_again() {
    let home = check("pools.py");
    let shown = home.ask(&["runs", "show", "first"]);
    assert!(shown.contains("in tasks of pools, each task with a key of its own"), "{shown}");
}

#[test]
fn a_network_of_keras_on_jax_trains_again_to_the_same_bits_and_says_its_losses() {
    // Keras keeps settings in the user's home, which in a test is the folder of the run.
    let settings = tempfile::tempdir().unwrap();
    std::fs::write(settings.path().join("keras.json"), "{}\n").unwrap();
    let home = Home::new().with("KERAS_HOME", settings.path().to_str().unwrap());
    let home = check_in(home, &python(), "keras_lenet.py");
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(home.path().join("first/capsule.json")).unwrap()).unwrap();
    assert_eq!(record["metrics"]["loss"].as_array().unwrap().len(), 2, "{}", record["metrics"]);
    // Tensors are compared: the archive has a time stamp, and its settings another order of bytes.
    let report = home.run(&["verify", "first", "second", "--json"]);
    assert!(report.stdout.contains("lenet.keras: layers/"), "{report}");
}

/// The same with a Python that has PyTorch, where there is one.
fn check_torch(script: &str) {
    if let Some(python) = torch_python() {
        check_with(&python, script);
    }
}

#[test]
fn the_lenets_of_pytorch_train_again_to_the_same_bits() {
    check_torch("torch_lenets.py");
}

#[test]
fn a_residual_and_a_wide_network_train_again_to_the_same_bits() {
    check_torch("torch_residual.py");
}

#[test]
fn loader_workers_of_pytorch_load_the_same_again_however_they_were_started() {
    check_torch("torch_loaders.py");
}

/// The first five minutes of the guide, as they stand on its page.
#[test]
fn the_first_steps_of_the_guide_lead_from_a_script_to_a_capsule_that_is_verified() {
    let page = include_str!("../../../../docs/reproducibility.md");
    let block = page.split("```\n").nth(1).unwrap();
    let home = Home::new();
    home.write("examples/reproduce/numpy_mlp.py", example("numpy_mlp.py"));
    let bin = |path: &str| std::path::Path::new(path).parent().unwrap().to_owned();
    let own = [bin(env!("CARGO_BIN_EXE_reenact")), bin(&python()), "/usr/bin".into(), "/bin".into()];
    let path = std::env::join_paths(own).unwrap();
    let mut ends = Vec::new();
    for line in block.lines().skip(1) {
        let mut shell = std::process::Command::new("sh");
        shell.args(["-c", line]).current_dir(home.path().join("examples/reproduce")).env_clear();
        let ended = shell.env("PATH", &path).env("HOME", home.path()).output().unwrap();
        ends.push((ended.status.code(), String::from_utf8(ended.stdout).unwrap()));
    }
    let codes: Vec<_> = ends.iter().map(|(code, _)| code.unwrap()).collect();
    assert_eq!(codes, [0, 0, 1, 0, 0], "{block}\n{ends:#?}");
    assert!(ends[2].1.contains("verdict: different") && ends[4].1.contains("verdict: bitwise"), "{ends:#?}");
    assert!(home.path().join("examples/reproduce/report.html").is_file());
}
