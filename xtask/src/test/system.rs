//! What the tests need that neither cargo nor pip can bring: found, or installed, or named with its command.
//!
//! It installs only as root with `apt-get` at hand; on any other machine it says what is missing and stops, or goes
//! on without where only few tests need it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};

use super::counts::Counts;
use super::workplace::Workplace;
use super::{Done, python};
use crate::{printer, shell};

/// Something that must be on the machine.
struct Need {
    /// What a person calls it.
    what: &'static str,
    /// The package of Debian and its children.
    package: &'static str,
    is_there: fn(&Workplace) -> bool,
}

const NEEDS: &[Need] = &[
    Need { what: "the server programs of PostgreSQL", package: "postgresql", is_there: has_postgres },
    Need { what: "the browser Chromium", package: "chromium", is_there: |_| chromium().is_some() },
    Need { what: "venv for Python", package: "python3-venv", is_there: python::can_make_environments },
];

/// What some tests need that are skipped, visibly, where it cannot be had.
///
/// PyPI's PyTorch for Linux comes with all of CUDA, some gigabytes; Debian's is for the CPU alone.
const WISHES: &[Need] = &[
    Need {
        what: "PyTorch for a Python of this machine",
        package: "python3-torch",
        is_there: |_| torch_python().is_some(),
    },
    Need { what: "a client for HTTP for R", package: "r-cran-httr2", is_there: |_| r_has("httr2") },
    Need { what: "JSON for R", package: "r-cran-jsonlite", is_there: |_| r_has("jsonlite") },
];

/// Names of browsers that speak the protocol the tests drive.
const BROWSERS: &[&str] = &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// Finds what is missing, installs it if that is possible, and exports where the rest is.
pub fn install(workplace: &mut Workplace) -> anyhow::Result<Done> {
    let missing = missing(NEEDS, workplace);
    if !missing.is_empty() {
        let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
        let command = format!("apt-get update && apt-get install --yes {}", packages.join(" "));
        for need in &missing {
            printer::line(format!("missing: {} (package `{}`)", need.what, need.package));
        }
        if !can_install(workplace) {
            bail!("{} missing\n  hint: run `sudo sh -c '{command}'`", names(&missing));
        }
        apt_get(workplace, &packages)?;
    }
    if let Some(browser) = chromium() {
        workplace.export("REENACT_TEST_CHROMIUM", browser);
    }
    let refused = wish(workplace);
    if let Some(python) = torch_python() {
        workplace.export("REENACT_TEST_TORCH_PYTHON", python);
    }
    match (&self::missing(NEEDS, workplace)[..], refused) {
        ([], None) => Ok(Done::prepared()),
        ([], Some(refused)) => Ok(Done::noted(Counts::default(), refused)),
        (still, _) => bail!("{} missing though the packages were installed", names(still)),
    }
}

/// Installs what is only wished for, if that is possible; gives why something is still not there.
fn wish(workplace: &Workplace) -> Option<String> {
    let missing = missing(WISHES, workplace);
    if missing.is_empty() {
        return None;
    }
    let packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    let skipped = format!("{} missing, so its tests are skipped", names(&missing));
    match can_install(workplace).then(|| apt_get(workplace, &packages)) {
        None => Some(skipped),
        Some(Err(error)) => Some(format!("{skipped}: {error:#}")),
        Some(Ok(())) => (!self::missing(WISHES, workplace).is_empty()).then_some(skipped),
    }
}

fn missing(needs: &'static [Need], workplace: &Workplace) -> Vec<&'static Need> {
    needs.iter().filter(|need| !(need.is_there)(workplace)).collect()
}

fn names(needs: &[&Need]) -> String {
    let names = needs.iter().map(|need| need.what).collect::<Vec<_>>().join(" and ");
    format!("{names} {}", if needs.len() == 1 { "is" } else { "are" })
}

fn can_install(workplace: &Workplace) -> bool {
    let is_root = shell::ask(workplace.command("id", "").arg("-u")).is_some_and(|id| id == "0");
    is_root && found_on_path("apt-get").is_some()
}

fn apt_get(workplace: &Workplace, packages: &[&str]) -> anyhow::Result<()> {
    let quiet = || {
        let mut command = workplace.command("apt-get", "");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("--quiet");
        command
    };
    shell::must(quiet().arg("update")).context("could not read the lists of packages")?;
    shell::must(quiet().args(["install", "--yes", "--no-install-recommends"]).args(packages))
        .with_context(|| format!("could not install `{}`", packages.join(" ")))?;
    Ok(())
}

/// Whether the tests of `store` find a server to start, or were told of one, or to do without.
fn has_postgres(_: &Workplace) -> bool {
    let told =
        ["TEST_DATABASE_URL", "REENACT_SKIP_POSTGRES"].iter().any(|name| std::env::var_os(name).is_some());
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().filter_map(Result::ok);
    told || versions.map(|version| version.path().join("bin/initdb")).any(|program| program.is_file())
}

fn chromium() -> Option<PathBuf> {
    let named = std::env::var_os("REENACT_TEST_CHROMIUM").map(PathBuf::from).filter(|path| path.is_file());
    named.or_else(|| BROWSERS.iter().find_map(|name| found_on_path(name)))
}

/// A Python that has PyTorch: the first on the path, or the system's own.
fn torch_python() -> Option<&'static str> {
    let asks = "import importlib.util; assert importlib.util.find_spec('torch')";
    let names = ["python3", "/usr/bin/python3"];
    names.into_iter().find(|name| shell::ask(Command::new(name).args(["-c", asks])).is_some())
}

/// Whether R has this package, which the code that pages offer for it uses.
fn r_has(package: &str) -> bool {
    let asks = format!("library({package})");
    shell::ask(Command::new("Rscript").args(["-e", &asks])).is_some()
}

fn found_on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_in_a_sentence() {
        let needs: Vec<&Need> = NEEDS.iter().collect();
        assert_eq!(names(&needs[..1]), "the server programs of PostgreSQL is");
        assert!(names(&needs).ends_with(" are"));
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(found_on_path("sh").is_some());
        assert!(found_on_path("no-such-program").is_none());
    }
}
