//! Law: a link in our prose leads somewhere.
//!
//! It follows links within the repository and to headings; addresses elsewhere are not asked for.

use super::{Law, Violation};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "links",
    why: "a dead link tells the reader that nobody has walked this way for long.",
    check,
};

fn check(tree: &Tree) -> Vec<Violation> {
    let prose =
        tree.files().filter(|file| file.extension() == "md" && !file.is_foreign() && !file.is_sample());
    prose.flat_map(|file| check_file(tree, file)).collect()
}

fn check_file(tree: &Tree, file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    for (line, target) in links(&file.text) {
        if target.contains("://") || target.starts_with("mailto:") {
            continue;
        }
        let (path, heading) = target.split_once('#').unwrap_or((target, ""));
        let whole = if path.is_empty() { file.path.clone() } else { resolve(&file.path, path) };
        if !tree.holds(&whole) {
            let what = format!("`{target}` leads to nothing");
            found.push(Violation::new(
                &file.path,
                line,
                what,
                format!("there is no `{whole}` in the repository"),
            ));
        } else if !heading.is_empty() && tree.get(&whole).is_some_and(|file| !has_heading(file, heading)) {
            let what = format!("`{target}` leads to no heading");
            found.push(Violation::new(
                &file.path,
                line,
                what,
                format!("`{whole}` has no heading `{heading}`"),
            ));
        }
    }
    found
}

/// The targets of `[text](target)` and `![text](target)`, code left out.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (at, line) in prose_lines(text) {
        // Odd pieces between backticks are code.
        for piece in line.split('`').step_by(2) {
            let targets = piece.match_indices("](").map(|(open, _)| &piece[open + 2..]);
            found.extend(
                targets.filter_map(|rest| rest.split([')', ' ']).next()).map(|target| (at + 1, target)),
            );
        }
    }
    found
}

/// The lines of a text that are not in a fenced block, counted from 0.
fn prose_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_code = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// `path` as seen from the folder of `from`, with `.` and `..` resolved.
fn resolve(from: &str, path: &str) -> String {
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.trim_end_matches('/').split('/') {
        match part {
            "." | "" => {}
            ".." => _ = parts.pop(),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn has_heading(file: &File, heading: &str) -> bool {
    file.extension() != "md"
        || prose_lines(&file.text).any(|(_, line)| line.starts_with('#') && anchor(line) == heading)
}

/// The name under which a heading can be linked to, by the rule of the usual hosts.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn a_link_to_nothing_is_caught() {
        catches(&LAW, &[("docs/a.md", "see\n[b](../b.md)")], "a.md:2: `../b.md` leads to nothing");
        catches(&LAW, &[("a.md", "![x](x.png)")], "`x.png` leads to nothing");
    }

    #[test]
    fn a_link_to_no_heading_is_caught() {
        catches(
            &LAW,
            &[("a.md", "[b](b.md#what-it-is)"), ("b.md", "# What it was\n")],
            "leads to no heading",
        );
        passes(&LAW, &[("a.md", "[b](b.md#what-it-is)"), ("b.md", "## What `it` is?\n")]);
    }

    #[test]
    fn folders_addresses_and_code_pass() {
        let text = "[a](docs) [b](https://x.org/y) `[c](c.md)`\n```\n[d](d.md)\n```\n";
        passes(&LAW, &[("a.md", text), ("docs/x.md", "[up](../a.md)")]);
    }
}
