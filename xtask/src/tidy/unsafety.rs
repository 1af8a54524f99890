//! Law: `unsafe` stands in two places only, and each says why it is sound.
//!
//! It reads tokens, so macros are seen and comments are not.

use super::{Law, Violation};
use crate::tree::tokens;
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "unsafety",
    why: "who audits memory safety reads two folders, and finds in each place the argument to check.",
    check,
};

/// The sandbox talks to the kernel, the shim to the C library; nothing else has a reason.
const MAY: &[&str] = &["crates/sandbox/", "crates/shim/"];

fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let lines = file.tokens().map(|tokens| tokens::lines_of(tokens, "unsafe")).unwrap_or_default();
    let may = MAY.iter().any(|folder| file.path.starts_with(folder));
    let text: Vec<&str> = file.text.lines().collect();
    lines
        .into_iter()
        .filter_map(|line| match may {
            false => {
                let hint = "a crate with a safe interface does it, or it belongs in `crates/sandbox`";
                Some(Violation::new(&file.path, line, "`unsafe` outside the sandbox and the shim", hint))
            }
            true if is_argued(&text, line) => None,
            true => {
                let hint = "write `// SAFETY:` above it and say why no rule can be broken here";
                Some(Violation::new(&file.path, line, "`unsafe` without a `SAFETY:` comment", hint))
            }
        })
        .collect()
}

/// Whether the statement that line `line` (from 1) belongs to, or the comment above it, holds the argument.
fn is_argued(text: &[&str], line: usize) -> bool {
    let own = text.get(line - 1).into_iter();
    let above = text[..line - 1].iter().rev().take_while(|above| {
        let above = above.trim();
        let is_comment = above.starts_with("//") || above.starts_with('#');
        is_comment || !(above.is_empty() || above.ends_with([';', '{', '}', ',']))
    });
    own.chain(above).any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn unsafe_elsewhere_is_caught_even_with_an_argument() {
        let source = "fn f() {\n    // SAFETY: it is fine\n    unsafe { g() }\n}";
        catches(&LAW, &[("crates/store/src/a.rs", source)], "a.rs:3: `unsafe` outside");
    }

    #[test]
    fn unsafe_without_an_argument_is_caught_in_the_sandbox() {
        let source = "fn f() {\n    // SAFETY: it is fine\n    h();\n    unsafe { g() }\n}";
        catches(&LAW, &[("crates/sandbox/src/a.rs", source)], "a.rs:4: `unsafe` without");
    }

    #[test]
    fn an_argument_above_the_statement_is_seen() {
        let source =
            "fn f() {\n    // SAFETY: no memory is\n    // touched\n    let x =\n        unsafe { g() };\n}";
        passes(&LAW, &[("crates/sandbox/src/a.rs", source), ("crates/a/src/b.rs", "// unsafe\n")]);
    }
}
