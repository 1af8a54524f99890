//! The packages of a project that `uv` has locked, as a list with digests.
//!
//! Knows the two files of a project. A stranger wrote them: of the description only what names the project and its
//! groups is handed to `uv`, no setting, no source and nothing that is built. Invariant: what comes out names packages
//! of the index that the operator set, each with its digests.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use spec::handler::{PROJECT, UV_LOCK, Wanted, requirements};

use super::{locked, uv};
use crate::error::Error;
use crate::printer::Printer;

/// Tables of the description that `uv` needs to find the project's packages in its lock.
const KEPT: [&str; 2] = ["project", "dependency-groups"];

/// Writes the list of packages that the lock names for this Python.
pub(super) fn export(
    wanted: &Wanted,
    (pyproject, lock): (&str, &str),
    (root, printer): (&Path, &Printer),
) -> Result<String, Error> {
    let failed = |source| Error::File { operation: "make", path: root.to_owned(), source };
    let uv = &uv::find(&super::cache()?, printer)?;
    let work = tempfile::Builder::new().prefix(".locking-").tempdir_in(root).map_err(failed)?;
    fs::write(work.path().join(PROJECT), described(pyproject)?).map_err(failed)?;
    let path = work.path().join(UV_LOCK);
    fs::write(&path, lock).map_err(failed)?;
    printer.note("reading the lock of the project");
    let to = work.path().join(locked::LOCK);
    let mut export = Command::new(uv);
    export.args(["export", "--quiet", "--frozen", "--no-config", "--format", "requirements-txt"]);
    export.args(["--no-default-groups", "--no-emit-project", "--no-header", "--no-annotate"]);
    export.args(["--python", locked::python(wanted)]).arg("--output-file").arg(&to);
    export.current_dir(work.path());
    let own = File::open(&path).map_err(failed)?;
    uv::watch(&mut export, "read `uv.lock`", (&own, printer))?;
    let text = checked(&to)?;
    // An export asks nobody which Python the project is for. This installs nothing.
    let mut fit = Command::new(uv);
    fit.args(["sync", "--quiet", "--frozen", "--dry-run", "--no-config", "--no-default-groups"]);
    fit.args(["--no-install-project", "--python", locked::python(wanted)]).current_dir(work.path());
    uv::watch(&mut fit, "use the project with this Python", (&own, printer))?;
    Ok(text)
}

/// The list, where it names nothing but packages of the index with their digests.
fn checked(to: &Path) -> Result<String, Error> {
    let text = fs::read_to_string(to).map_err(|source| Error::File {
        operation: "read",
        path: to.into(),
        source,
    })?;
    let refused = |error: requirements::RequirementError| refuse(UV_LOCK, error.to_string());
    requirements::check(&text).map_err(refused)?;
    let mut names = text.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphanumeric()));
    if let Some(line) = names.find(|line| !line.ends_with('\\')) {
        return Err(refuse(UV_LOCK, format!("`{line}` comes without digests")));
    }
    Ok(text)
}

/// What of a description is handed on.
fn described(pyproject: &str) -> Result<String, Error> {
    let mut table: toml::Table =
        pyproject.parse().map_err(|error: toml::de::Error| refuse(PROJECT, error.message().to_owned()))?;
    table.retain(|name, _| KEPT.contains(&name));
    match table.get("project") {
        Some(toml::Value::Table(_)) => Ok(table.to_string()),
        _ => Err(refuse(PROJECT, "it has no table `[project]`".to_owned())),
    }
}

fn refuse(name: &'static str, reason: String) -> Error {
    Error::Project { name, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_tells_uv_what_to_do_is_handed_on() {
        let text = r#"
            [project]
            name = "loans"
            version = "1"
            dependencies = ["numpy"]
            [build-system]
            requires = ["evil"]
            [tool.uv]
            index-url = "https://evil.example"
        "#;
        let kept = described(text).unwrap();
        assert!(kept.contains("loans") && kept.contains("numpy") && !kept.contains("evil"), "{kept}");
        assert!(described("[tool.uv]").unwrap_err().to_string().contains("`[project]`"));
        assert!(described("not toml").is_err());
    }
}
