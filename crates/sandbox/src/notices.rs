//! Being told of system calls: the kernel asks a listener before each `getrandom` of a program and what it starts.
//!
//! It confines nothing and answers every question with "go on". Source: `seccomp(2)`, `seccomp_unotify(2)`. Invariant:
//! a call that bears the caller's own mark is let through without a question, so that it costs nothing.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `AUDIT_ARCH_X86_64`
const ARCHITECTURE: u32 = 0xc000_003e;
/// `SYS_getrandom`
const GETRANDOM: u32 = 318;
/// `_IOWR('!', 0, struct seccomp_notif)`
const RECEIVE: libc::c_ulong = 0xc050_2100;
/// `_IOWR('!', 1, struct seccomp_notif_resp)`
const SEND: libc::c_ulong = 0xc018_2101;
/// `SECCOMP_USER_NOTIF_FLAG_CONTINUE`
const GO_ON: u64 = 1;

/// `struct seccomp_notif` in words: id; process and flags; number and architecture; instruction; six arguments.
type Asked = [u64; 10];
/// `struct seccomp_notif_resp` in words: id; value; error and flags.
type Answered = [u64; 3];

/// One draw of entropy that is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    pub pid: u32,
    /// The address behind the instruction that asks.
    pub from: u64,
    pub n_bytes: u64,
    /// Those of `getrandom(2)`.
    pub flags: u64,
}

/// Where draws are told.
#[derive(Debug)]
pub struct Draws(OwnedFd);

/// Has the kernel ask about each `getrandom` of this process and of what it turns into and starts, but for those whose
/// fourth argument is `mark`. Whoever holds what comes back is asked. Without privileges no program that is started
/// from here on gains any.
#[expect(unsafe_code, reason = "no library installs a filter with a listener")]
pub fn tell_draws(mark: u64) -> io::Result<OwnedFd> {
    let statement = |code, k| libc::sock_filter { code, jt: 0, jf: 0, k };
    let load = |at| statement((libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16, at);
    let unless = |k, jf| libc::sock_filter {
        code: (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16,
        jt: 0,
        jf,
        k,
    };
    let end = |k| statement((libc::BPF_RET | libc::BPF_K) as u16, k);
    // Offsets in `struct seccomp_data`: number 0, architecture 4, arguments from 16 on.
    let mut filter = [
        load(4),
        unless(ARCHITECTURE, 6),
        load(0),
        unless(GETRANDOM, 4),
        load(40),
        unless(mark as u32, 3),
        load(44),
        unless((mark >> 32) as u32, 1),
        end(libc::SECCOMP_RET_ALLOW),
        end(libc::SECCOMP_RET_USER_NOTIF),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    let install = || {
        // SAFETY: the program points to a filter that lives as long as the call; the kernel copies it.
        let listener = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
                &raw const program,
            )
        };
        match i32::try_from(listener) {
            // SAFETY: the kernel just gave this descriptor to us, and nobody else has it.
            Ok(listener @ 0..) => Ok(unsafe { OwnedFd::from_raw_fd(listener) }),
            _ => Err(io::Error::last_os_error()),
        }
    };
    match install() {
        Err(error) if error.raw_os_error() == Some(libc::EACCES) => {
            rustix::thread::set_no_new_privs(true)?;
            install()
        }
        result => result,
    }
}

impl Draws {
    /// With what [`tell_draws`] gave, maybe in another process.
    pub fn new(listener: OwnedFd) -> Self {
        Self(listener)
    }

    /// Takes the next draw and lets it go on; none where its process ended meanwhile. Waits if there is none.
    #[expect(unsafe_code, reason = "no library asks a listener")]
    pub fn next(&self) -> io::Result<Option<(Draw, Pending<'_>)>> {
        let mut asked: Asked = [0; 10];
        // SAFETY: the kernel writes one `struct seccomp_notif`, for which there is room, and which has to be zero before.
        let n = unsafe { libc::ioctl(self.0.as_raw_fd(), RECEIVE, &raw mut asked) };
        if n != 0 {
            let error = io::Error::last_os_error();
            return match error.raw_os_error() {
                Some(libc::ENOENT | libc::EINTR) => Ok(None),
                _ => Err(error),
            };
        }
        let [id, process, _, from, _, n_bytes, flags, ..] = asked;
        let draw = Draw { pid: process as u32, from, n_bytes, flags };
        Ok(Some((draw, Pending { listener: self.0.as_fd(), id })))
    }
}

impl AsFd for Draws {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A draw that waits to go on, and does when this is dropped.
#[derive(Debug)]
pub struct Pending<'d> {
    listener: BorrowedFd<'d>,
    id: u64,
}

impl Drop for Pending<'_> {
    #[expect(unsafe_code, reason = "no library answers a listener")]
    fn drop(&mut self) {
        let answer: Answered = [self.id, 0, GO_ON << 32];
        // SAFETY: the kernel reads one `struct seccomp_notif_resp`. Where the process has ended there is nobody to tell.
        unsafe { libc::ioctl(self.listener.as_raw_fd(), SEND, &raw const answer) };
    }
}
