//! Law: each file of code opens with what it is, what it refuses to know, and its invariant.
//!
//! It sees that a header is there; whether it is true is for readers to judge.

use super::{Law, Violation};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "headers",
    why: "a reader who knows what a file is for, and what it never does, need not read the rest of it.",
    check,
};

/// How the first line of a file begins, by the file's extension.
const OPENINGS: &[(&str, &[&str])] = &[
    ("rs", &["//! "]),
    ("py", &["\"\"\""]),
    ("js", &["// ", "/* ", "/**"]),
    ("mjs", &["// ", "/* ", "/**"]),
    ("css", &["/* "]),
    ("sh", &["# "]),
];

/// A header shorter than this says a name and no more.
const SHORTEST_CHARS: usize = 24;

fn check(tree: &Tree) -> Vec<Violation> {
    tree.files().filter(|file| !file.is_foreign() && !file.is_sample()).filter_map(headless).collect()
}

fn headless(file: &File) -> Option<Violation> {
    let (_, openings) = OPENINGS.iter().find(|(extension, _)| *extension == file.extension())?;
    let (line, first) = file.text.lines().enumerate().find(|(_, line)| !line.starts_with("#!/"))?;
    let opens = openings.iter().any(|opening| first.starts_with(opening));
    let says = length(file, line);
    if opens && says >= SHORTEST_CHARS {
        return None;
    }
    let what =
        if opens { "the header says a name and no more" } else { "the file does not open with a header" };
    let hint =
        format!("begin with `{}`: what it is, what it refuses to know, its invariant", openings[0].trim());
    Some(Violation::new(&file.path, line + 1, what, hint))
}

/// How long the header that begins on line `at` (from 0) is, in bytes.
fn length(file: &File, at: usize) -> usize {
    let mut lines = file.text.lines().skip(at);
    match file.extension() {
        "rs" => lines.take_while(|line| line.starts_with("//!")).map(str::len).sum(),
        // A header may begin on the line after a bare `/**` or `"""`.
        _ => lines.by_ref().take(2).map(str::len).max().unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn a_file_without_a_header_is_caught() {
        catches(&LAW, &[("a.rs", "use std::fmt;\n")], "does not open");
        catches(&LAW, &[("python/a.py", "import os\n")], "does not open");
        catches(&LAW, &[("web/a.js", "export {};\n")], "does not open");
        catches(&LAW, &[("a.rs", "//! server\n")], "a name and no more");
    }

    #[test]
    fn a_file_with_a_header_passes() {
        passes(&LAW, &[("a.rs", "//! Rows.\n//!\n//! Knows no columns.\n")]);
        passes(&LAW, &[("a.rs", "//! Names of accounts, parsed once.\n"), ("python/__init__.py", "")]);
        passes(&LAW, &[("python/b.py", "#!/usr/bin/env python3\n\"\"\"Runs one model and answers.\"\"\"\n")]);
        passes(&LAW, &[("web/a.js", "/**\n * Draws bars from probabilities.\n */\n")]);
    }
}
