//! A program that confines itself and then tries to get out, one way after the other.
//!
//! The tests run it; by hand: `cargo run -p sandbox --example prisoner -- READABLE SCRATCH SECRET PORT LEAKED`.
//! It prints the report and then a line for each attempt: what, and `done` or the error it got. With `--free`
//! it does not confine itself, which shows what the attempts are worth. With `--serving` it is what answers on a socket
//! that it was handed, and may write in memory.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::TcpStream;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use sandbox::{Children, Memory, Namespaces, Policy, Scratch, Sockets};

/// A device of every machine, in the place of one that computes.
const DEVICE: &str = "/dev/full";

struct Cell {
    readable: PathBuf,
    scratch: PathBuf,
    secret: PathBuf,
    port: u16,
    leaked: u64,
}

type Attempt<'a> = (&'static str, Box<dyn Fn() -> io::Result<()> + 'a>);

fn main() -> ExitCode {
    let Some(cell) = cell() else { return ExitCode::from(2) };
    let has_device = std::env::args().any(|argument| argument == "--device");
    let is_serving = std::env::args().any(|argument| argument == "--serving");
    let in_memory = Scratch { folder: cell.scratch.clone(), bytes: 1 << 20, n_files: 64, is_needed: true };
    let policy = Policy {
        readable: vec![cell.readable.clone()],
        executable: Vec::new(),
        writable: if is_serving { Vec::new() } else { vec![cell.scratch.clone()] },
        devices: if has_device { vec![DEVICE.into()] } else { Vec::new() },
        memory_bytes: 2 << 30,
        memory: if has_device { Memory::Written } else { Memory::Addresses },
        n_processes: 8,
        cpu_s: Some(60),
        file_size_bytes: Some(1 << 20),
        n_open_files: 32,
        die_with_parent: true,
        children: Children::None,
        namespaces: Namespaces::Own,
        sockets: if is_serving { Sockets::Handed } else { Sockets::None },
        scratch: is_serving.then_some(in_memory),
        kept_descriptors: Vec::new(),
    };
    let is_free = std::env::args().any(|argument| argument == "--free");
    let report = if is_free { Ok(sandbox::probe()) } else { sandbox::confine(&policy) };
    let mut lines = match report {
        Ok(report) => format!("{report}\n"),
        Err(error) => {
            say(&format!("{error}: {:?}\n", std::error::Error::source(&error)));
            return ExitCode::FAILURE;
        }
    };
    // A free one leaves its parent, the test, in peace.
    let processes = if is_free { Vec::new() } else { processes() };
    for (what, attempt) in attempts(&cell, has_device, is_serving).into_iter().chain(processes) {
        match attempt() {
            Ok(()) => lines += &format!("{what}: done\n"),
            Err(error) => lines += &format!("{what}: {error}\n"),
        }
    }
    say(&lines);
    if std::env::args().any(|argument| argument == "--stay") {
        std::thread::sleep(std::time::Duration::from_secs(600));
    }
    ExitCode::SUCCESS
}

fn attempts(cell: &Cell, has_device: bool, is_serving: bool) -> Vec<Attempt<'_>> {
    let given = if has_device {
        devices()
    } else {
        vec![("share 6 GiB of memory with nobody", Box::new(share) as _)]
    };
    // It fills its folder, and so comes last.
    let serving = if is_serving { serving(cell) } else { Vec::new() };
    let tried = allowed(cell).into_iter().chain(given).chain(files(cell)).chain(kernel(cell));
    tried.chain(serving).collect()
}

fn cell() -> Option<Cell> {
    let mut arguments = std::env::args().skip(1);
    Some(Cell {
        readable: arguments.next()?.into(),
        scratch: arguments.next()?.into(),
        secret: arguments.next()?.into(),
        port: arguments.next()?.parse().ok()?,
        leaked: arguments.next()?.parse().ok()?,
    })
}

fn say(text: &str) {
    let _ = io::Write::write_all(&mut io::stdout(), text.as_bytes());
}

/// What a confined process can still do; the names begin with `may`.
fn allowed(cell: &Cell) -> Vec<Attempt<'_>> {
    vec![
        ("may read what it was given", Box::new(|| fs::read(&cell.readable).map(drop))),
        ("may write in its folder", Box::new(|| fs::write(cell.scratch.join("note"), "x"))),
        (
            "may start a thread",
            Box::new(|| {
                std::thread::Builder::new().spawn(|| ())?.join().map_err(|_| io::Error::other("panicked"))
            }),
        ),
        ("may signal itself", Box::new(|| call(libc::SYS_kill, [u64::from(std::process::id()), 0, 0]))),
    ]
}

