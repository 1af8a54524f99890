//! What a run ran on: Python and its packages, libraries, the machine.
//!
//! It looks at names of folders and at what the kernel says, and runs no code of the user's; a Python is asked
//! for its version only. Invariant: what cannot be found out is left out, and never guessed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use spec::capsule::Environment;

use super::entropy::Opened;

pub(crate) fn gather(program: &Path, opened: &[Opened], libraries: BTreeMap<String, String>) -> Environment {
    let packages = package_folders(opened).iter().flat_map(|folder| packages(folder)).collect();
    let machine = machine(&libraries);
    Environment { python: python(program), packages, libraries, machine }
}

/// Where packages lie from which something was read.
fn package_folders(opened: &[Opened]) -> BTreeSet<PathBuf> {
    let folder = |path: &str| {
        ["/site-packages/", "/dist-packages/"].iter().find_map(|name| {
            let at = path.find(name)?;
            path.get(..at + name.len() - 1).map(PathBuf::from)
        })
    };
    opened.iter().filter_map(|opened| folder(&opened.path)).collect()
}

/// Names and versions, from the folders that installers leave beside each package.
fn packages(folder: &Path) -> BTreeMap<String, String> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeMap::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let package = |name: String| {
        let (package, version) = name.strip_suffix(".dist-info")?.split_once('-')?;
        Some((package.to_lowercase().replace('_', "-"), version.to_owned()))
    };
    names.filter_map(package).collect()
}

/// The version of a Python, if the program is one.
fn python(program: &Path) -> Option<String> {
    let name = program.file_name()?.to_str()?;
    if !name.starts_with("python") && !name.starts_with("pypy") {
        return None;
    }
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().strip_prefix("Python ").map(str::to_owned)
}

fn machine(libraries: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    let mut say = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            facts.insert(name.to_owned(), value);
        }
    };
    let processor = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = |name: &str| {
        let value = processor.lines().find(|line| line.starts_with(name))?.split_once(':')?.1;
        Some(value.trim().to_owned())
    };
    say("processor", line("model name"));
    say("instructions", line("flags").map(|flags| instructions(&flags)));
    say("cores", std::thread::available_parallelism().ok().map(|n| n.to_string()));
    let system = rustix::system::uname();
    say("kernel", system.release().to_str().ok().map(str::to_owned));
    say("architecture", system.machine().to_str().ok().map(str::to_owned));
    let libc = libraries.keys().find(|path| path.ends_with("/libc.so.6"));
    say("libc", libc.and_then(|path| libc_version(Path::new(path))));
    say("gpu", gpu());
    let driver = fs::read_to_string("/proc/driver/nvidia/version").ok();
    say("gpu driver", driver.and_then(|text| text.lines().next().map(str::to_owned)));
    facts
}

/// The groups of instructions by which libraries of numbers choose their code.
fn instructions(flags: &str) -> String {
    const TELLING: &[&str] =
        &["sse4_2", "avx", "avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "rdrand"];
    let flags: BTreeSet<&str> = flags.split_whitespace().collect();
    TELLING.iter().filter(|flag| flags.contains(**flag)).copied().collect::<Vec<_>>().join(" ")
}

/// The version that the C library has written in itself.
fn libc_version(path: &Path) -> Option<String> {
    const BEFORE: &[u8] = b"stable release version ";
    let bytes = fs::read(path).ok()?;
    let at = bytes.windows(BEFORE.len()).position(|part| part == BEFORE)? + BEFORE.len();
    let version = bytes.get(at..)?.split(|byte| !(byte.is_ascii_digit() || *byte == b'.')).next()?;
    Some(String::from_utf8_lossy(version).trim_end_matches('.').to_owned())
}

/// Models of NVIDIA's cards, as the driver names them.
fn gpu() -> Option<String> {
    let mut cards: Vec<String> = fs::read_dir("/proc/driver/nvidia/gpus")
        .ok()?
        .filter_map(|entry| fs::read_to_string(entry.ok()?.path().join("information")).ok())
        .filter_map(|text| {
            Some(text.lines().find(|line| line.starts_with("Model:"))?.split_once(':')?.1.trim().to_owned())
        })
        .collect();
    cards.sort();
    Some(cards.join(", "))
}
