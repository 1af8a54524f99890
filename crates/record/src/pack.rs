//! A capsule in one archive, so that it can be sent: packed the same way each time, unpacked with distrust.
//!
//! Invariants: the same capsule gives the same bytes, since nothing of the machine or the moment is in the archive;
//! out of an archive come the files that its record names and no others, each with the recorded length and digest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use spec::capsule::{self, Capsule, Kind, State};
use spec::digest::Sha256;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use crate::capsule as folder;
use crate::error::{Error, at};

/// What the command said. Capsules have no digest of it, so its length alone is bounded.
const WORDS: [&str; 2] = ["stdout.txt", "stderr.txt"];
/// The most of each that is unpacked, in bytes.
const WORDS_BYTES: u64 = 256 * 1024 * 1024;
/// The longest entropy log that is unpacked, in bytes.
const LOG_BYTES: u64 = 256 * 1024 * 1024;
/// How hard it is compressed; another number would give other bytes.
const LEVEL: i64 = 6;
/// Files from this length on are written with the longer form of the archive's numbers.
const LARGE_BYTES: u64 = 4_000_000_000;

/// Checks a complete recording and packs it into a file.
pub fn pack(capsule: &Path, to: &Path) -> Result<Capsule, Error> {
    let record = folder::read(capsule)?;
    if record.state == State::Incomplete {
        return Err(Error::Incomplete(capsule.to_owned()));
    }
    if record.kind == Kind::Replay {
        return Err(Error::NotRecording(record.id));
    }
    folder::check(capsule, &record)?;
    let file = File::create(to).map_err(at("write", to))?;
    let mut archive = ZipWriter::new(BufWriter::new(file));
    let words = WORDS.into_iter().map(str::to_owned).filter(|name| capsule.join(name).is_file());
    let mut names: Vec<String> = held(&record).map(|(name, _)| name).chain(words).collect();
    names.sort();
    // The record comes first: it says what the rest is.
    names.insert(0, folder::RECORD.to_owned());
    let packed = |source| Error::Archive { operation: "pack", path: to.to_owned(), source };
    for name in names {
        let path = capsule.join(&name);
        let mut file = File::open(&path).map_err(at("read", &path))?;
        let n_bytes = file.metadata().map_err(at("look at", &path))?.len();
        archive.start_file(name, options(n_bytes)).map_err(packed)?;
        io::copy(&mut file, &mut archive).map_err(at("pack", &path))?;
    }
    let mut file = archive.finish().map_err(packed)?;
    file.flush().map_err(at("write", to))?;
    Ok(record)
}

/// No times, no owners, one mode: what is in an archive is its files' names and bytes.
fn options(n_bytes: u64) -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(LEVEL))
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o600)
        .large_file(n_bytes >= LARGE_BYTES)
}

/// The files that a capsule holds, each by its path in the capsule, with its length where that is recorded.
fn held(record: &Capsule) -> impl Iterator<Item = (String, Option<u64>)> {
    let lists =
        [(folder::CODE, &record.code), (folder::INPUTS, &record.inputs), (folder::OUTPUTS, &record.outputs)];
    let files = lists.into_iter().flat_map(|(kind, files)| {
        let held = files.iter().filter(|file| file.is_held);
        held.map(move |file| (format!("{kind}/{}", file.path), Some(file.n_bytes)))
    });
    let logs = record.entropy.processes.iter();
    files.chain(logs.map(|log| (format!("{}/{}", folder::ENTROPY, folder::log_name(&log.path)), None)))
}

/// Unpacks an archive whose record has this digest into a folder that is not there, whole or not at all.
pub fn unpack(archive: &Path, expected: Sha256, to: &Path) -> Result<Capsule, Error> {
    let above = to.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new().recursive(true).mode(0o700).create(above).map_err(at("make the folder", above))?;
    // A temporary folder is its owner's alone, as a capsule has to be.
    let part =
        tempfile::TempDir::with_prefix_in(".unpacking-", above).map_err(at("make a folder in", above))?;
    let record = unpack_into(archive, expected, part.path())?;
    folder::check(part.path(), &record)?;
    let part = part.keep();
    fs::rename(&part, to).map_err(|source| {
        // Somebody else may have unpacked the same; ours is then one too many.
        let _ = fs::remove_dir_all(&part);
        Error::File { operation: "rename", path: part.clone(), source }
    })?;
    Ok(record)
}

fn unpack_into(path: &Path, expected: Sha256, to: &Path) -> Result<Capsule, Error> {
    let failed = |source| Error::Archive { operation: "unpack", path: path.to_owned(), source };
    let file = File::open(path).map_err(at("read", path))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(failed)?;
    take(&mut archive, (path, folder::RECORD), to, capsule::LONGEST_BYTES)?;
    if folder::digest(&to.join(folder::RECORD))?.0 != expected {
        return Err(Error::Changed(folder::RECORD.to_owned()));
    }
    let record = folder::read(to)?;
    for (name, n_bytes) in held(&record) {
        let most = n_bytes.unwrap_or(LOG_BYTES);
        take(&mut archive, (path, &name), to, most)?;
    }
    for name in WORDS {
        if archive.index_for_name(name).is_some() {
            take(&mut archive, (path, name), to, WORDS_BYTES)?;
        }
    }
    Ok(record)
}

