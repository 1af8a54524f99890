//! A capsule as a folder: what is where in it, written whole or not at all, checked before it is believed.
//!
//! Invariant: no path that a capsule names is followed out of its folder, and no file of it is used whose digest
//! is not the recorded one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use sha2::Digest;
use spec::capsule::{self, Capsule};
use spec::digest::Sha256;

use crate::error::{Error, at};
use crate::run::Hashing;

/// The record itself; the last file of a capsule to be written.
pub const RECORD: &str = "capsule.json";
/// Entropy logs, one for each program that ran.
pub const ENTROPY: &str = "entropy";
pub const CODE: &str = "code";
pub const INPUTS: &str = "inputs";
pub const OUTPUTS: &str = "outputs";
/// In a replay, the folder that it ran in.
pub const WORK: &str = "work";

/// From this length on a file takes so long to hash that one wants to see how far it is.
const LONG_BYTES: u64 = 1024 * 1024 * 1024;

/// Makes the folder of a new capsule, which only its owner may look into: entropy can hold keys.
pub fn create(folder: &Path) -> Result<(), Error> {
    let is_taken = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    if is_taken {
        return Err(Error::NotEmpty(folder.to_owned()));
    }
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(at("make the folder", folder))?;
    for name in [ENTROPY, OUTPUTS] {
        let part = folder.join(name);
        fs::DirBuilder::new().mode(0o700).create(&part).map_err(at("make the folder", &part))?;
    }
    Ok(())
}

/// Whether a folder is a capsule, readable or not.
pub fn is_capsule(folder: &Path) -> bool {
    folder.join(RECORD).is_file()
}

/// Reads the record of a capsule.
pub fn read(folder: &Path) -> Result<Capsule, Error> {
    let path = folder.join(RECORD);
    let file = File::open(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::NoCapsule(folder.to_owned()),
        _ => Error::File { operation: "read", path: path.clone(), source },
    })?;
    let mut text = Vec::new();
    file.take(capsule::LONGEST_BYTES).read_to_end(&mut text).map_err(at("read", &path))?;
    let failed = |source| Error::Capsule { path: path.clone(), source };
    // The format first: a later one may have fields that this program takes for mistakes.
    #[derive(serde::Deserialize)]
    struct Stamp {
        format: u32,
    }
    let Stamp { format } = serde_json::from_slice(&text).map_err(failed)?;
    if format > capsule::FORMAT {
        return Err(Error::Format { path, format });
    }
    let record: Capsule = serde_json::from_slice(&text).map_err(failed)?;
    let held = [&record.code, &record.inputs, &record.outputs].into_iter().flatten();
    for file in held.filter(|file| file.is_held) {
        inside(&file.path)?;
    }
    record.entropy.processes.iter().try_for_each(|process| inside(&process.path))?;
    Ok(record)
}

fn inside(path: &str) -> Result<(), Error> {
    match capsule::stays_inside(path) {
        true => Ok(()),
        false => Err(Error::Path(path.to_owned())),
    }
}

/// Writes the record of a capsule, whole or not at all.
pub fn write(folder: &Path, record: &Capsule) -> Result<(), Error> {
    let mut text = serde_json::to_vec_pretty(record).map_err(Error::Json)?;
    text.push(b'\n');
    replace(&folder.join(RECORD), &text)
}

