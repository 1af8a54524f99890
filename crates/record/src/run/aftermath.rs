//! What a confined command left behind, before anything of it is read by somebody who is not confined.
//!
//! A command may leave processes that go on writing, and links that lead whoever follows them out of its folders.
//! Invariant: once this is through, its folders hold plain files and folders, and nobody of its kind is left to change that.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, Signal, WaitOptions};

use crate::error::{Error, at};

/// How often children are looked for: each round ends all that there are, and what those had started comes next.
const ROUNDS: usize = 1000;

/// Has processes that lose their parent become children of this one, so that they can be ended.
pub(crate) fn adopt() {
    // Where the kernel cannot, processes stay; their links are taken out all the same.
    let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
}

/// Ends all processes that were started from here and are still there.
pub(crate) fn end_children() {
    for _ in 0..ROUNDS {
        let children = children();
        if children.is_empty() {
            return;
        }
        for child in children {
            // It may have ended by itself.
            let _ = rustix::process::kill_process(child, Signal::KILL);
            let _ = rustix::process::waitpid(Some(child), WaitOptions::empty());
        }
    }
}

/// The children of all threads of this process.
fn children() -> Vec<Pid> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().filter_map(Result::ok);
    let listed = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let mut found = Vec::new();
    for text in listed {
        found.extend(text.split_whitespace().filter_map(|word| Pid::from_raw(word.parse().ok()?)));
    }
    found
}

/// Deletes from a folder what is neither a file nor a folder, but for links that stay in it.
pub(crate) fn without_links(folder: &Path) -> Result<(), Error> {
    let mut left: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(current) = left.pop() {
        let entries = fs::read_dir(&current).map_err(at("read the folder", &current))?;
        for entry in entries {
            let entry = entry.map_err(at("read the folder", &current))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(at("look at", &current))?);
            let stays = || path.canonicalize().is_ok_and(|to| to.starts_with(folder));
            if kind.is_dir() {
                left.push(path);
            } else if !(kind.is_file() || kind.is_symlink() && stays()) {
                fs::remove_file(&path).map_err(at("delete", &path))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_that_lead_out_are_taken_away() {
        let home = tempfile::tempdir().unwrap();
        let work = home.path().canonicalize().unwrap().join("work");
        fs::create_dir_all(work.join("deep")).unwrap();
        fs::write(home.path().join("secret"), "s").unwrap();
        fs::write(work.join("own"), "o").unwrap();
        symlink(home.path().join("secret"), work.join("deep/out")).unwrap();
        symlink("nowhere", work.join("broken")).unwrap();
        symlink("../own", work.join("deep/in")).unwrap();
        without_links(&work).unwrap();
        let is_there = |path: &str| work.join(path).symlink_metadata().is_ok();
        assert!(is_there("own") && is_there("deep/in") && !is_there("deep/out") && !is_there("broken"));
        assert!(home.path().join("secret").is_file());
    }
}
