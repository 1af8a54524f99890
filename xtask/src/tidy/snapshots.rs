//! Law: each snapshot is asked for by a test.
//!
//! It knows where `insta` puts files (`snapshots/<module>__<name>.snap`) and looks for the name in the
//! sources of the same crate.

use super::{Law, Violation};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "snapshots",
    why: "a snapshot that no test reads still looks like a promise to whoever finds it.",
    check,
};

fn check(tree: &Tree) -> Vec<Violation> {
    let snapshots = tree.files().filter(|file| file.path.split('/').any(|part| part == "snapshots"));
    snapshots
        .filter(|file| !is_asked_for(tree, file))
        .map(|file| {
            let hint = "remove it, or restore the test that compared with it";
            Violation::new(&file.path, 1, "no test asks for this snapshot", hint)
        })
        .collect()
}

fn is_asked_for(tree: &Tree, snapshot: &File) -> bool {
    let home = home(&snapshot.path);
    let names = names(snapshot);
    tree.files()
        .filter(|file| file.path.starts_with(home) && ["rs", "py", "js", "mjs"].contains(&file.extension()))
        .any(|file| names.iter().any(|name| file.text.contains(name)))
}

/// The crate or top folder of a path, with its `/`.
fn home(path: &str) -> &str {
    let n_parts = if path.starts_with("crates/") { 2 } else { 1 };
    path.match_indices('/').nth(n_parts - 1).map_or(path, |(at, _)| &path[..=at])
}

/// What a source would say to mean this snapshot: its file name, or the name of the test or snapshot
/// (`insta` numbers the later ones of a test, and takes `test_` off).
fn names(snapshot: &File) -> Vec<&str> {
    let Some(stem) = snapshot.name().strip_suffix(".snap") else { return vec![snapshot.name()] };
    let last = stem.rsplit("__").next().unwrap_or(stem);
    let unnumbered = last.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('-');
    if unnumbered.is_empty() { vec![last] } else { vec![last, unnumbered] }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn a_snapshot_without_a_test_is_caught() {
        let snapshot = ("crates/a/tests/it/snapshots/it__access__matrix.snap", "");
        catches(&LAW, &[snapshot, ("crates/b/tests/it/x.rs", "fn matrix() {}")], "no test asks");
        passes(&LAW, &[snapshot, ("crates/a/tests/it/access.rs", "fn matrix() {}")]);
    }

    #[test]
    fn the_second_snapshot_of_a_test_and_other_files_are_known() {
        passes(&LAW, &[("crates/a/snapshots/a__help-2.snap", ""), ("crates/a/src/x.rs", "fn help() {}")]);
        catches(
            &LAW,
            &[("crates/a/snapshots/openapi.json", ""), ("crates/a/src/x.rs", "fn f() {}")],
            "no test",
        );
    }
}
