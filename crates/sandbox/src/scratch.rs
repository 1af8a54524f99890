//! A folder in memory that holds only so much: the one place where a program may write that nobody watches.
//!
//! A limit on the length of files does not bound how many there are; the size of a file system does. Invariant: it lies in
//! mounts of the process's own, so that nobody else sees it and it ends with the process.

use std::path::Path;

use rustix::io::Errno;
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use crate::policy::{Policy, Scratch};
use crate::report::Standing;

/// Lays the folder over the empty one that the policy names, after namespaces were entered or could not be: the folder, if
/// it may be written to.
pub(crate) fn lay<'a>(policy: &'a Policy, namespaces: &Standing) -> (Standing, Option<&'a Path>) {
    let Some(scratch) = &policy.scratch else { return (Standing::Unwanted, None) };
    let standing = match namespaces {
        // It could not leave the machine's mounts, and must change none of them.
        Standing::Missing(_) => Standing::Missing("a folder in memory: no mounts of its own".into()),
        _ => Standing::of("a folder in memory", mounted(scratch)),
    };
    match standing {
        Standing::Missing(_) if !scratch.is_needed => (Standing::Unwanted, None),
        standing => (standing, Some(&scratch.folder)),
    }
}

fn mounted(scratch: &Scratch) -> Result<(), Errno> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    let options = format!("size={},nr_inodes={},mode=0700\0", scratch.bytes, scratch.n_files);
    let options = std::ffi::CStr::from_bytes_with_nul(options.as_bytes()).map_err(|_| Errno::INVAL)?;
    mount("none", scratch.folder.as_path(), "tmpfs", flags, options)
}
