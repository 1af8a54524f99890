//! Leaves the machine's network, host name and inter-process communication for empty ones.
//!
//! A user namespace makes that possible without privileges. Invariant: the process keeps its user and group
//! ids, so that files that are its own stay so.

use rustix::io::Errno;
use rustix::thread::UnshareFlags;

use crate::policy::{Namespaces, Policy};
use crate::report::Standing;

/// What a process of ours never shares.
const NETWORK_AND_THE_LIKE: UnshareFlags =
    UnshareFlags::NEWNET.union(UnshareFlags::NEWIPC).union(UnshareFlags::NEWUTS);

/// Enters what the policy names.
pub(crate) fn enter(policy: &Policy) -> Standing {
    match policy.namespaces {
        Namespaces::Own if policy.scratch.is_some() => leave(NETWORK_AND_THE_LIKE | UnshareFlags::NEWNS),
        Namespaces::Own => leave(NETWORK_AND_THE_LIKE),
        Namespaces::Inherited => inherited(),
    }
}

/// Moves into namespaces of its own, as many as the system grants.
fn leave(rest: UnshareFlags) -> Standing {
    let (user, group) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    match unshare(UnshareFlags::NEWUSER | rest) {
        Ok(()) => Standing::of("user ids", keep_ids(user, group)),
        Err(refused) => match unshare(rest) {
            Ok(()) => Standing::Partly(format!("user namespace: {refused}")),
            Err(_) => Standing::Missing(format!("user namespace: {refused}")),
        },
    }
}

/// Whether it moved into a user namespace, in which the kernel counts its threads apart from those of other
/// processes of the same user.
pub(crate) fn counts_threads_apart(namespaces: &Standing) -> bool {
    matches!(namespaces, Standing::Enforced)
}

/// Whether the parent left the machine's namespaces: the map of user ids that [`keep_ids`] wrote tells.
fn inherited() -> Standing {
    let user = rustix::process::geteuid().as_raw().to_string();
    let told = std::fs::read_to_string("/proc/self/uid_map").map(|map| {
        let mut words = map.split_whitespace();
        words.next() == Some(&user) && words.nth(1) == Some("1") && words.next().is_none()
    });
    match told {
        Ok(true) => Standing::Enforced,
        Ok(false) => Standing::Missing("the parent is in the namespaces of the machine".into()),
        Err(error) => Standing::Missing(format!("`/proc/self/uid_map`: {error}")),
    }
}

#[expect(unsafe_code, reason = "`unshare` can take a thread's files away from under its siblings")]
fn unshare(flags: UnshareFlags) -> Result<(), Errno> {
    // SAFETY: the flags above never include the table of open files, which is what the function warns of.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

fn keep_ids(user: u32, group: u32) -> std::io::Result<()> {
    // The kernel asks for the first line before it lets a process without privileges write the third.
    std::fs::write("/proc/self/setgroups", "deny")?;
    std::fs::write("/proc/self/uid_map", format!("{user} {user} 1"))?;
    std::fs::write("/proc/self/gid_map", format!("{group} {group} 1"))
}
