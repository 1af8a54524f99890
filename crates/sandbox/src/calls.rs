//! seccomp: system calls that are refused.
//!
//! Three filters, of which the strictest answer counts: calls newer than those looked at here do not exist;
//! `clone3`, whose arguments a filter cannot read, does not exist either, so that the C library falls back on
//! `clone`; and calls that nothing confined needs are not permitted. Most are named for what Landlock leaves
//! open: modes and owners of files, other processes, sockets. Invariant: a call is refused with an error that
//! programs understand; only a foreign architecture's calls kill.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch, sock_filter,
};

use crate::Error;
use crate::policy::{Children, Policy, Sockets};
use crate::report::Standing;

/// The newest call that was looked at for this list (`mseal`, Linux 6.10). Numbers of the x32 calling
/// convention, by which the same calls could be reached under other names, are above it too.
const NEWEST_CALL: u32 = 462;

const NOT_PERMITTED: u32 = libc::EPERM.unsigned_abs();
const NO_SUCH_CALL: u32 = libc::ENOSYS.unsigned_abs();

/// Installs the filters for all that this process does from here on.
pub(crate) fn filter(policy: &Policy) -> Result<Standing, Error> {
    let denied = denied_calls(policy).map_err(Error::Filter)?;
    let absent = BTreeMap::from([(libc::SYS_clone3, Vec::new())]);
    let programs = [
        ceiling(),
        program(absent, NO_SUCH_CALL).map_err(Error::Filter)?,
        program(denied, NOT_PERMITTED).map_err(Error::Filter)?,
    ];
    // The first filter to fail leaves the others without use; what holds then is as good as nothing.
    let applied = programs.iter().try_for_each(|program| seccompiler::apply_filter(program));
    Ok(Standing::of("seccomp", applied))
}

fn program(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: u32) -> Result<BpfProgram, BackendError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno), arch)?.try_into()
}

/// `if number > NEWEST_CALL { ENOSYS } else { allow }`, in the kernel's filter language.
fn ceiling() -> BpfProgram {
    let [load, jump, give] = [0x20, 0x25, 0x06];
    let allow = libc::SECCOMP_RET_ALLOW;
    let errno = libc::SECCOMP_RET_ERRNO | NO_SUCH_CALL;
    vec![
        sock_filter { code: load, jt: 0, jf: 0, k: 0 },
        sock_filter { code: jump, jt: 1, jf: 0, k: NEWEST_CALL },
        sock_filter { code: give, jt: 0, jf: 0, k: allow },
        sock_filter { code: give, jt: 0, jf: 0, k: errno },
    ]
}

fn denied_calls(policy: &Policy) -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let mut denied: BTreeMap<i64, Vec<SeccompRule>> = conditional_calls()?;
    let always = ALWAYS.iter().chain(OLD).map(|call| (*call, Vec::new()));
    denied.extend(always);
    if policy.children == Children::Confined {
        FOR_CHILDREN.iter().for_each(|call| drop(denied.remove(call)));
    }
    if policy.sockets == Sockets::Handed {
        // Without `socket` and `bind` there is nothing to listen on but what was handed over.
        denied.remove(&libc::SYS_listen);
        denied.insert(libc::SYS_socketpair, other_than_streams()?);
    }
    if policy.executable.is_empty() {
        denied.insert(libc::SYS_execve, Vec::new());
    }
    Ok(denied)
}

/// Calls that depend on their arguments.
fn conditional_calls() -> Result<BTreeMap<i64, Vec<SeccompRule>>, BackendError> {
    let own_pid = u64::from(std::process::id());
    let other_process = || Ok::<_, BackendError>(vec![when(0, SeccompCmpOp::Ne, own_pid)?]);
    let any_of = |argument: u8, values: &[u64]| {
        values.iter().map(|value| when(argument, SeccompCmpOp::Eq, *value)).collect::<Result<Vec<_>, _>>()
    };
    let thread = libc::CLONE_THREAD.unsigned_abs().into();
    Ok(BTreeMap::from([
        // A thread may be started, a process may not.
        (libc::SYS_clone, vec![when(0, SeccompCmpOp::MaskedEq(thread), 0)?]),
        // Signals to itself are how a program aborts.
        (libc::SYS_kill, other_process()?),
        (libc::SYS_tgkill, other_process()?),
        (libc::SYS_rt_sigqueueinfo, other_process()?),
        (libc::SYS_rt_tgsigqueueinfo, other_process()?),
        // Limits may be read, not set.
        (libc::SYS_prlimit64, vec![when_long(2, SeccompCmpOp::Ne, 0)?]),
        (libc::SYS_prctl, any_of(0, &MARKS)?),
        (libc::SYS_ioctl, any_of(1, &TERMINAL)?),
        (libc::SYS_fcntl, any_of(1, &OWNER)?),
    ]))
}

