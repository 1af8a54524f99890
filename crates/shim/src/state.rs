//! Who this process is in its run: whether it records or replays, where, and its path among the processes.
//!
//! Read once from the environment, and anew in a forked child. Invariant: a process path is that of the
//! parent, a dot, and which child of which thread it is, so it is the same in every run that does the same.

use core::ffi::{CStr, c_char};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU8, Ordering};

use crate::cell::Locked;
use crate::hooks::files;
use crate::text::{self, Text};
use crate::{layout, log, script, site, stream, sys};

pub const PRELOAD: &[u8] = b"LD_PRELOAD";
/// The folder that logs are written to.
pub const LOGS: &[u8] = b"REENACT_SHIM_LOGS";
/// In a replay, the folder with the logs of the recording.
pub const SCRIPT: &[u8] = b"REENACT_SHIM_SCRIPT";
/// The path of this process in its run.
pub const PROCESS: &[u8] = b"REENACT_SHIM_PROCESS";
/// The process that this path was told to, in ten digits: none yet, or a number that no process has.
pub const OWNER: &[u8] = b"REENACT_SHIM_OWNER";
/// The path of this very library.
pub const LIBRARY: &[u8] = b"REENACT_SHIM_LIBRARY";
/// `record` or `replay`.
pub const MODE_NAME: &[u8] = b"REENACT_SHIM_MODE";
/// Whether a replay ends where it goes another way.
pub const STRICT: &[u8] = b"REENACT_SHIM_STRICT";

/// Longer process paths are cut to a digest of themselves.
const LONGEST_PATH: usize = 160;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Off,
    Record,
    Replay,
}

const UNREAD: u8 = 0;
const BEING_READ: u8 = 1;
const OFF: u8 = 2;
const RECORD: u8 = 3;
const REPLAY: u8 = 4;

static MODE: AtomicU8 = AtomicU8::new(UNREAD);
static IS_STRICT: AtomicBool = AtomicBool::new(false);
static PID: AtomicI32 = AtomicI32::new(0);
/// Whether this process was made past the hooks, so that another may have its path too.
static IS_STRANGER: AtomicBool = AtomicBool::new(false);

/// Where things are. Its own copies: a program may change its environment at any time.
pub struct Places {
    pub logs: Text,
    pub script: Text,
    pub process: Text,
    pub library: Text,
}

pub static PLACES: Locked<Places> = Locked::new(Places {
    logs: Text::new(),
    script: Text::new(),
    process: Text::new(),
    library: Text::new(),
});

/// What this process does; reads the environment where nobody has yet.
pub fn mode() -> Mode {
    match MODE.load(Ordering::Acquire) {
        OFF => Mode::Off,
        RECORD => known(Mode::Record),
        REPLAY => known(Mode::Replay),
        // A hook that is met while the environment is read is one of the loader's, and passes through.
        BEING_READ => Mode::Off,
        _ => read(),
    }
}

pub fn is_strict() -> bool {
    IS_STRICT.load(Ordering::Relaxed)
}

/// Whether this process came to its path by chance.
pub fn is_stranger() -> bool {
    IS_STRANGER.load(Ordering::Relaxed)
}

/// How an owner is written, always as long, since the environment's size moves what lies behind it.
pub struct Owner([u8; Owner::DIGITS]);

impl Owner {
    const DIGITS: usize = 10;
    /// The process that is made next.
    pub const NEXT: Self = Self([b'0'; Self::DIGITS]);
    /// Of what a stranger makes nobody knows the path either.
    pub const NOBODY: Self = Self([b'9'; Self::DIGITS]);

