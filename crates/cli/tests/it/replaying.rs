//! A replay is on its own: it reads and writes where it runs, asks for what the recording asked for, and names what it
//! could not tell apart.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::reenact::Home;
use crate::reproducing::python;

fn capsule(home: &Home, name: &str) -> Value {
    serde_json::from_slice(&fs::read(home.path().join(name).join("capsule.json")).unwrap()).unwrap()
}

fn paths(files: &Value) -> Vec<&str> {
    files.as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect()
}

#[test]
fn whole_paths_in_the_command_lead_into_the_replays_own_folder() {
    let home = Home::new();
    let here = home.path().canonicalize().unwrap();
    let whole = |name: &str| here.join(name).display().to_string();
    let home = home.with("PYTHONPATH", &whole("lib"));
    home.write("lib/words.py", "WORD = 'recorded'\n");
    home.write(
        "t.py",
        "import sys, words\nopen(sys.argv[1].split('=')[1], 'w').write(words.WORD)\nprint(words.WORD)\n",
    );
    let out = format!("--out={}", whole("out.txt"));
    home.ask(&["record", "-o", "a", "--", &python(), &whole("t.py"), &out]);
    assert_eq!(paths(&capsule(&home, "a")["outputs"]), ["out.txt"]);
    home.write("lib/words.py", "WORD = 'changed since'\n");
    home.write("out.txt", "mine");
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert!(replayed.code == Some(0) && replayed.stdout.starts_with("recorded\n"), "{replayed}");
    assert_eq!(fs::read_to_string(home.path().join("out.txt")).unwrap(), "mine");
    let again = home.run(&["replay", "b", "-o", "c"]);
    assert!(again.code == Some(0) && again.stdout.starts_with("recorded\n"), "{again}");
}

#[test]
fn a_replay_that_reaches_into_the_recordings_folder_is_not_complete() {
    let home = Home::new();
    home.write("in.txt", "1");
    let input = home.path().canonicalize().unwrap().join("in.txt");
    home.write("t.py", format!("open('out.txt', 'w').write(open({input:?}).read())\n"));
    home.ask(&["record", "-o", "a", "--", &python(), "t.py"]);
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert!(replayed.code == Some(1) && replayed.stderr.contains("first `in.txt`"), "{replayed}");
    assert_eq!(capsule(&home, "b")["strayed"], serde_json::json!(["in.txt"]));
}

#[test]
fn a_replay_asks_for_what_the_recording_asked_for() {
    let home = Home::new();
    home.write(
        "t.py",
        "import os, random\nopen('kept.txt', 'w').write('x')\nopen('noise.txt', 'w').write(str(os.getpid()))\nprint('step 1 -> 0.5')\n",
    );
    let pattern = r"step \d+ -> (?P<score>\S+)";
    let flags = ["--outputs", "kept*", "--metric-pattern", pattern];
    home.ask(&[&["record", "-o", "a"], &flags[..], &["--", &python(), "t.py"]].concat());
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert_eq!(replayed.code, Some(0), "{replayed}");
    let record = capsule(&home, "b");
    assert_eq!(paths(&record["outputs"]), ["kept.txt"]);
    assert_eq!(record["metrics"]["score"], serde_json::json!([0.5]));
    assert_eq!(record["wanted"], serde_json::json!({"outputs": ["kept*"], "metric_pattern": pattern}));
    let otherwise = home.run(&["replay", "a", "-o", "c", "--outputs", "noise*"]);
    assert!(
        otherwise.code == Some(1) && paths(&capsule(&home, "c")["outputs"]) == ["noise.txt"],
        "{otherwise}"
    );

    let mut edited = capsule(&home, "a");
    edited["wanted"]["metric_pattern"] = "(".into();
    home.write("a/capsule.json", edited.to_string());
    let refused = home.run(&["replay", "a", "-o", "d"]);
    assert!(
        refused.code == Some(1) && refused.stderr.contains("`(` in the capsule is no pattern"),
        "{refused}"
    );
}

