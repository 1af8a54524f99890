//! Law: lines end where their text does, and files end with one line feed.
//!
//! It looks at text that people write; samples and others' files are left as they came.

use super::{Law, Violation};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "whitespace",
    why: "a difference that nobody can see hides one that somebody should.",
    check,
};

const TEXT: &[&str] = &["rs", "py", "js", "mjs", "css", "html", "md", "toml", "sh", "yml", "yaml", "sql"];

fn check(tree: &Tree) -> Vec<Violation> {
    let text = tree.files().filter(|file| TEXT.contains(&file.extension()));
    text.filter(|file| !file.is_foreign() && !file.is_sample()).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let say = |line: usize, what: &str, hint: &str| Violation::new(&file.path, line, what, hint);
    // `split`, not `lines`, which hides a carriage return.
    let mut found: Vec<Violation> = (file.text.split('\n').enumerate())
        .filter(|(_, line)| line.ends_with([' ', '\t', '\r']))
        .map(|(at, _)| {
            say(at + 1, "the line ends in white space", "remove it; end a paragraph by an empty line")
        })
        .collect();
    let n_lines = file.n_lines();
    if !file.text.is_empty() && !file.text.ends_with('\n') {
        found.push(say(n_lines, "the last line does not end", "end the file with one line feed"));
    }
    if file.text.ends_with("\n\n") {
        found.push(say(n_lines, "the file ends in empty lines", "end the file with one line feed"));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn what_nobody_can_see_is_caught() {
        catches(&LAW, &[("a.md", "a\nb  \n")], "a.md:2: the line ends in white space");
        catches(&LAW, &[("a.rs", "a\r\n")], "white space");
        catches(&LAW, &[("a.rs", "a")], "does not end");
        catches(&LAW, &[("a.rs", "a\n\n")], "empty lines");
        passes(&LAW, &[("a.rs", "a\n"), ("b.rs", ""), ("web/vendor/a.js", "a ")]);
    }
}