/// Takes one file out of an archive, up to so many bytes.
fn take<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    (path, name): (&Path, &str),
    to: &Path,
    most_bytes: u64,
) -> Result<(), Error> {
    let place = to.join(name);
    let entry = archive.by_name(name).map_err(|source| match source {
        zip::result::ZipError::FileNotFound => Error::Missing(name.to_owned()),
        source => Error::Archive { operation: "unpack", path: path.to_owned(), source },
    })?;
    if let Some(above) = place.parent() {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(above);
        made.map_err(at("make the folder", above))?;
    }
    let mut options = OpenOptions::new();
    let mut file =
        options.write(true).create_new(true).mode(0o600).open(&place).map_err(at("write", &place))?;
    // What the archive says of its lengths is not believed: what comes is counted.
    let n_bytes = io::copy(&mut entry.take(most_bytes + 1), &mut file).map_err(at("unpack", &place))?;
    if n_bytes > most_bytes {
        return Err(Error::Changed(name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capsule::tests::sample as capsule;

    fn digest_of(folder: &Path) -> Sha256 {
        folder::digest(&folder.join(folder::RECORD)).unwrap().0
    }

    #[test]
    fn the_same_capsule_packs_to_the_same_bytes_and_comes_back_whole() {
        let home = tempfile::tempdir().unwrap();
        let (one, two) = (home.path().join("one"), home.path().join("two"));
        let record = capsule(&one);
        capsule(&two);
        fs::write(two.join("left behind"), "is no part of it").unwrap();
        let archives = [home.path().join("1.zip"), home.path().join("2.zip")];
        pack(&one, &archives[0]).unwrap();
        pack(&two, &archives[1]).unwrap();
        assert_eq!(fs::read(&archives[0]).unwrap(), fs::read(&archives[1]).unwrap());
        let back = home.path().join("back");
        assert_eq!(unpack(&archives[1], digest_of(&one), &back).unwrap(), record);
        assert_eq!(fs::read_to_string(back.join("stdout.txt")).unwrap(), "said");
        assert!(!back.join("left behind").exists());
    }

    #[test]
    fn an_archive_that_is_not_what_it_should_be_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let (source, archive) = (home.path().join("one"), home.path().join("a.zip"));
        capsule(&source);
        let expected = digest_of(&source);
        pack(&source, &archive).unwrap();
        let back = home.path().join("in/back");
        let refused = |archive: &Path, expected| {
            let error = unpack(archive, expected, &back).unwrap_err();
            assert!(
                !back.exists() && fs::read_dir(home.path().join("in")).unwrap().next().is_none(),
                "{error}"
            );
            error
        };
        assert!(matches!(refused(&archive, Sha256::of(b"another")), Error::Changed(_)));
        let whole = fs::read(&archive).unwrap();
        let cut = home.path().join("cut.zip");
        for length in 0..whole.len() {
            fs::write(&cut, &whole[..length]).unwrap();
            refused(&cut, expected);
        }
        // Of every byte that is another one, nothing comes or what was packed.
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0x41;
            fs::write(&cut, &changed).unwrap();
            if unpack(&cut, expected, &back).is_ok() {
                folder::check(&back, &folder::read(&source).unwrap()).unwrap();
                fs::remove_dir_all(&back).unwrap();
            }
        }
        // The same record with another file in its place, a longer one, and none.
        for (name, bytes) in
            [("outputs/deep/model.bin", vec![b'v'; 1000]), ("outputs/deep/model.bin", vec![0; 100_000])]
        {
            let forged = home.path().join("forged.zip");
            let mut writer = ZipWriter::new(File::create(&forged).unwrap());
            for path in ["capsule.json", "code/train.py", "entropy/r.log"] {
                writer.start_file(path, options(0)).unwrap();
                writer.write_all(&fs::read(source.join(path)).unwrap()).unwrap();
            }
            writer.start_file(name, options(0)).unwrap();
            writer.write_all(&bytes).unwrap();
            writer.finish().unwrap();
            assert!(matches!(refused(&forged, expected), Error::Changed(_)));
        }
        let mut record = folder::read(&source).unwrap();
        record.outputs[0].path = "../../escaped".to_owned();
        fs::write(source.join("capsule.json"), serde_json::to_vec(&record).unwrap()).unwrap();
        let climbing = home.path().join("climbing.zip");
        let mut writer = ZipWriter::new(File::create(&climbing).unwrap());
        writer.start_file("capsule.json", options(0)).unwrap();
        writer.write_all(&fs::read(source.join("capsule.json")).unwrap()).unwrap();
        writer.finish().unwrap();
        assert!(matches!(refused(&climbing, digest_of(&source)), Error::Path(_)));
        assert!(pack(&source, &archive).is_err());
    }

    #[test]
    fn what_is_no_complete_recording_is_not_packed() {
        let home = tempfile::tempdir().unwrap();
        let (source, archive) = (home.path().join("one"), home.path().join("a.zip"));
        let record = capsule(&source);
        folder::write(&source, &Capsule { kind: Kind::Replay, ..record.clone() }).unwrap();
        assert!(matches!(pack(&source, &archive), Err(Error::NotRecording(_))));
        folder::write(&source, &Capsule { state: State::Incomplete, ..record }).unwrap();
        assert!(matches!(pack(&source, &archive), Err(Error::Incomplete(_))));
    }
}