/// What one that was given a device can do with it.
fn devices() -> Vec<Attempt<'static>> {
    vec![
        (
            "may use the device it was given",
            Box::new(|| {
                let device = OpenOptions::new().read(true).write(true).open(DEVICE)?;
                let descriptor = u64::from(std::os::fd::AsRawFd::as_raw_fd(&device).unsigned_abs());
                // It is no terminal, which it says only to those who may ask.
                match call(libc::SYS_ioctl, [descriptor, libc::TCGETS, 0]) {
                    Err(error) if error.raw_os_error() == Some(libc::ENOTTY) => Ok(()),
                    other => other,
                }
            }),
        ),
        // Those who are bounded by what they write may; whoever started them has to look.
        ("may share 6 GiB of memory with nobody", Box::new(share)),
    ]
}

#[expect(unsafe_code, reason = "an attempt goes past every library")]
fn share() -> io::Result<()> {
    let (n_bytes, nowhere) = (6 << 30, std::ptr::null_mut());
    let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
    // SAFETY: the memory is new, where the kernel wants it, and nobody looks into it.
    let got = unsafe { libc::mmap(nowhere, n_bytes, access, kind, -1, 0) };
    if got == libc::MAP_FAILED { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// What one that answers on a socket can do beyond the others, and cannot.
fn serving(cell: &Cell) -> Vec<Attempt<'_>> {
    let pair = |domain: i32, kind: i32| {
        let mut ends = [0_i32; 2];
        let (domain, kind) = (u64::from(domain.unsigned_abs()), u64::from(kind.unsigned_abs()));
        // The kernel writes the fourth argument's two numbers.
        call4(libc::SYS_socketpair, [domain, kind, 0, ends.as_mut_ptr() as u64])
    };
    vec![
        (
            "may make a pair of streams",
            Box::new(move || pair(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC)),
        ),
        ("make a pair of datagram sockets", Box::new(move || pair(libc::AF_UNIX, libc::SOCK_DGRAM))),
        ("make a pair of packet sockets", Box::new(move || pair(libc::AF_UNIX, libc::SOCK_SEQPACKET))),
        (
            "write more than its folder holds",
            Box::new(|| {
                (0..4).try_for_each(|n| fs::write(cell.scratch.join(format!("part-{n}")), vec![0; 1 << 19]))
            }),
        ),
        (
            "make more files than its folder holds",
            Box::new(|| (0..100).try_for_each(|n| fs::create_dir(cell.scratch.join(format!("folder-{n}"))))),
        ),
    ]
}

fn files(cell: &Cell) -> Vec<Attempt<'_>> {
    let link = || cell.scratch.join("link");
    vec![
        ("read the secret", Box::new(|| fs::read(&cell.secret).map(drop))),
        (
            "use a device it was not given",
            Box::new(|| OpenOptions::new().read(true).write(true).open("/dev/zero").map(drop)),
        ),
        ("read /etc/shadow", Box::new(|| fs::read("/etc/shadow").map(drop))),
        ("read /etc/passwd", Box::new(|| fs::read("/etc/passwd").map(drop))),
        ("list /", Box::new(|| fs::read_dir("/").map(drop))),
        ("read /proc/1/environ", Box::new(|| fs::read("/proc/1/environ").map(drop))),
        ("open /proc/self/mem", Box::new(|| OpenOptions::new().write(true).open("/proc/self/mem").map(drop))),
        (
            "follow its own link to the secret",
            Box::new(move || {
                std::os::unix::fs::symlink(&cell.secret, link()).and_then(|()| fs::read(link())).map(drop)
            }),
        ),
        (
            "link the secret into its folder",
            Box::new(|| fs::hard_link(&cell.secret, cell.scratch.join("hard"))),
        ),
        (
            "rename the secret into its folder",
            Box::new(|| fs::rename(&cell.secret, cell.scratch.join("moved"))),
        ),
        (
            "write what it may read",
            Box::new(|| OpenOptions::new().write(true).open(&cell.readable).map(drop)),
        ),
        ("write beside its folder", Box::new(|| fs::write(cell.secret.with_file_name("new"), "x"))),
        ("remove the secret", Box::new(|| fs::remove_file(&cell.secret))),
        (
            "change a mode",
            Box::new(|| {
                let open = std::os::unix::fs::PermissionsExt::from_mode(0o777);
                fs::set_permissions(&cell.secret, open)
            }),
        ),
        ("change an owner", Box::new(|| std::os::unix::fs::chown(&cell.secret, Some(1), None))),
        ("use an inherited descriptor", Box::new(|| call(libc::SYS_lseek, [cell.leaked, 0, 1]))),
        (
            "open more files than it may",
            Box::new(|| {
                (0..40).map(|_| File::open(&cell.readable)).collect::<io::Result<Vec<_>>>().map(drop)
            }),
        ),
    ]
}

