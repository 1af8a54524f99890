//! The laws of the house as a test: `cargo xtask tidy`, and `cargo test -p xtask` among all others.
//!
//! A law is a sentence why and a function from the tree of files to what breaks it. Laws know nobody's
//! code; what they must know of the house (who may depend on whom) stands in a table at the top of a law's file.

use std::fmt;
use std::path::Path;

use crate::printer;
use crate::tree::Tree;

mod dependencies;
mod edges;
mod functions;
mod headers;
mod lengths;
mod links;
mod machines;
mod manifests;
mod names;
mod nouns;
mod owners;
mod rooms;
mod shortcuts;
mod snapshots;
mod sql;
mod unsafety;
mod whitespace;

/// All of them, in the order of the report.
const LAWS: &[Law] = &[
    lengths::LAW,
    functions::LAW,
    names::LAW,
    headers::LAW,
    unsafety::LAW,
    shortcuts::LAW,
    edges::LAW,
    owners::LAW,
    manifests::LAW,
    sql::LAW,
    rooms::LAW,
    nouns::LAW,
    machines::LAW,
    whitespace::LAW,
    links::LAW,
    snapshots::LAW,
    dependencies::LAW,
];

/// One law of the house.
pub struct Law {
    pub name: &'static str,
    /// Why the house has it, in one sentence.
    pub why: &'static str,
    pub check: fn(&Tree) -> Vec<Violation>,
}

/// One place that breaks a law.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    pub path: String,
    pub line: usize,
    pub what: String,
    pub hint: String,
}

impl Violation {
    pub fn new(path: &str, line: usize, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, what: what.into(), hint: hint.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n  hint: {}", self.path, self.line, self.what, self.hint)
    }
}

/// Checks the tree under `root` and prints what is wrong; whether nothing is.
pub fn run(root: &Path) -> anyhow::Result<bool> {
    let tree = Tree::read(root)?;
    let mut n_violations = 0;
    for law in LAWS {
        let violations = broken(law, &tree);
        n_violations += violations.len();
        if !violations.is_empty() {
            printer::line(format!("{}: {}", law.name, law.why));
            violations.iter().for_each(|violation| printer::line(format!("{violation}")));
            printer::line("");
        }
    }
    let n_short = lengths::share_of_short_files(&tree).round();
    printer::line(format!(
        "tidy: {} laws, {n_violations} broken places; {n_short} % of the Rust files are under {} lines",
        LAWS.len(),
        lengths::SHORT_LINES,
    ));
    Ok(n_violations == 0)
}

/// What breaks a law, in the order of the tree.
fn broken(law: &Law, tree: &Tree) -> Vec<Violation> {
    let mut violations = (law.check)(tree);
    violations.sort();
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each broken place in a tree of these files, as `path:line: what`.
    pub fn caught(law: &Law, files: &[(&str, &str)]) -> Vec<String> {
        let violations = broken(law, &Tree::of(files));
        violations.iter().map(|found| format!("{}:{}: {}", found.path, found.line, found.what)).collect()
    }

    /// Fails unless exactly one place is broken, and `expected` is in what is said of it.
    pub fn catches(law: &Law, files: &[(&str, &str)], expected: &str) {
        let found = caught(law, files);
        assert!(found.len() == 1 && found[0].contains(expected), "`{expected}` was wanted, found {found:#?}");
    }

    /// Fails if anything is broken.
    pub fn passes(law: &Law, files: &[(&str, &str)]) {
        assert_eq!(caught(law, files), Vec::<String>::new());
    }

    #[test]
    fn the_house_keeps_its_laws() {
        assert!(run(&crate::root()).unwrap(), "a law of the house is broken; the report above says where");
    }

    #[test]
    fn each_law_says_why() {
        for law in LAWS {
            assert!(law.why.ends_with('.') && !law.name.is_empty(), "{}", law.name);
        }
    }
}
