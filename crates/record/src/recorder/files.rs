//! Files that a run read and wrote: which are its code, its inputs, its outputs, and which belong to the system.
//!
//! Invariants: what lies in the run's folder is named from there, all else by its whole path; what is held is a
//! copy of what was hashed; a file that changed while the run was under way is said to have.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH;

use globset::{Glob, GlobSet, GlobSetBuilder};
use spec::capsule::{File, Unhashed, layout};

use super::entropy::Opened;
use super::{Place, Wanted};
use crate::capsule as folder;
use crate::error::{Error, at};

/// Files up to this length are held by the capsule, longer ones by their digest alone.
const HELD_BYTES: u64 = 256 * 1024 * 1024;
/// Endings of files that are code, or that say what code shall do.
const CODE: &[&str] =
    &["py", "pyx", "pyi", "ipynb", "sh", "r", "jl", "lua", "toml", "cfg", "ini", "yaml", "yml"];
/// Folders of the system, whose contents belong to the environment.
const SYSTEM: &[&str] =
    &["/usr/", "/lib/", "/lib64/", "/bin/", "/sbin/", "/etc/", "/opt/", "/var/", "/run/", "/nix/"];

/// What a run read and wrote.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub code: Vec<File>,
    pub inputs: Vec<File>,
    pub outputs: Vec<File>,
    pub unhashed: Vec<Unhashed>,
    pub warnings: Vec<String>,
}

/// How one file was used.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    is_read: bool,
    is_written: bool,
    is_read_first: bool,
}

impl Use {
    /// What was opened to be written and was not is an input.
    fn of(self, is_touched: bool) -> Self {
        match is_touched {
            true => self,
            false => {
                Self { is_read: self.is_read || self.is_written, is_written: false, is_read_first: false }
            }
        }
    }
}

/// Sorts the files of a run and copies into the capsule what it holds.
pub(crate) fn gather(
    opened: &[Opened],
    place: &Place<'_>,
    wanted: Wanted<'_>,
    started_ms: i64,
) -> Result<Gathered, Error> {
    let (inputs, outputs) = (patterns(wanted.inputs)?, patterns(wanted.outputs)?);
    let mut uses = uses(opened);
    for path in walk(place.folder).filter(|_| !wanted.inputs.is_empty() || !wanted.outputs.is_empty()) {
        let name = path.strip_prefix(place.folder).unwrap_or(&path);
        let (is_input, is_output) = (inputs.is_match(name), outputs.is_match(name));
        if is_input || is_output {
            let used = uses.entry(path).or_default();
            used.is_read |= is_input;
            used.is_written |= is_output;
        }
    }
    let (mut gathered, mut elsewhere) = (Gathered::default(), Vec::new());
    for (path, used) in uses {
        let inside = path.strip_prefix(place.folder).ok().and_then(Path::to_str).map(str::to_owned);
        if is_ignored(&path, place) || !path.is_file() {
            continue;
        }
        let used = used.of(is_touched(&path, started_ms));
        let is_declared = inside.as_ref().is_some_and(|name| outputs.is_match(name));
        let is_output = match wanted.outputs.is_empty() {
            true => used.is_written && inside.is_some(),
            false => is_declared,
        };
        let name = inside.clone().unwrap_or_else(|| path.display().to_string());
        if is_output {
            if used.is_read_first {
                gathered
                    .warnings
                    .push(format!("`{name}` was read and then written; only what it became is held"));
            }
            let file = take(&path, &name, (place, folder::OUTPUTS), None)?;
            gathered.outputs.push(file);
        } else if used.is_written && inside.is_none() && !is_of_nobody(&path) {
            elsewhere.push(name);
        } else if used.is_read && !used.is_written && !is_elsewhere(&path, inside.as_deref()) {
            let n_bytes = path.metadata().map_err(at("look at", &path))?.len();
            if wanted.hash_up_to.is_some_and(|most| n_bytes > most) {
                gathered.warnings.push(format!(
                    "`{name}` was read and not hashed ({n_bytes} bytes), so a replay cannot know whether it is the same"
                ));
                gathered.unhashed.push(Unhashed { path: name, n_bytes });
                continue;
            }
            let (kind, files) = match is_code(&path) {
                true => (folder::CODE, &mut gathered.code),
                false => (folder::INPUTS, &mut gathered.inputs),
            };
            files.push(take(&path, &name, (place, kind), Some(started_ms))?);
        }
    }
    gathered.warnings.extend(written_elsewhere(&elsewhere));
    let changed = gathered.code.iter().chain(&gathered.inputs).filter(|file| file.is_changed);
    let changed = changed.map(|file| format!("`{}` was changed while the run was under way", file.path));
    gathered.warnings.extend(changed.collect::<Vec<_>>());
    Ok(gathered)
}

