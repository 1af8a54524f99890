//! Marks that a process sets on itself: privileges, end with the parent, closed memory.
//!
//! Invariant: each of them only takes away.

use rustix::process::{DumpableBehavior, Signal};
use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::policy::Policy;
use crate::report::Standing;

pub(crate) fn die_with_parent(policy: &Policy) -> Standing {
    if !policy.die_with_parent {
        return Standing::Unwanted;
    }
    Standing::of("parent death signal", rustix::process::set_parent_process_death_signal(Some(Signal::KILL)))
}

/// No program that is started from here on gains privileges by its set-user-id bit or file capabilities.
pub(crate) fn forbid_new_privileges() -> Standing {
    Standing::of("no new privileges", rustix::thread::set_no_new_privs(true))
}

/// Gives up all capabilities, those over a namespace of its own included.
pub(crate) fn drop_capabilities() -> Standing {
    let none = CapabilitySet::empty();
    let ambient = rustix::thread::clear_ambient_capability_set();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    let dropped = ambient.and_then(|()| rustix::thread::set_capabilities(None, sets));
    Standing::of("drop capabilities", dropped)
}

/// Forbids other processes of the same user to attach to this one, and core dumps of it.
pub(crate) fn hide_memory() -> Standing {
    Standing::of("not dumpable", rustix::process::set_dumpable_behavior(DumpableBehavior::NotDumpable))
}
