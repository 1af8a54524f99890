//! Signals and time: what the recorder is told, the command is told, and what does not end is ended.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::reenact::{Ended, Home};
use crate::reproducing::python;

/// Starts a recording of a script and waits until it has said `ready`.
fn start(home: &Home, script: &str) -> Child {
    home.write("t.py", script);
    let mut command = home.command(&["record", "-o", "a", "--", &python(), "-u", "t.py"]);
    let child = command.process_group(0).spawn().unwrap();
    wait_until("it never was ready", || said(home).contains("ready"));
    child
}

fn said(home: &Home) -> String {
    std::fs::read_to_string(home.path().join("a/stdout.txt")).unwrap_or_default()
}

fn wait_until(otherwise: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(Instant::now() < deadline, "{otherwise}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn tell(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

fn finish(child: Child) -> Ended {
    child.wait_with_output().unwrap().into()
}

fn capsule(home: &Home) -> Value {
    serde_json::from_slice(&std::fs::read(home.path().join("a/capsule.json")).unwrap()).unwrap()
}

#[test]
fn a_command_that_handles_a_signal_ends_as_it_likes_and_its_record_is_whole() {
    for signal in ["-TERM", "-INT"] {
        let home = Home::new();
        let child = start(
            &home,
            "import signal, sys, time\n\
             def end(*_): print('saved'); sys.exit(5)\n\
             signal.signal(signal.SIGTERM, end); signal.signal(signal.SIGINT, end)\n\
             print('ready'); time.sleep(60)\n",
        );
        tell(&child, signal);
        let ended = finish(child);
        assert!(ended.code == Some(5) && ended.stdout.contains("saved"), "{signal}\n{ended}");
        assert_eq!(
            (&capsule(&home)["state"], &capsule(&home)["exit"]["code"]),
            (&"complete".into(), &5.into())
        );
    }
}

#[test]
fn a_command_that_is_ended_by_a_signal_gives_its_code_as_a_shell_would() {
    let home = Home::new();
    let child = start(&home, "import time\nprint('ready'); time.sleep(60)\n");
    tell(&child, "-TERM");
    let ended = finish(child);
    assert_eq!(ended.code, Some(143), "{ended}");
    assert_eq!(capsule(&home)["exit"]["signal"], 15);
}

#[test]
fn the_third_signal_kills_a_command_and_all_that_it_started() {
    let home = Home::new();
    let child = start(
        &home,
        "import signal, subprocess, time\n\
         signal.signal(signal.SIGTERM, lambda *_: print('not now'))\n\
         print('child', subprocess.Popen(['sleep', '60']).pid)\nprint('ready')\n\
         while True: time.sleep(1)\n",
    );
    let grandchild = said(&home).split_whitespace().nth(1).unwrap().to_owned();
    for n in 1..=2 {
        tell(&child, "-TERM");
        wait_until("it was not told", || said(&home).matches("not now").count() == n);
    }
    tell(&child, "-TERM");
    let ended = finish(child);
    assert_eq!(ended.code, Some(137), "{ended}");
    let is_gone = || {
        let about = std::fs::read_to_string(format!("/proc/{grandchild}/stat")).unwrap_or_default();
        about.is_empty() || about.contains(") Z ")
    };
    wait_until("what it started goes on", is_gone);
}

#[test]
fn a_command_that_takes_too_long_is_ended_and_that_is_said() {
    let home = Home::new();
    let ended = home.run(&["record", "-o", "a", "--timeout", "1s", "--", "sleep", "60"]);
    assert!(ended.code == Some(143) && ended.stderr.contains("time was over"), "{ended}");
    assert_eq!(capsule(&home)["state"], "complete");
    let replayed = home.run(&["replay", "a", "-o", "b", "--timeout", "1s"]);
    assert!(replayed.stdout.contains("both were ended by signal 15, so neither succeeded"), "{replayed}");
    let wrong = home.run(&["record", "--timeout", "soon", "--", "true"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("a number and a unit"), "{wrong}");
}