#[test]
fn what_is_opened_to_be_changed_and_is_not_is_an_input() {
    let home = Home::new();
    home.write("make.py", "import sqlite3\nbase = sqlite3.connect('rows.db')\nbase.execute('create table t (x)')\nbase.execute('insert into t values (7)')\nbase.commit()\n");
    assert!(Command::new(python()).arg("make.py").current_dir(home.path()).status().unwrap().success());
    home.write("old.txt", "x");
    home.write("state.bin", "1");
    // The times of what was made before are no newer than the beginning of a run.
    std::thread::sleep(Duration::from_millis(50));
    home.write(
        "t.py",
        "import shutil, sqlite3\nprint(sqlite3.connect('rows.db').execute('select x from t').fetchall())\n\
         shutil.copy2('old.txt', 'copy.txt')\n\
         with open('state.bin', 'r+b') as state:\n    n = int(state.read()); state.seek(0); state.write(b'%d' % (n + 1))\n\
         with open('new.bin', 'w+b') as new:\n    new.write(b'y'); new.seek(0); new.read()\n",
    );
    let recorded = home.run(&["record", "-o", "a", "--", &python(), "t.py"]);
    assert_eq!(recorded.code, Some(0), "{recorded}");
    let record = capsule(&home, "a");
    assert_eq!(paths(&record["inputs"]), ["old.txt", "rows.db"], "{record:#}");
    assert_eq!(paths(&record["outputs"]), ["copy.txt", "new.bin", "state.bin"], "{record:#}");
    assert!(recorded.stderr.contains("`state.bin` was read and then written"), "{recorded}");
    assert!(!recorded.stderr.contains("new.bin") && !recorded.stderr.contains("copy.txt"), "{recorded}");
    let replayed = home.run(&["replay", "a", "-o", "b"]);
    assert!(replayed.stdout.starts_with("[(7,)]\n"), "{replayed}");
}

#[test]
fn a_process_that_is_left_behind_outlives_the_sealing_of_its_log() {
    let home = Home::new();
    home.write(
        "left.py",
        "import os, time\nend = time.monotonic() + 60\n\
         while '\"complete\"' not in open('a/capsule.json').read() and time.monotonic() < end: time.sleep(0.01)\n\
         for _ in range(20000): os.urandom(32)\n\
         open('done.txt', 'w').write('x')\n",
    );
    let python = python();
    home.write("t.sh", format!("{python} left.py > left.txt 2>&1 &\n"));
    home.ask(&["record", "-o", "a", "--", "sh", "t.sh"]);
    let deadline = Instant::now() + Duration::from_secs(60);
    while !home.path().join("done.txt").exists() {
        assert!(Instant::now() < deadline, "it was ended when its log was sealed");
        std::thread::sleep(Duration::from_millis(20));
    }
    // What came after the end is not in the log, whose digest holds.
    assert_ne!(home.run(&["replay", "a", "-o", "b"]).code, None);
    let shown = home.run(&["verify", "a", "a"]);
    assert!(!shown.stderr.contains("is not what the capsule says"), "{shown}");
}

#[test]
fn a_command_whose_words_cannot_be_kept_goes_on_and_the_record_says_so() {
    let home = Home::new();
    home.write("t.py", "import sys\nfor _ in range(3000): print('x' * 1023)\nsys.exit(3)\n");
    let binary = env!("CARGO_BIN_EXE_reenact");
    let python = python();
    let limited = format!("trap '' XFSZ; ulimit -f 2048; exec {binary} record -o a -- {python} t.py");
    let mut command = Command::new("sh");
    command.args(["-c", &limited]).current_dir(home.path()).env("HOME", home.path());
    let ended: crate::reenact::Ended = command.output().unwrap().into();
    assert_eq!((ended.code, ended.stdout.len()), (Some(3), 3000 * 1024), "{}", ended.stderr);
    assert!(ended.stderr.contains("`stdout.txt` is cut"), "{}", ended.stderr);
    assert_eq!(capsule(&home, "a")["state"], "complete");
}

#[test]
fn an_environment_in_the_folder_of_a_run_is_no_code_of_its() {
    let home = Home::new();
    let site = "venv/lib/python3.11/site-packages";
    home.write(&format!("{site}/package.py"), "name = 'found'\n");
    home.write("own.py", "name = 'own'\n");
    home.write(
        "t.py",
        format!("import sys\nsys.path.append('{site}')\nimport own, package\nprint(package.name)\n"),
    );
    home.ask(&["record", "-o", "a", "--", &python(), "t.py"]);
    let text = fs::read(home.path().join("a/capsule.json")).unwrap();
    let record: Value = serde_json::from_slice(&text).unwrap();
    let code: Vec<_> = record["code"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
    assert_eq!(code, ["own.py", "t.py"]);
}
