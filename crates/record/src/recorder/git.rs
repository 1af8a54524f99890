//! The commit that the folder of a run is at, as git says it.
//!
//! Invariant: git changes nothing on the way; where there is no git or no repository there is no answer.

use std::path::Path;
use std::process::{Command, Stdio};

use spec::capsule::Git;

pub(crate) fn look(folder: &Path) -> Option<Git> {
    if !folder.ancestors().any(|above| above.join(".git").exists()) {
        return None;
    }
    let commit = ask(folder, &["rev-parse", "HEAD"])?;
    let changes = ask(folder, &["status", "--porcelain", "--untracked-files=no"])?;
    Some(Git { commit, is_changed: !changes.is_empty() })
}

fn ask(folder: &Path, arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(arguments).env("GIT_OPTIONAL_LOCKS", "0");
    let output = git.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
