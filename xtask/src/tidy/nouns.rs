//! Law: a noun has the same file name in each room.
//!
//! It compares the files of `store/db` with those of `ops`. What has no twin stands in a table with its reason.

use super::{Law, Violation};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "nouns",
    why: "who has read one noun finds all others: the tree is the table of contents.",
    check,
};

const ROWS: &str = "crates/store/src/db/";
const RULES: &str = "crates/server/src/ops/";

/// Files of `store/db` that have no rules of their own, and why.
const WITHOUT_RULES: &[(&str, &str)] = &[
    ("ids", "types of the rows' names; it is no noun"),
    ("query", "runs a text on either database; it is no noun"),
    ("words", "types of the rows' small sets; it is no noun"),
    ("migrations", "the shape of the tables; it is no noun"),
    ("dump", "all tables alike, whatever they mean; it is no noun"),
    ("holds", "taken while stored bytes are copied, and `ops/storage` has the rules"),
    ("search", "words over repositories, whose rules hold"),
    ("members", "members of organisations, whose rules hold"),
    ("link_days", "what came through links, whose rules hold"),
    ("entries", "the files of a revision, whose rules hold"),
    ("refs", "a branch or tag is decided with the revision that it names"),
    ("facts", "what a job read from a revision, whose rules hold"),
    ("jobs", "claimed by the server's own workers, and `server::jobs` has their rules"),
    ("secrets", "the server's own; no request reaches them"),
];

fn check(tree: &Tree) -> Vec<Violation> {
    let rows = tree.rust().filter(|file| noun(file).is_some());
    let strange = rows.filter(|file| !has_rules(tree, file) && !is_excused(file.stem()));
    strange
        .map(|file| {
            let what = format!("`{}` has rows but no rules", file.stem());
            let hint =
                format!("write `{RULES}{}`, or give the reason in `xtask/src/tidy/nouns.rs`", file.name());
            Violation::new(&file.path, 1, what, hint)
        })
        .collect()
}

/// The noun of a file directly in `store/db`.
fn noun(file: &File) -> Option<&str> {
    file.path.strip_prefix(ROWS).filter(|rest| !rest.contains('/')).map(|_| file.stem())
}

fn has_rules(tree: &Tree, file: &File) -> bool {
    tree.holds(&format!("{RULES}{}", file.name())) || tree.holds(&format!("{RULES}{}", file.stem()))
}

fn is_excused(noun: &str) -> bool {
    WITHOUT_RULES.iter().any(|(name, reason)| *name == noun && !reason.is_empty())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn rows_without_rules_are_caught() {
        catches(&LAW, &[("crates/store/src/db/likes.rs", "")], "`likes` has rows but no rules");
        passes(&LAW, &[("crates/store/src/db/likes.rs", ""), ("crates/server/src/ops/likes.rs", "")]);
        passes(&LAW, &[("crates/store/src/db/query.rs", ""), ("crates/store/src/db/likes/page.rs", "")]);
    }
}