    /// This process.
    pub fn own() -> Self {
        let mut digits = [b'0'; Self::DIGITS];
        let mut left = sys::getpid().unsigned_abs();
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
        Self(digits)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Takes the path that the environment names, where it was meant for this process.
fn own(environment: *const *const c_char) {
    let own = Owner::own();
    let Some(told) = text::variable(environment, OWNER) else { return };
    let is_meant = told == Owner::NEXT.bytes() || told == own.bytes();
    IS_STRANGER.store(!is_meant, Ordering::Relaxed);
    let owner = if is_meant { own } else { Owner::NOBODY };
    if told.len() == owner.bytes().len() {
        // SAFETY: the kernel put the texts of the environment into memory of this process that can be written, and
        // before the program's own code runs nobody else has them.
        unsafe {
            core::ptr::copy_nonoverlapping(owner.bytes().as_ptr(), told.as_ptr().cast_mut(), told.len());
        }
    }
}

/// Notices a child that was made past the hooks, which must not write to its parent's log.
fn known(mode: Mode) -> Mode {
    if PID.load(Ordering::Relaxed) != sys::getpid() {
        become_child(b"raw");
    }
    mode
}

fn read() -> Mode {
    if MODE.compare_exchange(UNREAD, BEING_READ, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return mode();
    }
    // SAFETY: the loader sets it before any code of a library runs.
    let environment = unsafe { sys::environ };
    let value = |name| text::variable(environment, name);
    let (Some(logs), Some(library)) = (value(LOGS), value(LIBRARY)) else {
        MODE.store(OFF, Ordering::Release);
        return Mode::Off;
    };
    let is_replay = value(MODE_NAME) == Some(b"replay");
    PLACES.with(|places| {
        places.logs.push(logs);
        places.library.push(library);
        places.process.push(value(PROCESS).unwrap_or(b"r"));
        places.script.push(value(SCRIPT).unwrap_or_default());
    });
    IS_STRICT.store(value(STRICT).is_some(), Ordering::Relaxed);
    PID.store(sys::getpid(), Ordering::Relaxed);
    own(environment);
    stream::begin();
    files::begin();
    log::open();
    if is_replay {
        script::open();
    }
    MODE.store(if is_replay { REPLAY } else { RECORD }, Ordering::Release);
    if is_replay { Mode::Replay } else { Mode::Record }
}

/// What a child of this thread is called: `.`, the thread, `-`, and which child of that thread it is.
pub fn push_child(path: &mut Text, stream: u64, ordinal: u32) {
    path.push(b".");
    stream::push_name(path, stream);
    path.push(b"-");
    path.push_number(ordinal.into());
    shorten(path);
}

fn shorten(path: &mut Text) {
    if path.bytes().len() > LONGEST_PATH {
        let digest = layout::fnv1a(layout::FNV_START, path.bytes());
        path.cut(1);
        path.push(b"~");
        path.push_number(digest);
    }
}

/// Makes this process, which was just forked, a child with a log of its own. The log is made when something
/// is written to it: most children become another program at once.
pub fn become_forked(stream: u64, ordinal: u32) {
    open_locks();
    PLACES.with(|places| push_child(&mut places.process, stream, ordinal));
    renew();
}

fn become_child(name: &[u8]) {
    open_locks();
    IS_STRANGER.store(true, Ordering::Relaxed);
    PLACES.with(|places| {
        places.process.push(b".");
        places.process.push(name);
        shorten(&mut places.process);
    });
    renew();
}

fn open_locks() {
    PLACES.open_after_fork();
    log::open_lock_after_fork();
    site::open_lock_after_fork();
    script::open_lock_after_fork();
}

fn renew() {
    PID.store(sys::getpid(), Ordering::Relaxed);
    stream::begin();
    log::forget();
    script::forget();
}

/// The path of a file of this process in a folder, with a number where there is one already.
pub fn log_path<'t>(space: &'t mut Text, folder: &Text, process: &Text, number: u32) -> &'t CStr {
    space.cut(0);
    space.push(folder.bytes());
    space.push(b"/");
    space.push(process.bytes());
    if number > 0 {
        space.push(b"+");
        space.push_number(number.into());
    }
    space.push(b".log");
    space.as_c()
}

/// The environment as the program has it now.
pub fn environment() -> *const *const c_char {
    // SAFETY: the C library keeps it a list that ends with a null.
    unsafe { sys::environ }
}
