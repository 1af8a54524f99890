//! The files of a tree in memory, and what a commit's changes make of them.
//!
//! Pure: knows no database. Invariant: no path is both a file and a folder.

use std::collections::{BTreeMap, BTreeSet};

use spec::digest::{Oid, Sha256};
use spec::git;

use super::Change;
use crate::Error;

/// What lies under a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct File {
    pub(super) sha256: Sha256,
    pub(super) git_oid: Oid,
    pub(super) n_bytes: i64,
}

/// All files of a tree by their full paths.
pub(super) type Files = BTreeMap<String, File>;

/// Does the changes in their order. Only the tree they leave must be well formed, so one commit may turn a file
/// into a folder.
pub(super) fn apply(files: &mut Files, changes: &[Change]) -> Result<(), Error> {
    for change in changes {
        match change {
            Change::Put { path, sha256, git_oid, n_bytes } => {
                let n_bytes = i64::try_from(*n_bytes).unwrap_or(i64::MAX);
                let file = File { sha256: *sha256, git_oid: *git_oid, n_bytes };
                files.insert(path.as_str().to_owned(), file);
            }
            Change::Delete { path } => {
                if files.remove(path.as_str()).is_none() {
                    return Err(Error::EntryNotFound { path: path.to_string() });
                }
            }
            Change::DeleteFolder { path } => {
                let inside: Vec<String> = inside(files, path.as_str()).cloned().collect();
                if inside.is_empty() {
                    return Err(Error::EntryNotFound { path: path.to_string() });
                }
                for file in inside {
                    files.remove(&file);
                }
            }
        }
    }
    let puts = changes.iter().filter_map(|change| match change {
        Change::Put { path, .. } => Some(path.as_str()),
        Change::Delete { .. } | Change::DeleteFolder { .. } => None,
    });
    puts.filter(|path| files.contains_key(*path)).try_for_each(|path| check(files, path))
}

/// The folders above a path, the deepest first: `a/b/c` lies in `a/b` and `a`.
pub(super) fn folders(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(folder(path), |path| folder(path))
}

/// The folder a path lies in, `None` at the root.
pub(super) fn folder(path: &str) -> Option<&str> {
    path.rsplit_once('/').map(|(folder, _)| folder)
}

/// The ids of the root's tree and of each named folder that still has files, with the bytes in it.
pub(super) struct Trees {
    pub(super) root: Oid,
    pub(super) folders: BTreeMap<String, (Oid, i64)>,
}

/// Git's trees for these files; of the folders only those wanted.
pub(super) fn trees(files: &Files, wanted: &BTreeSet<String>) -> Trees {
    let root = git::tree(files.iter().map(|(path, file)| (path.as_str(), file.git_oid)));
    let folders = wanted.iter().filter_map(|folder| {
        let start = folder.len() + 1;
        let inside: Vec<&String> = inside(files, folder).collect();
        let n_bytes = inside.iter().map(|path| files[*path].n_bytes).fold(0, i64::saturating_add);
        let oid = git::tree(inside.iter().map(|path| (&path[start..], files[*path].git_oid)));
        (!inside.is_empty()).then(|| (folder.clone(), (oid, n_bytes)))
    });
    Trees { root, folders: folders.collect() }
}

fn check(files: &Files, path: &str) -> Result<(), Error> {
    let above = folders(path).find(|folder| files.contains_key(*folder)).map(str::to_owned);
    match above.or_else(|| inside(files, path).next().cloned()) {
        Some(other) => Err(Error::PathConflict { path: path.to_owned(), other }),
        None => Ok(()),
    }
}

/// The paths of the files in a folder and its folders. `0` follows `/`.
fn inside<'a>(files: &'a Files, folder: &str) -> impl Iterator<Item = &'a String> + use<'a> {
    files.range(format!("{folder}/")..format!("{folder}0")).map(|(path, _)| path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(path: &str) -> Change {
        let bytes = path.as_bytes();
        Change::Put {
            path: path.parse().unwrap(),
            sha256: Sha256::of(bytes),
            git_oid: git::blob(bytes),
            n_bytes: 1,
        }
    }

    fn tree(paths: &[&str]) -> Files {
        let mut files = Files::new();
        apply(&mut files, &paths.iter().map(|path| put(path)).collect::<Vec<_>>()).unwrap();
        files
    }

    #[test]
    fn a_path_is_not_both_file_and_folder() {
        assert!(matches!(apply(&mut tree(&["a/b"]), &[put("a")]), Err(Error::PathConflict { .. })));
        assert!(matches!(apply(&mut tree(&["a"]), &[put("a/b/c")]), Err(Error::PathConflict { .. })));
        assert!(apply(&mut tree(&["a-b", "a.b"]), &[put("a")]).is_ok());
    }

    #[test]
    fn one_commit_may_turn_a_file_into_a_folder() {
        let mut files = tree(&["a"]);
        apply(&mut files, &[put("a/b"), Change::Delete { path: "a".parse().unwrap() }]).unwrap();
        assert!(files.keys().eq(["a/b"]));
    }

    #[test]
    fn a_folder_takes_its_own_files_along_and_no_others() {
        let mut files = tree(&["a/b", "a/c/d", "a-b", "a0"]);
        apply(&mut files, &[Change::DeleteFolder { path: "a".parse().unwrap() }]).unwrap();
        assert!(files.keys().eq(["a-b", "a0"]));
    }

    #[test]
    fn the_folders_of_a_path_are_named_from_below() {
        assert!(folders("a/b/c").eq(["a/b", "a"]));
        assert_eq!(folders("a").count(), 0);
    }
}
