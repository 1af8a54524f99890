//! Law: a library that stands for a kind of work has one home.
//!
//! It reads manifests: a crate that does not declare a library cannot name it.

use super::{Law, Violation};
use crate::tree::{Tree, manifest};

pub const LAW: Law = Law {
    name: "owners",
    why: "what one crate alone can do, one crate alone can get wrong, and one crate alone must be replaced.",
    check,
};

/// A library, the only crates that may use it, and those whose tests may. The server asks others over HTTP too, in one
/// file: see the law of rooms.
const OWNERS: &[(&str, &[&str], &[&str])] = &[
    ("sqlx", &["store"], &[]),
    ("object_store", &["store"], &[]),
    ("ort", &["runtime"], &[]),
    ("reqwest", &["client", "server"], &["cli", "store", "runtime"]),
    ("openidconnect", &["server"], &[]),
    ("axum", &["server"], &["client", "store", "runtime"]),
    ("landlock", &["sandbox"], &[]),
    ("seccompiler", &["sandbox"], &[]),
    ("clap", &["cli"], &[]),
];

/// These tools are no part of the product, so they own nothing and may use what they like.
const OUTSIDE: &[&str] = &["xtask"];

fn check(tree: &Tree) -> Vec<Violation> {
    let members = tree.manifests().filter(|(name, _)| !OUTSIDE.contains(name));
    members
        .flat_map(|(name, file)| {
            manifest::dependencies(file).into_iter().map(move |wanted| (name, file, wanted))
        })
        .filter_map(|(name, file, wanted)| {
            let (library, owners, in_tests) = OWNERS.iter().find(|(library, ..)| *library == wanted.name)?;
            let owner = owners.join("` and `");
            let may = owners.contains(&name) || (wanted.is_dev && in_tests.contains(&name));
            let what = format!("`{library}` belongs to `{owner}`, and this is `{name}`");
            let hint = format!("ask `{owner}` for what you need, in the words of the product");
            (!may).then(|| Violation::new(&file.path, wanted.line, what, hint))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn sql_outside_its_home_is_caught_even_for_tests() {
        catches(
            &LAW,
            &[("crates/server/Cargo.toml", "[dev-dependencies]\nsqlx.workspace = true\n")],
            "Cargo.toml:2: `sqlx` belongs to `store`",
        );
    }

    #[test]
    fn tests_may_call_what_they_serve() {
        passes(&LAW, &[("crates/server/Cargo.toml", "[dev-dependencies]\nreqwest.workspace = true\n")]);
        passes(&LAW, &[("crates/cli/Cargo.toml", "[dev-dependencies]\nreqwest.workspace = true\n")]);
        passes(&LAW, &[("crates/client/Cargo.toml", "[dependencies]\nreqwest.workspace = true\n")]);
        catches(
            &LAW,
            &[("crates/store/Cargo.toml", "[dependencies]\nreqwest.workspace = true\n")],
            "`client` and `server`",
        );
    }
}
