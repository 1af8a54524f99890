//! The key with which a person signs what they state: made the first time, kept for its owner's eyes.
//!
//! The place where randomness enters the command line. Invariants: the file is readable by its owner alone and never
//! half written; of two commands that make it at the same time both get the same key.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use spec::digest::Sha256;
use spec::dsse::Key;
use spec::folder_signature;

use crate::error::Error;
use crate::printer::Printer;
use crate::settings;

/// What the file is called: a seed of 64 hex digits.
const NAME: &str = "signing-key";

/// The key, made if there is none.
pub fn key(printer: &Printer) -> anyhow::Result<Key> {
    Ok(Key::from_seed(seed(printer)?.as_bytes()))
}

/// The key to sign folders with, which follows from the same seed.
pub fn folder_key(printer: &Printer) -> anyhow::Result<folder_signature::Key> {
    Ok(folder_signature::Key::from_seed(seed(printer)?.as_bytes()))
}

fn seed(printer: &Printer) -> anyhow::Result<Sha256> {
    let path = path()?;
    if let Some(seed) = read(&path)? {
        return Ok(seed);
    }
    make(&path)?;
    printer.note(format_args!("made a key to sign with: {}", path.display()));
    Ok(read(&path)?.ok_or(Error::BadKey { path })?)
}

fn path() -> anyhow::Result<PathBuf> {
    let credentials = settings::credentials_path()?;
    Ok(credentials.parent().unwrap_or(Path::new(".")).join(NAME))
}

fn read(path: &Path) -> Result<Option<Sha256>, Error> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { operation: "read", path: path.to_owned(), source }),
    };
    text.trim().parse().map(Some).map_err(|_| Error::BadKey { path: path.to_owned() })
}

fn make(path: &Path) -> Result<(), Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(Error::Random)?;
    let failed = |source| Error::File { operation: "write", path: path.to_owned(), source };
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    // A temporary file is made with mode 0600, which the new name keeps.
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let text = format!("{}\n", Sha256::from_bytes(seed));
    file.write_all(text.as_bytes()).and_then(|()| file.as_file().sync_all()).map_err(failed)?;
    match file.persist_noclobber(path) {
        Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => Err(failed(error.error)),
        _ => Ok(()),
    }
}