/// Puts contents in the place of a file, all of them or none; who has the old file open keeps it.
pub(crate) fn replace(path: &Path, contents: &[u8]) -> Result<(), Error> {
    let part = path.with_added_extension("part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&part).map_err(at("write", &part))?;
    file.write_all(contents).and_then(|()| file.sync_all()).map_err(at("write", &part))?;
    fs::rename(&part, path).map_err(at("write", path))
}

/// Checks every file that a capsule holds against its record.
pub fn check(folder: &Path, record: &Capsule) -> Result<(), Error> {
    for (name, files) in [(CODE, &record.code), (INPUTS, &record.inputs), (OUTPUTS, &record.outputs)] {
        for file in files.iter().filter(|file| file.is_held) {
            check_file(&folder.join(name).join(&file.path), format!("{name}/{}", file.path), file.sha256)?;
        }
    }
    for process in &record.entropy.processes {
        let name = log_name(&process.path);
        check_file(&folder.join(ENTROPY).join(&name), format!("{ENTROPY}/{name}"), process.sha256)?;
    }
    Ok(())
}

fn check_file(path: &Path, name: String, recorded: Sha256) -> Result<(), Error> {
    match digest(path) {
        Ok(found) if found.0 == recorded => Ok(()),
        Ok(_) => Err(Error::Changed(name)),
        Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Err(Error::Missing(name))
        }
        Err(error) => Err(error),
    }
}

/// The name of the log of a process path.
pub fn log_name(process: &str) -> String {
    format!("{process}.log")
}

/// The digest of a file and its length in bytes.
pub fn digest(path: &Path) -> Result<(Sha256, u64), Error> {
    let file = File::open(path).map_err(at("read", path))?;
    digest_of(file).map_err(at("read", path))
}

/// The same, and shows how far it is where the file is long.
pub(crate) fn digest_shown(path: &Path, hashing: Option<Hashing>) -> Result<(Sha256, u64), Error> {
    let file = File::open(path).map_err(at("read", path))?;
    let n_bytes = file.metadata().map_err(at("look at", path))?.len();
    match hashing.filter(|_| n_bytes >= LONG_BYTES) {
        Some(hashing) => digest_told(file, hashing(path, n_bytes)),
        None => digest_of(file),
    }
    .map_err(at("read", path))
}

pub(crate) fn digest_of(from: impl Read) -> io::Result<(Sha256, u64)> {
    digest_told(from, |_| {})
}

fn digest_told(mut from: impl Read, mut tell: impl FnMut(u64)) -> io::Result<(Sha256, u64)> {
    let mut digest = sha2::Sha256::new();
    let mut space = vec![0; 1024 * 1024];
    let mut n_bytes = 0;
    loop {
        match from.read(&mut space)? {
            0 => return Ok((Sha256::from_bytes(digest.finalize().into()), n_bytes)),
            n => {
                digest.update(space.get(..n).unwrap_or_default());
                n_bytes += n as u64;
                tell(n as u64);
            }
        }
    }
}

