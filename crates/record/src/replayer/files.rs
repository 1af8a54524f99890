//! Files given back: code and inputs, as they were read, in the folder of a replay.
//!
//! Invariant: a run does not start on an input that is not the recorded one, bit by bit; one that reaches past its own
//! folder into that of the recording is told.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use spec::capsule::{Capsule, File, Unhashed};

use crate::capsule as folder;
use crate::error::{Error, at};
use crate::recorder::Place;
use crate::recorder::entropy::Opened;
use crate::recorder::files::{is_of_system, named_there};
use crate::run::Hashing;

/// Puts what the capsule holds into the folder of a replay, and looks for the rest where it was.
pub(crate) fn restore(
    capsule: &Path,
    recorded: &Capsule,
    (work, places, hashing): (&Path, &[PathBuf], Option<Hashing>),
) -> Result<(), Error> {
    for (kind, files) in [(folder::CODE, &recorded.code), (folder::INPUTS, &recorded.inputs)] {
        for file in files {
            match file.is_held {
                true => {
                    let to = folder::copy_into(&capsule.join(kind).join(&file.path), work, &file.path)?;
                    make_writable(&to)?;
                }
                false => find(file, recorded, (work, places, hashing))?,
            }
        }
    }
    recorded.unhashed.iter().try_for_each(|file| find_unhashed(file, recorded, work))?;
    // Programs write into folders that were there; those are not inputs, and so not in the record.
    for above in recorded.outputs.iter().filter_map(|file| Path::new(&file.path).parent()) {
        let above = work.join(above);
        fs::create_dir_all(&above).map_err(at("make the folder", &above))?;
    }
    Ok(())
}

/// A file that was recorded by its digest alone must lie where it was, or, where it belongs into the folder of the
/// run, among the places that were named.
fn find(
    file: &File,
    recorded: &Capsule,
    (work, places, hashing): (&Path, &[PathBuf], Option<Hashing>),
) -> Result<(), Error> {
    let is_inside = spec::capsule::stays_inside(&file.path);
    let place = Path::new(&recorded.folder).join(&file.path);
    let found = if place.is_file() { Some(folder::digest_shown(&place, hashing)?.0) } else { None };
    let place = match found {
        Some(found) if found == file.sha256 => place,
        found => match (among(file, places)?, found) {
            (Some(named), _) if is_inside => named,
            (_, Some(found)) => {
                let [found, recorded] = [found, file.sha256].map(|digest| format!("SHA-256 `{digest}`"));
                return Err(Error::InputChanged { path: file.path.clone(), found, recorded });
            }
            _ => return Err(Error::NoInput(file.path.clone())),
        },
    };
    if is_inside {
        folder::copy_into(&place, work, &file.path)?;
    }
    Ok(())
}

/// A file of which only the length was recorded must lie where it was, as long as it was.
fn find_unhashed(file: &Unhashed, recorded: &Capsule, work: &Path) -> Result<(), Error> {
    let place = Path::new(&recorded.folder).join(&file.path);
    let found = place.metadata().ok().filter(Metadata::is_file).map(|about| about.len());
    match found {
        None => return Err(Error::NoInput(file.path.clone())),
        Some(n_bytes) if n_bytes != file.n_bytes => {
            let [found, recorded] = [n_bytes, file.n_bytes].map(|n| format!("{n} bytes"));
            return Err(Error::InputChanged { path: file.path.clone(), found, recorded });
        }
        Some(_) => {}
    }
    if spec::capsule::stays_inside(&file.path) {
        folder::copy_into(&place, work, &file.path)?;
    }
    Ok(())
}

/// Whether a path of the recording's folder is one of the replay's own. Programs and packages that lay in the former are
/// not held by the capsule, and are found where they were.
pub(crate) fn is_given(path: &str, recorded: &Path, work: &Path) -> bool {
    let there = recorded.join(path);
    let is_program =
        || there.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0);
    work.join(path).exists() || !(is_of_system(&there.join("")) || is_program())
}

/// Notes the files of the recording's folder that a replay opened, in place of those that it was given.
pub(crate) fn stray(record: &mut Capsule, opened: &[Opened], from: &Path, place: &Place<'_>) {
    let strayed = opened.iter().filter_map(|opened| named_there(Path::new(&opened.path), from, place));
    let strayed: BTreeSet<String> = strayed.collect();
    if let Some(first) = strayed.first() {
        let (n, from) = (strayed.len(), from.display());
        record.warnings.push(format!(
            "the replay opened {n} files of `{from}`, where the run was recorded, first `{first}`; the capsule's own are not read there"
        ));
    }
    record.strayed = strayed.into_iter().collect();
}

/// The file with the recorded bytes among places: files, or folders that are looked through.
fn among(file: &File, places: &[PathBuf]) -> Result<Option<PathBuf>, Error> {
    let mut left = places.to_vec();
    while let Some(place) = left.pop() {
        let about = fs::symlink_metadata(&place).map_err(at("look at", &place))?;
        if about.is_dir() {
            let entries = fs::read_dir(&place).map_err(at("read the folder", &place))?;
            left.extend(entries.filter_map(|entry| Some(entry.ok()?.path())));
        } else if place.metadata().is_ok_and(|about| about.is_file() && about.len() == file.n_bytes)
            && folder::digest(&place)?.0 == file.sha256
        {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

fn make_writable(path: &Path) -> Result<(), Error> {
    let mut permissions = path.metadata().map_err(at("look at", path))?.permissions();
    if permissions.readonly() {
        permissions.set_mode(permissions.mode() | 0o200);
        fs::set_permissions(path, permissions).map_err(at("make writable", path))?;
    }
    Ok(())
}
