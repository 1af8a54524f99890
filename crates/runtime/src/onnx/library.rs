//! Where ONNX Runtime's shared library is.
//!
//! It reads the environment and looks at folders, and loads nothing. Invariant: an answer is a file that
//! exists; a place that was named and has none is an error, not a reason to look further.

use std::path::{Path, PathBuf};

use crate::Error;

/// Places to look at before and after those that the environment names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// The library itself; nothing else is looked at.
    pub library: Option<PathBuf>,
    /// `site-packages` folders, looked at last.
    pub site_packages: Vec<PathBuf>,
}

/// Finds the library: as set, else as `ORT_DYLIB_PATH` says, else in the active Python environment
/// (`VIRTUAL_ENV`), else in the given `site-packages`.
pub fn find(search: &Search) -> Result<PathBuf, Error> {
    let named = search.library.clone().or_else(|| variable("ORT_DYLIB_PATH"));
    if let Some(path) = named {
        return if path.is_file() { Ok(path) } else { Err(Error::LibraryMissing { looked_at: vec![path] }) };
    }
    let active = variable("VIRTUAL_ENV").map(|environment| site_packages(&environment)).unwrap_or_default();
    let folders: Vec<PathBuf> =
        active.iter().chain(&search.site_packages).map(|folder| folder.join("onnxruntime/capi")).collect();
    let found = folders.iter().find_map(|folder| newest_in(folder));
    found.ok_or(Error::LibraryMissing { looked_at: folders })
}

fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// `lib/python3.*/site-packages` of an environment, in order of name.
fn site_packages(environment: &Path) -> Vec<PathBuf> {
    let lib = entries(&environment.join("lib"));
    lib.into_iter()
        .filter(|path| starts_with(path, "python3"))
        .map(|path| path.join("site-packages"))
        .collect()
}

/// The library's name ends in its version.
fn newest_in(folder: &Path) -> Option<PathBuf> {
    let libraries = entries(folder).into_iter().filter(|path| starts_with(path, "libonnxruntime.so"));
    libraries.max_by_key(|path| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.split('.').filter_map(|part| part.parse::<u32>().ok()).collect::<Vec<_>>()
    })
}

fn starts_with(path: &Path, start: &str) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(start))
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let listed = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_library_of_a_folder_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["libonnxruntime.so.1.9.0", "libonnxruntime.so.1.31.1", "libonnxruntime_providers_shared.so"]
        {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(newest_in(folder.path()), Some(folder.path().join("libonnxruntime.so.1.31.1")));
    }

    #[test]
    fn a_named_library_that_is_missing_is_not_replaced_by_another() {
        let search = Search { library: Some("/nowhere/libonnxruntime.so".into()), site_packages: Vec::new() };
        let error = find(&search).unwrap_err();
        assert_eq!(error.to_string(), "ONNX Runtime was not found; looked at `/nowhere/libonnxruntime.so`");
        assert_eq!(error.hint(), Some("`reenact setup` fetches ONNX Runtime"));
    }
}
