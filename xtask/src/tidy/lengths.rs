//! Law: files stay short enough to be read whole.
//!
//! It counts lines and reads none of them.

use super::{Law, Violation};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "lengths",
    why: "a file that fits in the head is read before it is changed; a long one is only added to.",
    check,
};

/// No file of ours has as many lines.
const LONG_LINES: usize = 600;
/// Most Rust files have fewer.
pub const SHORT_LINES: usize = 300;
/// How many of a hundred Rust files are short.
const SHORT_PERCENT: f64 = 90.0;
/// Below this number of Rust files a share says nothing.
const ENOUGH_FILES: usize = 50;
/// Files with a limit of their own: they are to be read in one sitting.
const OWN_LIMITS: &[(&str, usize)] = &[("ARCHITECTURE.md", 251)];

const CODE: &[&str] = &["rs", "py", "js", "mjs", "css", "html", "sh"];

fn check(tree: &Tree) -> Vec<Violation> {
    let mut found: Vec<Violation> = tree.files().filter_map(too_long).collect();
    let share = share_of_short_files(tree);
    if tree.rust().count() >= ENOUGH_FILES && share < SHORT_PERCENT {
        let what = format!("only {share:.0} % of the Rust files are under {SHORT_LINES} lines");
        let hint = format!("split the longest: {}", longest(tree));
        found.push(Violation::new(".", 1, what, hint));
    }
    found
}

/// Of a hundred Rust files, how many are short.
pub fn share_of_short_files(tree: &Tree) -> f64 {
    let (n_short, n_all) = tree.rust().fold((0_u32, 0_u32), |(short, all), file| {
        (short + u32::from(file.n_lines() < SHORT_LINES), all + 1)
    });
    100.0 * f64::from(n_short) / f64::from(n_all.max(1))
}

fn too_long(file: &File) -> Option<Violation> {
    let own = OWN_LIMITS.iter().find(|(path, _)| *path == file.path).map(|(_, limit)| *limit);
    let limit = match own {
        Some(limit) => limit,
        None if CODE.contains(&file.extension()) && !file.is_foreign() && !file.is_sample() => LONG_LINES,
        None => return None,
    };
    let n_lines = file.n_lines();
    (n_lines >= limit).then(|| {
        let what = format!("the file has {n_lines} lines; it may have {}", limit - 1);
        Violation::new(&file.path, limit, what, "split it by noun or by step; `name.rs` keeps what is public")
    })
}

fn longest(tree: &Tree) -> String {
    let mut long: Vec<&File> = tree.rust().filter(|file| file.n_lines() >= SHORT_LINES).collect();
    long.sort_by_key(|file| std::cmp::Reverse(file.n_lines()));
    long.iter().map(|file| format!("`{}` ({})", file.path, file.n_lines())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn the_line_that_is_too_much_is_caught() {
        catches(&LAW, &[("a.rs", &"\n".repeat(600))], "600 lines");
        catches(&LAW, &[("python/a.py", &"\n".repeat(601))], "601 lines");
        catches(&LAW, &[("ARCHITECTURE.md", &"\n".repeat(251))], "it may have 250");
        passes(&LAW, &[("a.rs", &"\n".repeat(599)), ("web/vendor/x.js", &"\n".repeat(9000))]);
    }

    #[test]
    fn too_many_long_files_are_caught_together() {
        let paths: Vec<String> = (0..50).map(|n| format!("{n}.rs")).collect();
        let long = "\n".repeat(300);
        let text_of = |n: usize| if n < 6 { long.as_str() } else { "\n" };
        let files: Vec<(&str, &str)> =
            paths.iter().enumerate().map(|(n, path)| (path.as_str(), text_of(n))).collect();
        catches(&LAW, &files, "only 88 %");
    }
}