fn processes() -> Vec<Attempt<'static>> {
    let parent = u64::from(std::os::unix::process::parent_id());
    let child = libc::SIGCHLD.unsigned_abs().into();
    let attach = u64::from(libc::PTRACE_ATTACH);
    vec![
        ("fork", Box::new(|| forked(libc::SYS_fork, 0))),
        ("vfork", Box::new(|| forked(libc::SYS_vfork, 0))),
        ("clone a process", Box::new(move || forked(libc::SYS_clone, child))),
        ("clone3", Box::new(|| call(libc::SYS_clone3, [0; 3]))),
        ("run a program", Box::new(|| Command::new("/bin/true").status().map(drop))),
        ("become a program", Box::new(|| Err(Command::new("/bin/true").exec()))),
        ("execveat", Box::new(|| call(libc::SYS_execveat, [0; 3]))),
        ("make a file in memory", Box::new(|| call(libc::SYS_memfd_create, [c"x".as_ptr() as u64, 0, 0]))),
        ("signal the parent", Box::new(move || call(libc::SYS_kill, [parent, 0, 0]))),
        ("signal everybody", Box::new(|| call(libc::SYS_kill, [u64::MAX, 0, 0]))),
        ("trace the parent", Box::new(move || call(libc::SYS_ptrace, [attach, parent, 0]))),
        ("read the parent's memory", Box::new(move || call(libc::SYS_process_vm_readv, [parent, 0, 0]))),
        ("get a handle of the parent", Box::new(move || call(libc::SYS_pidfd_open, [parent, 0, 0]))),
        (
            "start more threads than it may",
            Box::new(|| {
                let sleep = || std::thread::sleep(std::time::Duration::from_millis(200));
                let start = |_| std::thread::Builder::new().spawn(sleep);
                (0..20).map(start).collect::<io::Result<Vec<_>>>().map(drop)
            }),
        ),
        ("slow the parent down", Box::new(move || call(libc::SYS_setpriority, [0, parent, 19]))),
    ]
}

fn kernel(cell: &Cell) -> Vec<Attempt<'_>> {
    let six_gib = 6 << 30;
    let number = |value: i32| u64::from(value.unsigned_abs());
    let (inet, netlink, new_user) =
        (number(libc::AF_INET), number(libc::AF_NETLINK), number(libc::CLONE_NEWUSER));
    let dumpable = number(libc::PR_SET_DUMPABLE);
    let death = number(libc::PR_SET_PDEATHSIG);
    vec![
        ("make an IP socket", Box::new(move || call(libc::SYS_socket, [inet, 1, 0]))),
        ("make a netlink socket", Box::new(move || call(libc::SYS_socket, [netlink, 3, 0]))),
        ("connect to this machine", Box::new(|| TcpStream::connect(("127.0.0.1", cell.port)).map(drop))),
        ("make a Unix socket", Box::new(|| UnixDatagram::unbound().map(drop))),
        (
            "take 6 GiB of memory",
            Box::new(move || Vec::<u8>::new().try_reserve_exact(six_gib).map_err(io::Error::other)),
        ),
        ("set up io_uring", Box::new(|| call(libc::SYS_io_uring_setup, [1, 0, 0]))),
        ("make a key", Box::new(|| call(libc::SYS_keyctl, [0, u64::MAX - 2, 0]))),
        ("handle page faults", Box::new(|| call(libc::SYS_userfaultfd, [0; 3]))),
        ("load a BPF program", Box::new(|| call(libc::SYS_bpf, [0; 3]))),
        ("count events", Box::new(|| call(libc::SYS_perf_event_open, [0; 3]))),
        ("mount", Box::new(|| call(libc::SYS_mount, [0; 3]))),
        ("open a mount", Box::new(|| call(libc::SYS_open_tree, [0; 3]))),
        ("enter a user namespace", Box::new(move || call(libc::SYS_unshare, [new_user, 0, 0]))),
        ("watch files", Box::new(|| call(libc::SYS_inotify_init1, [0; 3]))),
        ("let others read its memory", Box::new(move || call(libc::SYS_prctl, [dumpable, 1, 0]))),
        ("outlive its parent", Box::new(move || call(libc::SYS_prctl, [death, 0, 0]))),
        (
            "lift a limit",
            Box::new(|| {
                let limit = [u64::MAX; 2];
                call(libc::SYS_setrlimit, [u64::from(libc::RLIMIT_AS), limit.as_ptr() as u64, 0])
            }),
        ),
        ("make a call by its x32 name", Box::new(|| call(0x4000_0000 + libc::SYS_getppid, [0; 3]))),
        ("make a call of the future", Box::new(|| call(463, [0; 3]))),
    ]
}

fn forked(number: libc::c_long, flags: u64) -> io::Result<()> {
    call(number, [flags, 0, 0])
}

fn call(number: libc::c_long, [a, b, c]: [u64; 3]) -> io::Result<()> {
    call4(number, [a, b, c, 0])
}

#[expect(unsafe_code, reason = "an attempt goes past every library")]
fn call4(number: libc::c_long, [a, b, c, d]: [u64; 4]) -> io::Result<()> {
    // SAFETY: the arguments are numbers, null, or point at values that live until the call is over; calls
    // that could change this process are expected to fail, and where one does not the test has failed.
    let got = unsafe { libc::syscall(number, a, b, c, d, 0_u64, 0_u64) };
    let made_a_process = [libc::SYS_fork, libc::SYS_vfork, libc::SYS_clone].contains(&number);
    match got {
        0 if made_a_process => std::process::exit(0),
        0.. => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
