//! Law: SQL is written in `store` and nowhere else.
//!
//! It knows SQL by how a string begins, which is how people write it.

use super::{Law, Violation};
use crate::tree::tokens::{self, Text};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "sql",
    why: "a rule written beside its query holds behind one door only; two databases are tested in one place.",
    check,
};

const HOME: &str = "crates/store/";

/// The first words of a statement, each with a word that must follow somewhere in it.
const STATEMENTS: &[(&str, &str)] = &[
    ("SELECT", ""),
    ("INSERT", "INTO"),
    ("UPDATE", "SET"),
    ("DELETE", "FROM"),
    ("WITH", "AS ("),
    ("CREATE", "TABLE"),
    ("CREATE", "INDEX"),
    ("CREATE", "TRIGGER"),
    ("ALTER", "TABLE"),
    ("DROP", "TABLE"),
    ("PRAGMA", ""),
];

fn check(tree: &Tree) -> Vec<Violation> {
    tree.rust().filter(|file| !file.path.starts_with(HOME)).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let texts = file.tokens().map(tokens::texts).unwrap_or_default();
    let statements = texts.into_iter().filter(is_statement);
    statements
        .map(|text| {
            let hint = "give `store::db` a function that says what is wanted in the product's words";
            Violation::new(&file.path, text.line, "SQL outside `store`", hint)
        })
        .collect()
}

fn is_statement(text: &Text) -> bool {
    let text = text.value.split_whitespace().collect::<Vec<_>>().join(" ") + " ";
    STATEMENTS.iter().any(|(first, then)| {
        let rest = text.strip_prefix(first).and_then(|rest| rest.strip_prefix(' '));
        rest.is_some_and(|rest| !rest.is_empty() && rest.contains(then))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn a_statement_is_caught_in_macros_and_over_lines() {
        catches(&LAW, &[("crates/server/src/a.rs", "fn f() { q(\"SELECT 1\") }")], "SQL outside");
        catches(&LAW, &[("crates/cli/src/a.rs", "fn f() { q!(\"\n  DELETE\n  FROM t\") }")], "SQL outside");
        catches(&LAW, &[("crates/cli/src/a.rs", "const A: &str = r\"UPDATE t\nSET x = 1\";")], "SQL outside");
    }

    #[test]
    fn other_words_in_capitals_are_no_statements() {
        let source =
            "const A: &[&str] = &[\"DELETE /api/v1/tokens\", \"SELECTED\", \"Select a file\", \"UPDATE \"];";
        passes(&LAW, &[("crates/server/src/a.rs", source)]);
        passes(&LAW, &[("crates/store/src/a.rs", "const A: &str = \"SELECT 1\";")]);
    }
}
