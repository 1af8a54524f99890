//! Law: versions stand in one place, and each is a version.
//!
//! It reads the root's `Cargo.toml` and those of its members; `Cargo.lock` is cargo's own affair.

use toml::Value;

use super::{Law, Violation};
use crate::tree::manifest::{self, Dependency};
use crate::tree::{File, Tree};

pub const LAW: Law = Law {
    name: "manifests",
    why: "one table of versions is read, upgraded and audited at once; a branch or `*` builds differently tomorrow.",
    check,
};

const ROOT: &str = "Cargo.toml";

fn check(tree: &Tree) -> Vec<Violation> {
    let members = tree.manifests().flat_map(|(_, file)| check_member(file));
    let root = tree.get(ROOT).into_iter().flat_map(|file| {
        let wanted = manifest::workspace_dependencies(file);
        wanted.into_iter().filter_map(|wanted| movable(file, &wanted)).collect::<Vec<_>>()
    });
    root.chain(members).collect()
}

fn check_member(file: &File) -> Vec<Violation> {
    let Some(table) = manifest::table(file) else {
        return vec![Violation::new(
            &file.path,
            1,
            "the file is no TOML",
            "`cargo metadata` says where it breaks",
        )];
    };
    // A folder with a workspace of its own (fuzz targets need one) keeps its own versions.
    if table.contains_key("workspace") {
        let wanted = manifest::dependencies(file);
        return wanted.iter().filter_map(|wanted| movable(file, wanted)).collect();
    }
    let own_versions =
        manifest::dependencies(file).into_iter().filter(|wanted| !is_inherited(&wanted.wanted));
    let mut found: Vec<Violation> = own_versions
        .map(|wanted| {
            let what = format!("`{}` does not come from the workspace", wanted.name);
            let hint =
                format!("write `{0}.workspace = true`, its version in the root's `Cargo.toml`", wanted.name);
            Violation::new(&file.path, wanted.line, what, hint)
        })
        .collect();
    if !table.get("lints").is_some_and(is_inherited) {
        let hint = "add `[lints]` with `workspace = true`";
        found.push(Violation::new(&file.path, 1, "the workspace's lints do not hold here", hint));
    }
    found
}

fn is_inherited(value: &Value) -> bool {
    value.get("workspace").and_then(Value::as_bool) == Some(true)
}

/// A dependency that names no released version.
fn movable(file: &File, wanted: &Dependency) -> Option<Violation> {
    let version = wanted.wanted.as_str().or_else(|| wanted.wanted.get("version").and_then(Value::as_str));
    let what = if wanted.wanted.get("git").is_some() {
        "comes from git"
    } else if version.is_some_and(|version| version.contains('*')) {
        "takes any version"
    } else if version.is_none() && wanted.wanted.get("path").is_none() {
        "names no version"
    } else {
        return None;
    };
    let hint = "name a version that is on crates.io";
    Some(Violation::new(&file.path, wanted.line, format!("`{}` {what}", wanted.name), hint))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{catches, passes};
    use super::*;

    #[test]
    fn a_version_in_a_crate_is_caught() {
        let manifest = "[lints]\nworkspace = true\n[dependencies]\nserde = \"1.0\"\n";
        catches(&LAW, &[("crates/a/Cargo.toml", manifest)], "Cargo.toml:4: `serde` does not come");
    }

    #[test]
    fn a_crate_without_the_lints_is_caught() {
        catches(&LAW, &[("crates/a/Cargo.toml", "[package]\nname = \"a\"\n")], "lints do not hold");
    }

    #[test]
    fn a_moving_version_is_caught() {
        let of = |wanted: &str| format!("[workspace.dependencies]\na = {wanted}\n");
        catches(&LAW, &[(ROOT, &of("\"*\""))], "Cargo.toml:2: `a` takes any version");
        catches(&LAW, &[(ROOT, &of("{ git = \"https://x\" }"))], "comes from git");
        catches(&LAW, &[(ROOT, &of("{ features = [] }"))], "names no version");
        passes(&LAW, &[(ROOT, &of("{ path = \"crates/a\" }"))]);
    }
}