/// Pairs of sockets but for connected Unix streams: each message of a datagram can name a socket that it goes to.
fn other_than_streams() -> Result<Vec<SeccompRule>, BackendError> {
    const KIND: u64 = 0xf;
    let unix = libc::AF_UNIX.unsigned_abs().into();
    let stream = u64::from(libc::SOCK_STREAM.unsigned_abs());
    let others = (0..=KIND).filter(|kind| *kind != stream);
    let mut rules = vec![when(0, SeccompCmpOp::Ne, unix)?];
    for kind in others {
        rules.push(when(1, SeccompCmpOp::MaskedEq(KIND), kind)?);
    }
    Ok(rules)
}

fn when(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value)?])
}

fn when_long(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(argument, SeccompCmpArgLen::Qword, is, value)?])
}

/// What starting, ending and further confining a child takes, and what the child does to itself: a filter is
/// inherited, and knows only this process's own number. Which processes can be signalled is left to Landlock,
/// which knows children from others, and to the child's own filter.
const FOR_CHILDREN: &[i64] = &[
    libc::SYS_clone,
    libc::SYS_kill,
    libc::SYS_tgkill,
    libc::SYS_rt_sigqueueinfo,
    libc::SYS_rt_tgsigqueueinfo,
    libc::SYS_prlimit64,
    libc::SYS_setrlimit,
    libc::SYS_prctl,
    libc::SYS_capset,
    libc::SYS_seccomp,
];

/// Marks of the process that confinement set and that must stay: end with the parent, closed memory, who may
/// trace it, and its memory map.
const MARKS: [u64; 4] = [
    libc::PR_SET_PDEATHSIG.unsigned_abs() as u64,
    libc::PR_SET_DUMPABLE.unsigned_abs() as u64,
    libc::PR_SET_PTRACER.unsigned_abs() as u64,
    libc::PR_SET_MM.unsigned_abs() as u64,
];

/// Typing into a terminal on behalf of its user.
const TERMINAL: [u64; 3] = [0x5412, 0x541c, 0x5423];

/// Signals to whoever is named the owner of a file.
const OWNER: [u64; 2] = [libc::F_SETOWN.unsigned_abs() as u64, 15];

const ALWAYS: &[i64] = &[
    // The network, and new channels to other processes.
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    // Other processes: their memory, files, signals, priority and place.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_kcmp,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pidfd_send_signal,
    libc::SYS_tkill,
    libc::SYS_setpriority,
    libc::SYS_ioprio_set,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_setattr,
    libc::SYS_sched_setparam,
    libc::SYS_sched_setscheduler,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_setrlimit,
    // Programs that no path leads to.
    libc::SYS_execveat,
    libc::SYS_memfd_create,
    libc::SYS_memfd_secret,
    // Modes, owners, times and attributes of files, which Landlock does not guard.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_add_watch,
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_chroot,
    libc::SYS_pivot_root,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    457, // statmount
    458, // listmount
    // Who the process is.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    libc::SYS_setgroups,
    libc::SYS_capset,
    libc::SYS_personality,
    libc::SYS_seccomp,
    // Parts of the kernel with a history of holes that a model has no use for.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_vmsplice,
    // The machine itself.
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_vhangup,
];

/// Calls of the same kinds that newer architectures never had.
#[cfg(target_arch = "x86_64")]
const OLD: &[i64] = &[
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_inotify_init,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_uselib,
    libc::SYS_ustat,
    libc::SYS_sysfs,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD: &[i64] = &[];
