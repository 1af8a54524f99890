//! What the help says, and that flags, completions and references come from the same definitions.
//!
//! Snapshots of what people read; what the commands do is tested where they run.

use crate::reenact::Home;

#[test]
fn the_help_begins_with_the_main_job() {
    insta::assert_snapshot!(Home::new().run(&["--help"]));
}

#[test]
fn every_command_shows_how_it_is_used() {
    let home = Home::new();
    for command in [
        "push",
        "pull",
        "info",
        "deploy",
        "predict",
        "endpoints",
        "login",
        "demo",
        "serve",
        "completions",
        "record",
        "replay",
        "verify",
        "runs",
        "doctor",
        "variance",
    ] {
        let ended = home.run(&[command, "--help"]);
        assert!(
            ended.code == Some(0) && ended.stdout.contains(&format!("\n  reenact {command}")),
            "{command}\n{ended}"
        );
    }
}

#[test]
fn the_short_help_of_a_command_fits_a_screen() {
    insta::assert_snapshot!(Home::new().run(&["push", "-h"]));
    insta::assert_snapshot!(Home::new().run(&["serve", "-h"]));
}

#[test]
fn every_setting_of_the_server_is_a_flag_and_is_printed() {
    let home = Home::new();
    let help = home.ask(&["serve", "--help"]);
    let printed = home.ask(&["serve", "--print-config", "--idle-after", "7m"]);
    let names: Vec<&str> =
        printed.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name).collect();
    assert!(names.len() > 10 && printed.contains("idle_after = \"7m\""), "{printed}");
    for name in names {
        assert!(help.contains(&format!("--{} <VALUE>", name.replace('_', "-"))), "`{name}` has no flag");
    }
}

#[test]
fn shells_can_complete() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Home::new().ask(&["completions", shell]);
        assert!(script.contains("predict") && !script.contains("\u{1b}"), "{shell}");
    }
}

#[test]
fn the_references_are_written_the_same_each_time() {
    let home = Home::new();
    assert_eq!(home.ask(&["reference", "--out", "docs"]).lines().count(), 4);
    let read = || {
        ["api.json", "cli.md", "errors.md", "settings.md"]
            .map(|name| std::fs::read(home.path().join("docs").join(name)).unwrap())
    };
    let first = read();
    home.ask(&["reference", "--out", "docs"]);
    assert!(first == read() && first.iter().all(|page| page.len() > 500));
}
