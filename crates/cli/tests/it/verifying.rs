//! What a comparison may not overlook: values that are no arrays, files that are not held, numbers that are none.

use std::process::Command;

use serde_json::Value;

use crate::reenact::{Ended, Home};
use crate::reproducing::python;

/// Two folders with one file each, compared.
fn compared(name: &str, a: &[u8], b: &[u8]) -> Ended {
    let home = Home::new();
    home.write(&format!("a/{name}"), a);
    home.write(&format!("b/{name}"), b);
    home.write("a/metrics.json", "{}");
    home.write("b/metrics.json", "{}");
    home.run(&["verify", "a", "b"])
}

#[test]
fn numbers_in_a_pickle_without_arrays_are_weights_and_predictions() {
    let [a, b] = ["0.1", "0.2"].map(|number| format!("(dp0\nS'w'\np1\nF{number}\ns."));
    for name in ["model.pkl", "preds.pkl"] {
        assert_eq!(compared(name, a.as_bytes(), a.as_bytes()).code, Some(0), "{name}");
        let ended = compared(name, a.as_bytes(), b.as_bytes());
        assert!(ended.code == Some(1) && ended.stdout.contains("verdict: different"), "{name}\n{ended}");
    }
}

#[test]
fn a_file_of_weights_that_cannot_be_followed_is_not_passed_over() {
    // Each names something that only its own loader knows.
    let [a, b] = ["first", "other"].map(|id| format!("S'{id}'\nP{id}\n0."));
    let ended = compared("model.pkl", a.as_bytes(), b.as_bytes());
    assert!(ended.code == Some(1) && ended.stdout.contains("verdict: different"), "{ended}");
}

/// Writes the same array three times, with other values beside it and in other containers.
const WRITE: &str = "
import gzip, pickle, numpy as np
array = np.arange(12.0)
for folder, bias, time in [('a', 0.5, 1), ('b', 0.75, 2), ('c', 0.5, 2)]:
    values = {'weights': array, 'bias': bias, 'booster': bytearray(b'trees' * int(bias * 4))}
    with open(f'{folder}/model.pkl', 'wb') as file:
        pickle.dump(values, file)
    with open(f'{folder}/preds.pkl', 'wb') as file:
        pickle.dump([array, bias], file)
    with gzip.GzipFile(f'{folder}/packed.pkl', 'wb', mtime=time) as file:
        pickle.dump(values, file)
";

#[test]
fn what_stands_beside_equal_arrays_counts_and_the_time_in_a_container_does_not() {
    let home = Home::new();
    for folder in ["a", "b", "c"] {
        std::fs::create_dir(home.path().join(folder)).unwrap();
    }
    home.write("write.py", WRITE);
    let written = Command::new(python()).arg("write.py").current_dir(home.path()).status().unwrap();
    assert!(written.success());
    let report: Value = serde_json::from_str(&home.run(&["verify", "a", "b", "--json"]).stdout).unwrap();
    for finding in [&report["findings"][1], &report["findings"][2]] {
        assert_eq!(finding["standing"], "different", "{report:#}");
        let what = finding["differences"][0]["what"].as_str().unwrap();
        assert!(what.ends_with("all that is no array"), "{report:#}");
    }
    assert_eq!(report["findings"][1]["differences"].as_array().unwrap().len(), 2, "{report:#}");
    assert_eq!(home.run(&["verify", "a", "c"]).code, Some(0));
}

#[test]
fn outputs_that_are_not_held_are_compared_by_their_digests() {
    let home = Home::new();
    home.write(
        "t.py",
        "import sys\nopen('notes.txt', 'w').write('same')\nopen('model.bin', 'w').write(sys.argv[1])\n",
    );
    for (name, text) in [("a", "1"), ("b", "2"), ("c", "1")] {
        home.ask(&["record", "-o", name, "--", &python(), "t.py", text]);
        // As it would be were the file longer than what a capsule holds.
        let path = home.path().join(name).join("capsule.json");
        let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let model = &mut record["outputs"][0];
        assert_eq!(model["path"], "model.bin");
        model["is_held"] = false.into();
        std::fs::write(&path, record.to_string()).unwrap();
        std::fs::remove_file(home.path().join(name).join("outputs/model.bin")).unwrap();
    }
    let ended = home.run(&["verify", "a", "b"]);
    assert!(ended.code == Some(1) && ended.stdout.contains("model.bin"), "{ended}");
    assert_eq!(home.run(&["verify", "a", "c"]).code, Some(0));
    home.write("plain/model.bin", "1");
    home.write("plain/notes.txt", "same");
    assert_eq!(home.run(&["verify", "a", "plain"]).code, Some(0));
}

#[test]
fn a_run_whose_loss_is_no_number_can_be_read_and_compared() {
    let home = Home::new();
    home.write("t.py", "print('loss=nan')\nprint('loss=inf')\nprint('loss=-inf')\n");
    for name in ["a", "b"] {
        home.ask(&["record", "-o", name, "--", &python(), "t.py"]);
    }
    let record: Value = serde_json::from_str(&home.ask(&["runs", "show", "a", "--json"])).unwrap();
    assert_eq!(record["metrics"]["loss"], serde_json::json!(["nan", "inf", "-inf"]), "{record:#}");
    assert_eq!(home.run(&["verify", "a", "b"]).code, Some(0));
}
