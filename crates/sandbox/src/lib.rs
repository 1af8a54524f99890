//! Confines the calling process for good: which files, how much memory, no network, no other processes.
//!
//! Meant for a process that was just started for one purpose and is about to handle something foreign, such
//! as a model file or a training script. It knows nothing of what runs inside and starts no process itself.
//! Invariant: what was given up cannot be taken back, neither by this process nor by one it turns into.
//!
//! Layers that overlap on purpose: each holds where another has a hole, or where a kernel lacks one.
//! [`confine`] says in its [`Report`] which of them hold; the caller decides whether that is enough.
//! [`fix_addresses`] confines nothing: it takes chance from what this process turns into; nor does [`tell_draws`].

mod addresses;
mod calls;
mod descriptors;
mod files;
mod limits;
mod namespaces;
mod notices;
mod policy;
mod probe;
mod process;
mod report;
mod scratch;

pub use addresses::fix_addresses;
pub use notices::{Draw, Draws, Pending, tell_draws};
pub use policy::{Children, Memory, Namespaces, Policy, Scratch, Sockets};
pub use probe::probe;
pub use report::{Layer, Report, Standing};

use std::path::PathBuf;

/// Why a process could not be confined. It must not go on: some layers may hold already and others not.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("a process is confined before it starts threads; this one has {n_threads}")]
    Threads { n_threads: usize },
    #[error("could not look at this process under `/proc/self`")]
    Process(#[source] std::io::Error),
    #[error("could not give access to `{}`", path.display())]
    Path {
        path: PathBuf,
        #[source]
        source: landlock::PathFdError,
    },
    #[error("could not restrict files with Landlock")]
    Landlock(#[source] landlock::RulesetError),
    #[error("could not build the filter of system calls")]
    Filter(#[source] seccompiler::BackendError),
}

/// Confines the calling process. Call it before the first thread is started.
///
/// A layer that this kernel lacks, or that this process may not use, is reported and not an error. Source of
/// the rules: `landlock(7)`, `seccomp(2)`, `namespaces(7)`, `getrlimit(2)`.
pub fn confine(policy: &Policy) -> Result<Report, Error> {
    let n_threads = std::fs::read_dir("/proc/self/task").map_err(Error::Process)?.count();
    if n_threads != 1 {
        return Err(Error::Threads { n_threads });
    }
    let descriptors = descriptors::close_inherited(&policy.kept_descriptors)?;
    let parent = process::die_with_parent(policy);
    // Landlock and seccomp ask for this of a process without privileges.
    let privileges = process::forbid_new_privileges();
    // Each of the following takes away what the ones before it still need: the map of user ids is written
    // with capabilities, rights to files are looked up by path, and the filter ends all of that.
    let namespaces = namespaces::enter(policy);
    let (in_memory, scratch) = scratch::lay(policy, &namespaces);
    let limits = limits::set(policy, &namespaces).and_wholly(in_memory);
    let privileges = privileges.and(process::drop_capabilities());
    let (files, scopes) = files::restrict(policy, scratch)?;
    let memory = process::hide_memory();
    let calls = calls::filter(policy)?;
    Ok(Report::new([
        (Layer::Descriptors, descriptors),
        (Layer::Parent, parent),
        (Layer::Privileges, privileges),
        (Layer::Namespaces, namespaces),
        (Layer::Limits, limits),
        (Layer::Files, files),
        (Layer::Scopes, scopes),
        (Layer::Memory, memory),
        (Layer::Calls, calls),
    ]))
}