/// Copies a file to a place below a folder, which is made.
pub(crate) fn copy_into(from: &Path, folder: &Path, path: &str) -> Result<PathBuf, Error> {
    inside(path)?;
    let to = folder.join(path);
    if let Some(above) = to.parent() {
        fs::create_dir_all(above).map_err(at("make the folder", above))?;
    }
    fs::copy(from, &to).map_err(at("copy", from))?;
    Ok(to)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use spec::capsule::{File as Listed, Process};

    /// A capsule with a file of code, an output and a log.
    pub(crate) fn sample(folder: &Path) -> Capsule {
        let golden = include_str!("../../spec/src/capsule/golden/v1.json");
        let mut record: Capsule = serde_json::from_str(golden).unwrap();
        let file = |path: &str, text: &str| {
            let place = folder.join(path);
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::write(&place, text).unwrap();
            let path = path.split_once('/').unwrap().1.to_owned();
            let n_bytes = text.len() as u64;
            Listed { path, sha256: Sha256::of(text.as_bytes()), n_bytes, is_held: true, is_changed: false }
        };
        record.code = vec![file("code/train.py", "print(1)")];
        record.inputs = Vec::new();
        record.outputs = vec![file("outputs/deep/model.bin", &"w".repeat(1000))];
        let log = file("entropy/r.log", "a log");
        record.entropy.processes =
            vec![Process { path: "r".to_owned(), n_draws: 0, sha256: log.sha256, is_whole: true }];
        fs::write(folder.join("stdout.txt"), "said").unwrap();
        write(folder, &record).unwrap();
        record
    }

    #[test]
    fn a_record_that_is_cut_anywhere_is_refused() {
        let home = tempfile::tempdir().unwrap();
        sample(home.path());
        let path = home.path().join(RECORD);
        let whole = fs::read(&path).unwrap();
        // Behind the last brace stands a line feed, which nobody needs.
        for length in 0..whole.len() - 1 {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(read(home.path()).is_err(), "{length} bytes of {}", whole.len());
        }
    }

    #[test]
    fn whatever_byte_of_a_record_is_changed_it_leads_nowhere_else() {
        let home = tempfile::tempdir().unwrap();
        sample(home.path());
        let path = home.path().join(RECORD);
        let whole = fs::read(&path).unwrap();
        for (at, by) in (0..whole.len()).flat_map(|at| [b'/', b'.', b'"', b'9', 0xff].map(|by| (at, by))) {
            let mut changed = whole.clone();
            changed[at] = by;
            fs::write(&path, &changed).unwrap();
            let Ok(record) = read(home.path()) else { continue };
            let held = [&record.code, &record.inputs, &record.outputs].into_iter().flatten();
            for file in held.filter(|file| file.is_held) {
                assert!(capsule::stays_inside(&file.path), "{}", file.path);
            }
            // It is what was recorded, or it is found not to be.
            if let (Ok(()), Some(file)) = (check(home.path(), &record), record.code.first()) {
                assert_eq!(fs::read(home.path().join("code").join(&file.path)).unwrap(), b"print(1)");
            }
        }
    }

    #[test]
    fn a_file_of_a_capsule_that_was_cut_changed_or_taken_away_is_named() {
        let home = tempfile::tempdir().unwrap();
        let record = sample(home.path());
        for name in ["code/train.py", "outputs/deep/model.bin", "entropy/r.log"] {
            let path = home.path().join(name);
            let whole = fs::read(&path).unwrap();
            let mut forged: Vec<Vec<u8>> = (0..whole.len()).map(|length| whole[..length].to_vec()).collect();
            forged.extend((0..whole.len()).map(|at| {
                let mut changed = whole.clone();
                changed[at] ^= 1;
                changed
            }));
            forged.push([&whole[..], b" "].concat());
            for bytes in forged {
                fs::write(&path, bytes).unwrap();
                let error = check(home.path(), &record).unwrap_err();
                assert!(matches!(&error, Error::Changed(path) if name.ends_with(path.as_str())), "{error}");
            }
            fs::remove_file(&path).unwrap();
            assert!(check(home.path(), &record).is_err());
            fs::write(&path, whole).unwrap();
        }
        check(home.path(), &record).unwrap();
    }

    #[test]
    fn a_record_of_a_later_version_is_refused_with_its_number_whatever_else_it_says() {
        let home = tempfile::tempdir().unwrap();
        for text in [r#"{"format": 2}"#, r#"{"format": 2, "id": [], "code": {"all": "new"}}"#] {
            fs::write(home.path().join(RECORD), text).unwrap();
            assert!(matches!(read(home.path()), Err(Error::Format { format: 2, .. })));
        }
    }

    #[test]
    fn paths_that_climb_out_are_refused_wherever_they_stand() {
        let home = tempfile::tempdir().unwrap();
        let whole = sample(home.path());
        let file = |path: &str| Listed { path: path.to_owned(), ..whole.code[0].clone() };
        for path in ["../out", "/etc/passwd", "a/../../b", "a//b", "./a", "a/.", "a\\b", ""] {
            let of = |change: &dyn Fn(&mut Capsule)| {
                let mut record = whole.clone();
                change(&mut record);
                write(home.path(), &record).unwrap();
                read(home.path())
            };
            let tried = [
                of(&|record| record.code = vec![file(path)]),
                of(&|record| record.inputs = vec![file(path)]),
                of(&|record| record.outputs = vec![file(path)]),
                of(&|record| record.entropy.processes[0].path = path.to_owned()),
            ];
            assert!(tried.iter().all(|tried| matches!(tried, Err(Error::Path(_)))), "{path}: {tried:?}");
        }
    }
}
