//! Law: no file speaks of the machine it was written on.
//!
//! It knows the folders in which people keep their own work. Words, not files: nothing is looked up.

use super::{Law, Violation};
use crate::tree::{File, Tree};

pub const LAW: Law =
    Law { name: "machines", why: "a path of one machine is a promise that breaks on all others.", check };

/// Folders of people and workplaces. Split, so that this file speaks of none.
const FOLDERS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/works", "pace/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/ho", "me/"),
    concat!("C:\\Us", "ers\\"),
];

/// Whose text is about such folders: what a process in the sandbox may not read.
const MAY: &[&str] = &["crates/sandbox/"];

fn check(tree: &Tree) -> Vec<Violation> {
    let ours = tree.files().filter(|file| !file.is_foreign() && !file.is_sample());
    ours.filter(|file| !MAY.iter().any(|folder| file.path.starts_with(folder))).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    for (at, line) in file.text.lines().enumerate() {
        let Some(folder) = FOLDERS.iter().find(|folder| begins_a_path(line, folder)) else { continue };
        let what = format!("`{folder}` is a folder of one machine");
        let hint = "name it from the root of the repository, or take it as an argument";
        found.push(Violation::new(&file.path, at + 1, what, hint));
    }
    found
}

/// Whether `folder` stands in the line as the beginning of a path, not within a longer one or an address.
fn begins_a_path(line: &str, folder: &str) -> bool {
    let is_part = |before: char| before.is_alphanumeric() || "-_./:}$~*".contains(before);
    line.match_indices(folder).any(|(at, _)| !line[..at].chars().next_back().is_some_and(is_part))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn the_path_of_a_workplace_is_caught() {
        catches(&LAW, &[("docs/a.md", concat!("run\n`/ho", "me/me/x`\n"))], "a.md:2:");
        catches(&LAW, &[("a.py", concat!("open('/wo", "rk/a')"))], "folder of one machine");
    }

    #[test]
    fn a_path_within_an_address_or_another_path_passes() {
        passes(&LAW, &[("a.md", concat!("https://x.org/ho", "me/a ./wo", "rk/x $DIR/ro", "ot/"))]);
    }
}
