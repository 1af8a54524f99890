//! The shim's logs after a run: counted, and cut down to what a replay needs.
//!
//! What the shim saw besides entropy goes to the other files of this folder. Invariants: a log that is broken at
//! some point keeps all before that point, and is said to be broken; a log is written anew beside itself, since
//! a process that was left behind may have the old one in its memory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use spec::capsule::log::{self, Log, Record};
use spec::capsule::{Divergence, Entropy, Place, Process, layout};
use spec::digest::Sha256;

use crate::error::{Error, at};

/// What the shim saw of a run.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub entropy: Entropy,
    /// Files that were opened or renamed to, and how, in the order of the processes' paths.
    pub opened: Vec<Opened>,
    /// Programs that processes became.
    pub programs: BTreeSet<String>,
    pub libraries: BTreeMap<String, String>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    pub path: String,
    /// One of the layout's sources of an open.
    pub how: u8,
}

/// Reads all logs in a folder and writes them anew, without what belongs in the record.
pub(crate) fn seal(folder: &Path) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    let mut has_fixed_addresses = true;
    for (process, path) in logs(folder)? {
        let bytes = fs::read(&path).map_err(at("read", &path))?;
        let Ok(log) = log::read(&bytes) else {
            seen.warnings.push(format!("the log of process `{process}` cannot be read"));
            continue;
        };
        has_fixed_addresses &= log.has_fixed_addresses;
        take(&mut seen, &process, &log);
        let is_kept = |record: &Record<'_>| {
            [layout::DRAW, layout::MODULE, layout::SPAWN, layout::THREAD, layout::DIVERGENCE]
                .contains(&record.kind)
                && !(record.kind == layout::DRAW && record.outcome == layout::TASKED)
        };
        let kept = log.with(is_kept);
        crate::capsule::replace(&path, &kept)?;
        seen.entropy.processes.push(Process {
            path: process,
            n_draws: log.draws().count() as u64,
            sha256: Sha256::of(&kept),
            is_whole: log.is_whole,
        });
    }
    if !has_fixed_addresses {
        let what = "addresses were given out by chance, as this system did not let them be fixed";
        seen.warnings.push(format!("{what}; what depends on the order of addresses may differ"));
    }
    if seen.entropy.processes.is_empty() {
        seen.warnings.push("the shim was not loaded, so no entropy was recorded".to_owned());
    }
    Ok(seen)
}

/// The logs in a folder, by process path.
pub(crate) fn logs(folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
    let entries = fs::read_dir(folder).map_err(at("read the folder", folder))?;
    let mut found: Vec<(String, PathBuf)> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter_map(|path| Some((path.file_name()?.to_str()?.strip_suffix(".log")?.to_owned(), path)))
        .collect();
    found.sort();
    Ok(found)
}

fn take(seen: &mut Seen, process: &str, log: &Log<'_>) {
    let entropy = &mut seen.entropy;
    for record in &log.records {
        match record.kind {
            layout::DRAW => {
                let count = match record.outcome {
                    layout::PASSED => &mut entropy.n_passed,
                    layout::TASKED => &mut entropy.n_tasked,
                    _ => &mut entropy.n_draws,
                };
                *count += 1;
                entropy.n_bytes += record.payload.len() as u64;
                entropy.n_weak += u64::from(record.outcome == layout::MATCHED_WEAKLY);
                entropy.n_fresh += u64::from(record.outcome == layout::FRESH);
            }
            layout::OPEN => seen.opened.push(Opened { path: record.text(), how: record.source }),
            layout::SPAWN if !record.payload.is_empty() => {
                seen.programs.insert(record.text());
            }
            layout::LIBRARY => {
                let text = record.text();
                let (path, id) = text.split_once('\0').unwrap_or((&text, ""));
                seen.libraries.insert(path.to_owned(), id.to_owned());
            }
            layout::DIVERGENCE if entropy.divergence.is_none() => {
                entropy.divergence = Some(divergence(process, log, record));
            }
            _ => {}
        }
    }
}

fn divergence(process: &str, log: &Log<'_>, record: &Record<'_>) -> Divergence {
    let recorded = record.payload.split_at_checked(16).and_then(|(numbers, module)| {
        Some(Place {
            n_bytes: u32::from_le_bytes(numbers.get(4..8)?.try_into().ok()?),
            offset: u64::from_le_bytes(numbers.get(8..16)?.try_into().ok()?),
            module: String::from_utf8_lossy(module).into_owned(),
        })
    });
    Divergence {
        process: process.to_owned(),
        thread: log::thread(record.stream),
        sequence: record.sequence,
        asked: Some(place(log, record)),
        recorded,
    }
}

/// From where in the program a draw was asked for.
pub(crate) fn place(log: &Log<'_>, record: &Record<'_>) -> Place {
    Place { n_bytes: record.wanted, module: log.module(record.module), offset: record.offset }
}
