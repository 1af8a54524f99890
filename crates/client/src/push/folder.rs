//! The files below a folder that belong into a push.
//!
//! Knows nothing of servers. Invariants: links are followed only to what lies inside the folder, every path is
//! a [`FilePath`], the result is sorted by it, and what cannot be pushed is an error, not left out in silence.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use spec::limits;
use spec::name::FilePath;

use crate::error::Error;

/// Work folders and droppings that are no part of a model.
const LEFT_OUT: &[&str] = &[".git", ".venv", "__pycache__", ".ipynb_checkpoints", ".DS_Store"];
/// What ends the names of files that are still being written.
const UNFINISHED: &str = ".part";

/// A file to push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Its path in the repository.
    pub path: FilePath,
    /// Where it is.
    pub source: PathBuf,
    pub n_bytes: u64,
}

/// The files of a push: the one file, under its own name, or all below the folder.
pub fn collect(source: &Path) -> Result<Vec<LocalFile>, Error> {
    let metadata = fs::metadata(source).map_err(|error| unreadable(source, error))?;
    if metadata.is_file() {
        let name = source.file_name().unwrap_or_default();
        let path = join("", Path::new(name), source)?;
        return Ok(vec![LocalFile {
            path: parse(&path, source)?,
            source: source.to_owned(),
            n_bytes: metadata.len(),
        }]);
    }
    if !metadata.is_dir() {
        return Err(Error::NotAFile { path: source.to_owned() });
    }
    let root = fs::canonicalize(source).map_err(|error| unreadable(source, error))?;
    let mut walk = Walk { entered: vec![root.clone()], root, files: Vec::new() };
    walk.folder(source, "")?;
    let Walk { mut files, .. } = walk;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    match files.len() {
        0 => Err(Error::NothingToPush { path: source.to_owned() }),
        n if n > limits::COMMIT_FILES => Err(Error::TooManyFiles { path: source.to_owned(), n_files: n }),
        _ => Ok(files),
    }
}

struct Walk {
    /// The folder itself, without links.
    root: PathBuf,
    /// The folders we are in, without links: to meet one again is a circle.
    entered: Vec<PathBuf>,
    files: Vec<LocalFile>,
}

impl Walk {
    /// Adds what is in `folder`, whose path in the repository is `prefix` (empty, or ending in `/`).
    fn folder(&mut self, folder: &Path, prefix: &str) -> Result<(), Error> {
        for entry in fs::read_dir(folder).map_err(|error| unreadable(folder, error))? {
            let entry = entry.map_err(|error| unreadable(folder, error))?;
            let name = entry.file_name();
            let left_out = |name: &str| LEFT_OUT.contains(&name) || name.ends_with(UNFINISHED);
            if name.to_str().is_some_and(left_out) {
                continue;
            }
            let source = entry.path();
            let path = join(prefix, Path::new(&name), &source)?;
            let kind = entry.file_type().map_err(|error| unreadable(&source, error))?;
            if kind.is_symlink() {
                self.check_link(&source)?;
            }
            let metadata = fs::metadata(&source).map_err(|error| unreadable(&source, error))?;
            if metadata.is_dir() {
                self.enter(&source, &path)?;
            } else if metadata.is_file() {
                self.files.push(LocalFile { path: parse(&path, &source)?, source, n_bytes: metadata.len() });
            } else {
                return Err(Error::NotAFile { path: source });
            }
        }
        Ok(())
    }

    fn enter(&mut self, folder: &Path, path: &str) -> Result<(), Error> {
        let real = fs::canonicalize(folder).map_err(|error| unreadable(folder, error))?;
        if self.entered.contains(&real) {
            return Err(Error::LinkCircle { path: folder.to_owned() });
        }
        self.entered.push(real);
        self.folder(folder, &format!("{path}/"))?;
        self.entered.pop();
        Ok(())
    }

    fn check_link(&self, link: &Path) -> Result<(), Error> {
        let target = fs::canonicalize(link).map_err(|error| unreadable(link, error))?;
        if target.starts_with(&self.root) {
            Ok(())
        } else {
            Err(Error::LinkOutside { path: link.to_owned() })
        }
    }
}

fn join(prefix: &str, name: &Path, source: &Path) -> Result<String, Error> {
    let name = name.to_str().ok_or_else(|| Error::FileNameText { path: source.to_owned() })?;
    Ok(format!("{prefix}{name}"))
}

fn parse(path: &str, source: &Path) -> Result<FilePath, Error> {
    path.parse().map_err(|error| Error::FileName { path: source.to_owned(), source: error })
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::File { operation: "read", path: path.to_owned(), source }
}
