//! What the kernel could enforce, asked without giving anything up.
//!
//! Knows no policy. Invariant: the asking process is the same afterwards.

use crate::files;
use crate::limits;
use crate::report::{Layer, Report, Standing};

/// What [`crate::confine`] can be expected to report on this machine, for this user.
pub fn probe() -> Report {
    let namespaces = user_namespaces();
    let (files, scopes) = files::standings(landlock_version());
    let limits = match limits::unbounded_threads(&namespaces) {
        None => Standing::Enforced,
        Some(reason) => Standing::Partly(reason.into()),
    };
    let proc = std::fs::metadata("/proc/self/fd").map(|_| ());
    Report::new([
        (Layer::Descriptors, Standing::of("`/proc/self/fd`", proc)),
        (Layer::Parent, Standing::Enforced),
        (Layer::Privileges, Standing::Enforced),
        (Layer::Namespaces, namespaces),
        (Layer::Limits, limits),
        (Layer::Files, files),
        (Layer::Scopes, scopes),
        (Layer::Memory, Standing::Enforced),
        (Layer::Calls, calls()),
    ])
}

/// Reads the switches by which systems forbid user namespaces. A container's own filter does not show here.
fn user_namespaces() -> Standing {
    let switches = [
        ("/proc/sys/user/max_user_namespaces", "0", true),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", false),
        ("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1", false),
    ];
    let is_root = rustix::process::geteuid().is_root();
    let forbidding = switches.into_iter().find(|(path, forbids, binds_root)| {
        let set = std::fs::read_to_string(path).is_ok_and(|value| value.trim() == *forbids);
        set && (*binds_root || !is_root)
    });
    match forbidding {
        None => Standing::Enforced,
        Some((path, value, _)) if is_root => Standing::Partly(format!("`{path}` is {value}")),
        Some((path, value, _)) => Standing::Missing(format!("`{path}` is {value}")),
    }
}

#[expect(unsafe_code, reason = "no library asks for the version alone")]
fn landlock_version() -> u32 {
    let ask_version = 1_u32;
    let no_rules = std::ptr::null::<libc::c_void>();
    // SAFETY: with this flag the kernel reads no memory and makes nothing; it answers a number.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, no_rules, 0_usize, ask_version) };
    u32::try_from(version).unwrap_or(0)
}

#[expect(unsafe_code, reason = "no library asks for this without setting a filter")]
fn calls() -> Standing {
    let action = libc::SECCOMP_RET_ERRNO;
    // SAFETY: the kernel reads one `u32`, which lives until the call is over, and changes nothing.
    let known =
        unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_GET_ACTION_AVAIL, 0, &raw const action) };
    match known {
        0 => Standing::Enforced,
        _ => Standing::Missing("the kernel has no seccomp filters".into()),
    }
}
