//! What a `Cargo.toml` says about dependencies, with the line on which it says so.
//!
//! It judges nothing. Dependencies of one platform only count like all others.

use toml::{Table, Value};

use super::File;

/// One line under a `dependencies` heading.
pub struct Dependency {
    pub name: String,
    /// For tests and benchmarks only.
    pub is_dev: bool,
    pub wanted: Value,
    pub line: usize,
}

/// The dependencies of a package, in the order of the sections; empty for a file that is no TOML.
pub fn dependencies(file: &File) -> Vec<Dependency> {
    let Some(manifest) = table(file) else { return Vec::new() };
    let platforms = manifest.get("target").and_then(Value::as_table).into_iter().flat_map(Table::values);
    let places = std::iter::once(&manifest).chain(platforms.filter_map(Value::as_table));
    places.flat_map(|place| sections(file, place)).collect()
}

/// The `[workspace.dependencies]` of a file; empty if there are none.
pub fn workspace_dependencies(file: &File) -> Vec<Dependency> {
    let manifest = table(file).unwrap_or_default();
    let workspace = manifest.get("workspace").and_then(Value::as_table).cloned().unwrap_or_default();
    section(file, &workspace, "dependencies")
}

/// The whole file; none if it is no TOML.
pub fn table(file: &File) -> Option<Table> {
    file.text.parse().ok()
}

fn sections(file: &File, place: &Table) -> Vec<Dependency> {
    let names = ["dependencies", "dev-dependencies", "build-dependencies"];
    names.iter().flat_map(|name| section(file, place, name)).collect()
}

fn section(file: &File, place: &Table, section: &str) -> Vec<Dependency> {
    let entries = place.get(section).and_then(Value::as_table).into_iter().flatten();
    let of_entry = |(name, wanted): (&String, &Value)| Dependency {
        name: name.clone(),
        is_dev: section == "dev-dependencies",
        wanted: wanted.clone(),
        line: line_of(file, section, name),
    };
    entries.map(of_entry).collect()
}

fn line_of(file: &File, section: &str, name: &str) -> usize {
    let mut is_inside = false;
    for (at, line) in file.text.lines().enumerate() {
        if line.starts_with('[') {
            is_inside = line.trim_end_matches(']').ends_with(section);
        }
        let rest = line.strip_prefix(name).filter(|_| is_inside);
        if rest.is_some_and(|rest| rest.starts_with(['.', ' ', '='])) {
            return at + 1;
        }
    }
    1
}
