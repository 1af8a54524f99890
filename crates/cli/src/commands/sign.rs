//! `reenact sign`: signs all files of a folder, or checks that they are what was signed.
//!
//! It knows folders and no form of signatures. Invariant: nothing outside of the folder is read, and a folder with
//! something in it that is neither file nor folder is not signed, since nobody could say what that was.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use spec::digest::Sha256;
use spec::folder_signature::{FILE, Folder, LEFT_OUT, PublicKey, open};

use crate::args::reproducing::Sign;
use crate::commands::ExitStatus;
use crate::error::Error;
use crate::printer::Printer;
use crate::signing;

/// How many files that differ are named.
const NAMED: usize = 10;

pub fn run(args: &Sign, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let failed = |source| Error::File { operation: "find the folder", path: args.folder.clone(), source };
    let folder = args.folder.canonicalize().map_err(failed)?;
    let signature = args.signature.clone().unwrap_or_else(|| folder.join(FILE));
    match (&args.public_key, args.check) {
        (Some(key), true) => check(&folder, &signature, key, printer),
        (key, _) => sign(&folder, &signature, key.as_deref(), printer),
    }
}

fn sign(
    folder: &Path,
    to: &Path,
    public_key: Option<&Path>,
    printer: &Printer,
) -> anyhow::Result<ExitStatus> {
    let key = signing::folder_key(printer)?;
    let mut ignored: Vec<String> = LEFT_OUT.iter().map(|name| (*name).to_owned()).collect();
    // The signature cannot be over itself, nor over one that is in its place.
    let place = std::path::absolute(to).map_err(|source| write_failed(to, source))?;
    ignored.extend(place.strip_prefix(folder).ok().map(|path| path.to_string_lossy().into_owned()));
    let files: Vec<(String, Sha256)> = files(folder, &ignored)?.into_iter().collect();
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let n_files = files.len();
    let text = key.seal(&Folder { name, files, ignored })?;
    fs::write(to, text + "\n").map_err(|source| write_failed(to, source))?;
    if let Some(path) = public_key {
        fs::write(path, key.public().pem()?).map_err(|source| write_failed(path, source))?;
        printer.note(format_args!("wrote the key to check it with: {}", path.display()));
    }
    printer.note(format_args!("signed {n_files} files"));
    printer.answer(to.display())?;
    Ok(ExitStatus::Success)
}

fn write_failed(path: &Path, source: std::io::Error) -> Error {
    Error::File { operation: "write", path: path.to_owned(), source }
}

fn check(folder: &Path, signature: &Path, key: &Path, printer: &Printer) -> anyhow::Result<ExitStatus> {
    let read = |path: &Path| {
        let text = fs::read_to_string(path);
        text.map_err(|source| Error::File { operation: "read", path: path.to_owned(), source })
    };
    let refused = |path: &Path| {
        let path = path.to_owned();
        move |source| Error::Signature { path, source }
    };
    let key = PublicKey::from_pem(&read(key)?).map_err(refused(key))?;
    let signed = open(&read(signature)?, &key).map_err(refused(signature))?;
    let mut found = files(folder, &signed.ignored)?;
    let mut strange = Vec::new();
    for (path, sha256) in &signed.files {
        match found.remove(path) {
            Some(digest) if digest == *sha256 => {}
            Some(_) => strange.push(format!("`{path}` was changed")),
            None => strange.push(format!("`{path}` is not there")),
        }
    }
    strange.extend(found.into_keys().map(|path| format!("`{path}` was added")));
    for line in strange.iter().take(NAMED) {
        printer.warning(line);
    }
    if strange.len() > NAMED {
        printer.warning(format_args!("and {} more", strange.len() - NAMED));
    }
    if !strange.is_empty() {
        return Err(Error::NotAsSigned(folder.to_owned()).into());
    }
    printer.answer(format_args!("all {} files are as they were signed", signed.files.len()))?;
    Ok(ExitStatus::Success)
}

/// The files of a folder by their paths in it, but for those that are left out.
fn files(folder: &Path, ignored: &[String]) -> anyhow::Result<BTreeMap<String, Sha256>> {
    let failed = |path: &Path, source| Error::File { operation: "read", path: path.to_owned(), source };
    let mut found = BTreeMap::new();
    let mut left: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(current) = left.pop() {
        let entries = fs::read_dir(&current).map_err(|source| failed(&current, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| failed(&current, source))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(|source| failed(&current, source))?);
            let name = path.strip_prefix(folder).unwrap_or(&path).to_str();
            let name = name.ok_or_else(|| Error::CannotSign(path.clone()))?.to_owned();
            if ignored.contains(&name) {
                continue;
            }
            if kind.is_dir() {
                left.push(path);
            } else if kind.is_file() {
                found.insert(name, ::record::capsule::digest(&path)?.0);
            } else {
                return Err(Error::CannotSign(path).into());
            }
        }
    }
    Ok(found)
}