/// What is to be said of files that were written outside of the run's folder.
fn written_elsewhere(names: &[String]) -> Option<String> {
    let (first, others) = names.split_first()?;
    let more = match others.len() {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    Some(format!("outside of the run's folder it wrote `{first}`{more}, which is no output and not compared"))
}

fn patterns(globs: &[String]) -> Result<GlobSet, Error> {
    let mut set = GlobSetBuilder::new();
    for glob in globs {
        set.add(Glob::new(glob).map_err(|source| Error::Glob { glob: glob.clone(), source })?);
    }
    set.build().map_err(|source| Error::Glob { glob: globs.join(" "), source })
}

/// How each file was used, over all processes. What was compiled before counts as reading its source.
fn uses(opened: &[Opened]) -> BTreeMap<PathBuf, Use> {
    let mut uses: BTreeMap<PathBuf, Use> = BTreeMap::new();
    for Opened { path, how } in opened {
        let path = PathBuf::from(path);
        if is_compiled(&path) {
            if let (layout::OPENED_TO_READ, Some(source)) = (*how, source_of(&path)) {
                uses.entry(source).or_default().is_read = true;
            }
            continue;
        }
        let used = uses.entry(path).or_default();
        match *how {
            layout::OPENED_TO_READ => used.is_read = true,
            how => {
                let is_read = used.is_read || how == layout::OPENED_TO_CHANGE;
                used.is_read_first |= is_read && !used.is_written;
                used.is_written = true;
            }
        }
    }
    uses
}

/// Whether anything was done to a file since the run started. Its own times can be set back; the time of the last
/// change to it or to those cannot.
fn is_touched(path: &Path, started_ms: i64) -> bool {
    /// What the time of a file lags behind the clock's.
    const LAG_MS: i64 = 20;
    path.metadata()
        .map_or(true, |about| about.ctime() * 1000 + about.ctime_nsec() / 1_000_000 + LAG_MS >= started_ms)
}

fn is_compiled(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "pyc")
        || path.parent().is_some_and(|folder| folder.ends_with("__pycache__"))
}

/// The source beside the folder of what Python compiled from it.
fn source_of(compiled: &Path) -> Option<PathBuf> {
    let module = compiled.file_name()?.to_str()?.split('.').next()?;
    let source = compiled.parent()?.parent()?.join(format!("{module}.py"));
    source.is_file().then_some(source)
}

fn is_code(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| CODE.contains(&extension))
}

fn is_ignored(path: &Path, place: &Place<'_>) -> bool {
    // A replay works in a folder of its own capsule.
    let is_work = place.folder.starts_with(place.capsule) && path.starts_with(place.folder);
    path.starts_with(place.capsule) && !is_work
        || path.starts_with(place.shim.folder())
        || path.components().any(|part| part.as_os_str() == "__pycache__" || part.as_os_str() == ".git")
}

/// The file of a folder that a path opened from elsewhere belongs to, by its name there; none where it is part of an
/// environment that lies there, or of the run's own record.
pub(crate) fn named_there(path: &Path, there: &Path, place: &Place<'_>) -> Option<String> {
    let path = if is_compiled(path) { source_of(path)? } else { path.to_owned() };
    let name = path.strip_prefix(there).ok()?.to_str()?.to_owned();
    let is_own = path.starts_with(place.capsule) || is_ignored(&path, place);
    (!is_own && !is_of_system(&path) && !path.is_dir()).then_some(name)
}

/// Whether a file is no part of the run's own: of an installed system, or of an environment that lies in its folder, whose
/// packages are recorded by their versions.
fn is_elsewhere(path: &Path, inside: Option<&str>) -> bool {
    inside.map_or_else(|| is_of_system(path), |name| is_of_python(&format!("/{name}")))
}

/// Whether what is written there is of the system or a cache, and no result.
fn is_of_nobody(path: &Path) -> bool {
    let is_hidden = |part: Component<'_>| part.as_os_str().as_encoded_bytes().starts_with(b".");
    is_of_system(path)
        || ["/dev", "/proc", "/sys"].iter().any(|folder| path.starts_with(folder))
        || path.components().any(is_hidden)
}

fn is_of_python(text: &str) -> bool {
    ["/site-packages/", "/dist-packages/", "/lib/python3", "/pyvenv.cfg"]
        .iter()
        .any(|part| text.contains(part))
}

/// Whether a path outside of the run's folder is part of an installed system or of a Python.
pub(crate) fn is_of_system(path: &Path) -> bool {
    let text = path.to_string_lossy();
    SYSTEM.iter().any(|folder| text.starts_with(folder))
        || is_of_python(&text)
        || text.ends_with(".so")
        || text.contains(".so.")
}

/// All files below a folder, hidden folders left out.
fn walk(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let mut left = vec![folder.to_owned()];
    let mut found = Vec::new();
    while let Some(folder) = left.pop() {
        let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        for entry in entries.filter(|entry| !entry.file_name().as_encoded_bytes().starts_with(b".")) {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => left.push(entry.path()),
                Ok(kind) if kind.is_file() => found.push(entry.path()),
                _ => {}
            }
        }
    }
    found.sort();
    found.into_iter()
}

/// Hashes a file, and copies it to the capsule where it belongs there.
fn take(
    path: &Path,
    name: &str,
    (place, kind): (&Place<'_>, &str),
    unchanged_since_ms: Option<i64>,
) -> Result<File, Error> {
    let about = path.metadata().map_err(at("look at", path))?;
    let is_held = spec::capsule::stays_inside(name) && about.len() <= HELD_BYTES;
    let hashed = match is_held {
        true => folder::copy_into(path, &place.capsule.join(kind), name)?,
        false => path.to_owned(),
    };
    let (sha256, n_bytes) = folder::digest_shown(&hashed, place.hashing)?;
    let modified = about.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let modified_ms = modified.and_then(|since| i64::try_from(since.as_millis()).ok());
    let is_changed =
        unchanged_since_ms.zip(modified_ms).is_some_and(|(started, modified)| modified > started);
    Ok(File { path: name.to_owned(), sha256, n_bytes, is_held, is_changed })
}
