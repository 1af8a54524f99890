//! The examples of `examples/reproduce`: trainings that nobody seeded, recorded and trained again.
//!
//! Each is recorded twice, since a training that comes out the same anyway would prove nothing.

use crate::reenact::Home;

/// The Python that has what the examples train with.
pub fn python() -> String {
    std::env::var("REENACT_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned())
}

/// Records a script twice, replays the first, and compares.
fn check(script: &str) {
    // Threads of libraries that wait by turning would fight the other tests for the processor.
    let home = Home::new().with("OMP_NUM_THREADS", "1").with("OPENBLAS_NUM_THREADS", "1");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/reproduce/");
    home.write(script, std::fs::read(format!("{source}{script}")).unwrap());
    for name in ["first", "second"] {
        home.ask(&["record", "-o", name, "--", &python(), script]);
    }
    let natively = home.run(&["verify", "first", "second"]);
    assert!(natively.code == Some(1) && natively.stdout.contains("verdict: different"), "{natively}");
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
fn boosted_trees_with_drawn_seeds_train_again_to_the_same_bits() {
    check("boosting.py");
}

#[test]
fn workers_by_fork_spawn_and_forkserver_draw_the_same_again() {
    check("workers.py");
}
