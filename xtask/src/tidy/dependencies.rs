//! Law: what others wrote and we link is free to use, from crates.io, and not on the list of the banned.
//!
//! It reads the same `deny.toml` as `cargo deny`, which does this and more where it is installed; this much
//! is checked on every machine. Only packages that Linux builds are looked at.

use toml::{Table, Value};

use super::{Law, Violation};
use crate::tree::Tree;
use crate::tree::packages::{CRATES_IO, Package};

mod spdx;

pub const LAW: Law = Law {
    name: "dependencies",
    why: "whoever installs one binary takes on every licence and every secret of what is linked into it.",
    check,
};

const POLICY: &str = "deny.toml";

fn check(tree: &Tree) -> Vec<Violation> {
    let Some(file) = tree.get(POLICY) else { return Vec::new() };
    let Ok(policy) = file.text.parse::<Table>() else {
        return vec![Violation::new(
            POLICY,
            1,
            "the file is no TOML",
            "`cargo deny check` says where it breaks",
        )];
    };
    match &tree.packages {
        Ok(packages) => packages.iter().flat_map(|package| judge(&policy, package)).collect(),
        Err(why) => {
            let hint = "run `cargo metadata --locked`; `cargo update --workspace` writes a lock that fits";
            vec![Violation::new("Cargo.lock", 1, why, hint)]
        }
    }
}

fn judge(policy: &Table, package: &Package) -> Vec<Violation> {
    let named = format!("`{} {}`", package.name, package.version);
    let mut found = Vec::new();
    if package.source != CRATES_IO {
        let what = format!("{named} comes from `{}`", package.source);
        found.push(Violation::new("Cargo.lock", 1, what, "take a version that is on crates.io"));
    }
    if is_banned(policy, &package.name) {
        let hint =
            format!("`cargo tree -i {}` says who wants it; choose its features otherwise", package.name);
        found.push(Violation::new("Cargo.lock", 1, format!("{named} is banned by `{POLICY}`"), hint));
    }
    let allowed = allowed_licences(policy, &package.name);
    let licence = package.licence.as_deref().unwrap_or("none at all");
    if !spdx::is_satisfied(licence, &allowed) {
        let what = format!("{named} is under `{licence}`");
        let hint = format!("replace it, or allow the licence in `{POLICY}` and say why");
        found.push(Violation::new("Cargo.lock", 1, what, hint));
    }
    found
}

fn is_banned(policy: &Table, name: &str) -> bool {
    let denied = list(policy.get("bans"), "deny");
    denied.iter().filter_map(|entry| name_of(entry)).any(|denied| denied == name)
}

/// What is allowed to all, and to this package alone.
fn allowed_licences<'policy>(policy: &'policy Table, name: &str) -> Vec<&'policy str> {
    let licences = policy.get("licenses");
    let exceptions = list(licences, "exceptions").iter().filter(|entry| name_of(entry) == Some(name));
    let for_all = list(licences, "allow").iter();
    for_all.chain(exceptions.flat_map(|entry| list(Some(entry), "allow"))).filter_map(Value::as_str).collect()
}

fn list<'policy>(section: Option<&'policy Value>, key: &str) -> &'policy [Value] {
    section.and_then(|section| section.get(key)).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `"name"`, `{ crate = "name" }` or `{ name = "name" }`, a version left out.
fn name_of(entry: &Value) -> Option<&str> {
    let written = entry.as_str().or_else(|| entry.get("crate").or_else(|| entry.get("name"))?.as_str())?;
    written.split(['@', ':']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: &str = r#"
        [licenses]
        allow = ["MIT"]
        exceptions = [{ allow = ["MPL-2.0"], crate = "odd" }]
        [bans]
        deny = [{ crate = "openssl", reason = "rustls" }]
    "#;

    fn said_of(name: &str, licence: Option<&str>, source: &str) -> Vec<String> {
        let mut tree = Tree::of(&[(POLICY, LISTS)]);
        let licence = licence.map(str::to_owned);
        let package = Package { name: name.into(), version: "1.0.0".into(), licence, source: source.into() };
        tree.packages = Ok(vec![package]);
        check(&tree).into_iter().map(|violation| violation.what).collect()
    }

    #[test]
    fn a_licence_that_is_not_allowed_is_caught() {
        assert_eq!(said_of("a", Some("GPL-3.0-only"), CRATES_IO), ["`a 1.0.0` is under `GPL-3.0-only`"]);
        assert_eq!(said_of("a", None, CRATES_IO), ["`a 1.0.0` is under `none at all`"]);
        assert!(said_of("a", Some("MIT OR GPL-3.0-only"), CRATES_IO).is_empty());
    }

    #[test]
    fn an_exception_holds_for_its_package_alone() {
        assert!(said_of("odd", Some("MPL-2.0"), CRATES_IO).is_empty());
        assert_eq!(said_of("even", Some("MPL-2.0"), CRATES_IO).len(), 1);
    }

    #[test]
    fn the_banned_and_those_from_elsewhere_are_caught() {
        assert_eq!(said_of("openssl", Some("MIT"), CRATES_IO), ["`openssl 1.0.0` is banned by `deny.toml`"]);
        assert_eq!(said_of("a", Some("MIT"), "git+https://x"), ["`a 1.0.0` comes from `git+https://x`"]);
    }

    #[test]
    fn a_lock_that_cannot_be_read_is_said() {
        let mut tree = Tree::of(&[(POLICY, LISTS)]);
        tree.packages = Err("the lock is old".into());
        assert_eq!(check(&tree)[0].what, "the lock is old");
    }
}
