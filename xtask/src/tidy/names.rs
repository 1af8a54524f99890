//! Law: a file's name says what is in it.
//!
//! It looks at paths and at modules written within a file, for Rust, Python and scripts alike.

use super::{Law, Violation};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "names",
    why: "a drawer called `utils` collects what nobody can find again, and forty tabs called `mod.rs` are one.",
    check,
};

const FORBIDDEN: &[&str] = &["util", "utils", "common", "helper", "helpers", "misc", "manager", "managers"];

fn check(tree: &Tree) -> Vec<Violation> {
    let code = tree.files().filter(|file| ["rs", "py", "js", "mjs"].contains(&file.extension()));
    code.filter(|file| !file.is_foreign() && !file.is_sample()).flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    let mut found = Vec::new();
    if file.name() == "mod.rs" {
        let hint = "call it after its folder and put it beside it: `name.rs` + `name/`";
        found.push(Violation::new(&file.path, 1, "the file is called `mod.rs`", hint));
    }
    let of_path = file.path.split('/').map(|part| part.split_once('.').map_or(part, |(stem, _)| stem));
    for part in of_path.filter(|part| is_forbidden(part)) {
        found.push(unnamed(&file.path, 1, part));
    }
    found.extend(modules_within(file).iter().map(|(line, name)| unnamed(&file.path, *line, name)));
    if is_second_test_binary(&file.path) {
        let hint = "move it to `tests/it/` and name it in `tests/it/main.rs`: one binary links once";
        found.push(Violation::new(&file.path, 1, "the file is an integration test of its own", hint));
    }
    found
}

fn is_forbidden(name: &str) -> bool {
    FORBIDDEN.contains(&name.trim_matches('_'))
}

fn unnamed(path: &str, line: usize, name: &str) -> Violation {
    let what = format!("`{name}` does not say what is in it");
    Violation::new(path, line, what, "name it after the thing that its functions are about")
}

/// `mod name { … }`; a `mod name;` is seen by the path of its file.
fn modules_within(file: &File) -> Vec<(usize, String)> {
    let Some(syntax) = file.syntax().filter(|_| file.extension() == "rs") else { return Vec::new() };
    let inline = syntax.items.iter().filter_map(|item| match item {
        syn::Item::Mod(module) if module.content.is_some() => Some(module),
        _ => None,
    });
    inline
        .filter(|module| is_forbidden(&module.ident.to_string()))
        .map(|module| (module.ident.span().start().line, module.ident.to_string()))
        .collect()
}

fn is_second_test_binary(path: &str) -> bool {
    matches!(path.split('/').collect::<Vec<_>>()[..], ["crates", _, "tests", file] if file.ends_with(".rs"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn mod_rs_is_caught() {
        catches(&LAW, &[("crates/a/src/b/mod.rs", "//! B")], "`mod.rs`");
    }

    #[test]
    fn a_drawer_is_caught_as_file_folder_and_module() {
        catches(&LAW, &[("crates/a/src/utils.rs", "")], "`utils`");
        catches(&LAW, &[("crates/a/src/common/x.rs", "")], "`common`");
        catches(&LAW, &[("python/reenact/_helpers.py", "")], "`_helpers`");
        catches(&LAW, &[("a.rs", "\nmod misc { }")], "a.rs:2: `misc`");
        passes(&LAW, &[("crates/a/src/names.rs", "mod tests {}"), ("web/vendor/utils.js", "")]);
    }

    #[test]
    fn a_second_test_binary_is_caught() {
        catches(&LAW, &[("crates/a/tests/b.rs", "")], "integration test of its own");
        passes(&LAW, &[("crates/a/tests/it/main.rs", ""), ("crates/a/tests/it/b.rs", "")]);
    }
}
