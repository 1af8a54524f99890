//! Which files of a folder belong into a push.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use client::error::Error;
use client::push::collect;

#[test]
fn work_folders_and_unfinished_files_are_left_out_and_the_rest_is_sorted() {
    let folder = tempfile::tempdir().unwrap();
    for path in [
        "b.txt",
        "a/z.bin",
        "a/__pycache__/x.pyc",
        ".git/config",
        ".venv/bin/python",
        "a/.ipynb_checkpoints/n",
        ".DS_Store",
        "weights.bin.part",
        ".gitattributes",
    ] {
        write(folder.path(), path);
    }
    assert_eq!(paths(folder.path()).unwrap(), [".gitattributes", "a/z.bin", "b.txt"]);
}

#[test]
fn one_file_goes_under_its_own_name() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "deep/model.onnx");
    assert_eq!(paths(&folder.path().join("deep/model.onnx")).unwrap(), ["model.onnx"]);
}

#[test]
fn links_are_followed_inside_the_folder_only() {
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "secret");
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "blobs/1");
    symlink("blobs/1", folder.path().join("model.bin")).unwrap();
    symlink("blobs", folder.path().join("again")).unwrap();
    assert_eq!(paths(folder.path()).unwrap(), ["again/1", "blobs/1", "model.bin"]);

    symlink(outside.path().join("secret"), folder.path().join("leak")).unwrap();
    assert!(matches!(collect(folder.path()), Err(Error::LinkOutside { path }) if path.ends_with("leak")));
    fs::remove_file(folder.path().join("leak")).unwrap();
    symlink(outside.path(), folder.path().join("leaks")).unwrap();
    assert!(matches!(collect(folder.path()), Err(Error::LinkOutside { .. })));
}

#[test]
fn links_in_a_circle_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "a/x");
    symlink("..", folder.path().join("a/up")).unwrap();
    assert!(matches!(collect(folder.path()), Err(Error::LinkCircle { .. })));
}

#[test]
fn what_cannot_be_pushed_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let error = collect(folder.path()).unwrap_err();
    assert!(matches!(error, Error::NothingToPush { .. }) && error.hint().is_some());
    write(folder.path(), ".git/config");
    assert!(matches!(collect(folder.path()), Err(Error::NothingToPush { .. })));
    write(folder.path(), "a\\b");
    assert!(matches!(collect(folder.path()), Err(Error::FileName { .. })));
    assert!(matches!(collect(&folder.path().join("none")), Err(Error::File { .. })));
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    fs::remove_file(folder.path().join("a\\b")).unwrap();
    assert!(matches!(collect(folder.path()), Err(Error::File { path, .. }) if path.ends_with("dangling")));
}

fn write(folder: &Path, path: &str) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "x").unwrap();
}

fn paths(source: &Path) -> Result<Vec<String>, Error> {
    Ok(collect(source)?.into_iter().map(|file| file.path.to_string()).collect())
}
