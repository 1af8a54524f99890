//! Law: who may depend on whom among our own crates.
//!
//! It knows the house's plan and nothing of why a crate would like another edge.

use super::{Law, Violation};
use crate::tree::{File, Tree, manifest};

pub const LAW: Law = Law {
    name: "edges",
    why: "a crate is a place where a dependency is forbidden; without the forbidding it is a folder.",
    check,
};

/// Each crate, and those of ours that it may know. A crate that is not here is not in the plan.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("spec", &[]),
    ("sandbox", &[]),
    ("shim", &[]),
    ("store", &["spec"]),
    ("inspect", &["spec"]),
    ("client", &["spec"]),
    // Comparing two runs compares their tensors; a second reader of model files would be a second place to err.
    ("record", &["spec", "inspect"]),
    ("runtime", &["spec"]),
    ("server", &["spec", "store", "inspect"]),
    ("cli", &["spec", "store", "inspect", "sandbox", "runtime", "server", "client", "record"]),
    ("xtask", &[]),
];

/// What the tests of a crate may know beyond that: the other side of a wire.
const TESTS_MAY_KNOW: &[(&str, &[&str])] = &[
    ("server", &["client", "runtime", "sandbox"]),
    ("client", &["server", "store"]),
    ("runtime", &["sandbox"]),
];

fn check(tree: &Tree) -> Vec<Violation> {
    let known: Vec<&str> = MAY_KNOW.iter().map(|(name, _)| *name).collect();
    tree.manifests()
        .flat_map(|(name, file)| match MAY_KNOW.iter().find(|(known, _)| *known == name) {
            Some((_, may)) => forbidden_edges(name, file, may, &known),
            None if file.path.starts_with("crates/") => vec![unplanned(name, file)],
            None => Vec::new(),
        })
        .collect()
}

fn forbidden_edges(name: &str, file: &File, may: &[&str], known: &[&str]) -> Vec<Violation> {
    let in_tests = TESTS_MAY_KNOW.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, may)| *may);
    manifest::dependencies(file)
        .into_iter()
        .filter(|wanted| known.contains(&wanted.name.as_str()))
        .filter(|wanted| !may.contains(&wanted.name.as_str()))
        .filter(|wanted| !(wanted.is_dev && in_tests.contains(&wanted.name.as_str())))
        .map(|wanted| {
            let what = format!("`{name}` may not know `{}`", wanted.name);
            let hint = "what both need belongs in `spec`; what joins them belongs in `cli`";
            Violation::new(&file.path, wanted.line, what, hint)
        })
        .collect()
}

fn unplanned(name: &str, file: &File) -> Violation {
    let what = format!("`{name}` is not in the plan of the house");
    let hint = "make it a module; or say in `xtask/src/tidy/edges.rs` which dependency it forbids";
    Violation::new(&file.path, 1, what, hint)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn a_forbidden_edge_is_caught_on_its_line() {
        let manifest = "[dependencies]\nspec.workspace = true\nserver.workspace = true\n";
        catches(
            &LAW,
            &[("crates/store/Cargo.toml", manifest)],
            "Cargo.toml:3: `store` may not know `server`",
        );
    }

    #[test]
    fn an_edge_of_one_platform_is_caught_too() {
        let manifest = "[target.'cfg(unix)'.dependencies]\nstore = { workspace = true }\n";
        catches(&LAW, &[("crates/runtime/Cargo.toml", manifest)], "`runtime` may not know `store`");
    }

    #[test]
    fn tests_may_know_the_other_side_of_the_wire() {
        let manifest = "[dependencies]\nspec.workspace = true\n[dev-dependencies]\nclient.workspace = true\n";
        passes(&LAW, &[("crates/server/Cargo.toml", manifest)]);
        catches(&LAW, &[("crates/store/Cargo.toml", manifest)], "`store` may not know `client`");
    }

    #[test]
    fn a_crate_without_a_place_is_caught() {
        catches(&LAW, &[("crates/glue/Cargo.toml", "")], "`glue` is not in the plan");
    }
}
