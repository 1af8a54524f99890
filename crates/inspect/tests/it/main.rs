//! Model files as people have them, read without being run.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that fails says so by a panic")]

use std::path::{Path, PathBuf};

use spec::facts::FileFacts;

mod files;
mod hostile;
mod pickles;
mod repositories;
mod standard;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// Names of all fixtures, sorted.
fn names() -> Vec<String> {
    let entries = std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.into_string().unwrap()).filter(|name| name != "README.md");
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixtures().join(name)).unwrap()
}

/// What a fixture says.
fn read(name: &str) -> FileFacts {
    inspect::file(name, &mut std::fs::File::open(fixtures().join(name)).unwrap())
}

/// What bytes say under a name.
fn read_bytes(name: &str, bytes: &[u8]) -> FileFacts {
    inspect::file(name, &mut std::io::Cursor::new(bytes))
}

/// The dangers as lines: level, what, where.
fn dangers(facts: &FileFacts) -> Vec<String> {
    facts
        .dangers
        .iter()
        .map(|danger| format!("{:?} {} {}", danger.level, danger.what, danger.place))
        .collect()
}
