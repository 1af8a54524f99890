//! Bounds on what a process may use up.
//!
//! Invariant: soft and hard limit are the same, so that the process cannot raise one again.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::namespaces;
use crate::policy::{Memory, Policy};
use crate::report::Standing;

/// Sets every bound of the policy, after namespaces were entered or could not be.
pub(crate) fn set(policy: &Policy, namespaces: &Standing) -> Standing {
    let memory = match policy.memory {
        Memory::Addresses => Resource::As,
        Memory::Written => Resource::Data,
    };
    let bounds = [
        ("memory", memory, Some(policy.memory_bytes)),
        ("processor time", Resource::Cpu, policy.cpu_s),
        ("file size", Resource::Fsize, policy.file_size_bytes),
        ("open files", Resource::Nofile, Some(policy.n_open_files)),
        ("core dumps", Resource::Core, Some(0)),
        ("message queues", Resource::Msgqueue, Some(0)),
    ];
    let wanted = bounds.into_iter().filter_map(|(what, resource, bound)| Some((what, resource, bound?)));
    let standing = wanted.fold(Standing::Enforced, |standing, (what, resource, bound)| {
        standing.and(Standing::of(what, lower(resource, bound)))
    });
    standing.and(match unbounded_threads(namespaces) {
        None => Standing::of("threads", lower(Resource::Nproc, policy.n_processes)),
        Some(reason) => Standing::Partly(reason.into()),
    })
}

/// Why the number of threads cannot be bounded, where it cannot.
pub(crate) fn unbounded_threads(namespaces: &Standing) -> Option<&'static str> {
    if rustix::process::geteuid().is_root() {
        return Some("the kernel does not bound the threads of root");
    }
    let apart = namespaces::counts_threads_apart(namespaces);
    (!apart).then_some("threads would be counted with all processes of the user")
}

/// Sets both limits, or leaves what is stricter already.
fn lower(resource: Resource, bound: u64) -> Result<(), rustix::io::Errno> {
    let now = getrlimit(resource).maximum.unwrap_or(u64::MAX);
    let bound = Some(bound.min(now));
    setrlimit(resource, Rlimit { current: bound, maximum: bound })
}
