//! Files given back: code and inputs, as they were read, in the folder of a replay.
//!
//! Invariant: a run does not start on an input that is not the recorded one, bit by bit.

use std::fs;
use std::path::Path;

use spec::capsule::{Capsule, File};

use crate::capsule as folder;
use crate::error::{Error, at};

/// Puts what the capsule holds into the folder of a replay, and looks for the rest where it was.
pub(crate) fn restore(capsule: &Path, recorded: &Capsule, work: &Path) -> Result<(), Error> {
    for (kind, files) in [(folder::CODE, &recorded.code), (folder::INPUTS, &recorded.inputs)] {
        for file in files {
            match file.is_held {
                true => {
                    let to = folder::copy_into(&capsule.join(kind).join(&file.path), work, &file.path)?;
                    make_writable(&to)?;
                }
                false => find(file, recorded, work)?,
            }
        }
    }
    // Programs write into folders that were there; those are not inputs, and so not in the record.
    for above in recorded.outputs.iter().filter_map(|file| Path::new(&file.path).parent()) {
        let above = work.join(above);
        fs::create_dir_all(&above).map_err(at("make the folder", &above))?;
    }
    Ok(())
}

/// A file that was recorded by its digest alone must still lie where it was.
fn find(file: &File, recorded: &Capsule, work: &Path) -> Result<(), Error> {
    let place = Path::new(&recorded.folder).join(&file.path);
    if !place.is_file() {
        return Err(Error::NoInput(file.path.clone()));
    }
    let (found, _) = folder::digest(&place)?;
    if found != file.sha256 {
        let (found, recorded) = (found.to_string(), file.sha256.to_string());
        return Err(Error::InputChanged { path: file.path.clone(), found, recorded });
    }
    if spec::capsule::stays_inside(&file.path) {
        folder::copy_into(&place, work, &file.path)?;
    }
    Ok(())
}

fn make_writable(path: &Path) -> Result<(), Error> {
    let mut permissions = path.metadata().map_err(at("look at", path))?.permissions();
    if permissions.readonly() {
        use std::os::unix::fs::PermissionsExt;
        permissions.set_mode(permissions.mode() | 0o200);
        fs::set_permissions(path, permissions).map_err(at("make writable", path))?;
    }
    Ok(())
}
