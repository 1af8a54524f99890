//! Closes what the parent left open.
//!
//! A descriptor that came through `exec` lacks the close-on-exec mark, while all that Rust's library opens
//! bears it: the mark tells the inherited from the process's own. Invariant: 0, 1 and 2 stay.

use std::os::fd::{BorrowedFd, RawFd};

use crate::Error;
use crate::report::Standing;

/// Closes every inherited descriptor but those to keep.
pub(crate) fn close_inherited(kept: &[RawFd]) -> Result<Standing, Error> {
    let mut open = Vec::new();
    for entry in std::fs::read_dir("/proc/self/fd").map_err(Error::Process)? {
        let name = entry.map_err(Error::Process)?.file_name();
        open.extend(name.to_str().and_then(|name| name.parse::<RawFd>().ok()));
    }
    open.sort_unstable();
    for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2 && !kept.contains(descriptor)) {
        close_if_inherited(descriptor);
    }
    Ok(Standing::Enforced)
}

#[expect(unsafe_code, reason = "a descriptor that nobody here owns has to be closed by its number")]
fn close_if_inherited(descriptor: RawFd) {
    // SAFETY: the number was listed a moment ago and this process has one thread, so that it is open, or was
    // the listing itself, for which `fcntl` fails and nothing happens. The borrow ends with this statement.
    let flags = rustix::io::fcntl_getfd(unsafe { BorrowedFd::borrow_raw(descriptor) });
    if flags.is_ok_and(|flags| !flags.contains(rustix::io::FdFlags::CLOEXEC)) {
        // SAFETY: it came through `exec`, so that no Rust value in this process owns it.
        unsafe { rustix::io::close(descriptor) };
    }
}
