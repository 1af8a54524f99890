//! Stored files in a folder, under names of their own, for programs that open paths.
//!
//! Refuses to be written through: the files are the stored ones themselves. Invariant: the folder lives as long
//! as its handle, and one left behind by a process that died goes with that process's workspace.

use std::fs;
use std::path::{Path, PathBuf};

use spec::name::FilePath;
use tempfile::TempDir;

use super::{Blobs, blocking};
use crate::Error;

/// A folder of stored files.
#[derive(Debug)]
pub struct Checkout {
    folder: TempDir,
}

impl Checkout {
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Blobs {
    /// A folder with these stored files, each at its path.
    pub(crate) async fn check_out_paths(&self, found: Vec<(FilePath, PathBuf)>) -> Result<Checkout, Error> {
        let workspace = self.workspace()?.to_owned();
        blocking(move || place(&workspace, &found)).await
    }
}

fn place(workspace: &Path, files: &[(FilePath, PathBuf)]) -> Result<Checkout, Error> {
    let folder = tempfile::Builder::new().prefix("checkout-").tempdir_in(workspace);
    let folder = folder.map_err(Error::io("make a folder in", workspace))?;
    for (path, stored) in files {
        let target = folder.path().join(path.as_str());
        if let Some(above) = target.parent() {
            fs::create_dir_all(above).map_err(Error::io("make the folder", above))?;
        }
        // A link costs nothing, but not every disk has them, and none reaches across two.
        if fs::hard_link(stored, &target).is_err() {
            fs::copy(stored, &target).map_err(Error::io("copy", &target))?;
        }
    }
    Ok(Checkout { folder })
}
