//! The log of this process: a file that is mapped into memory, window after window.
//!
//! What was written is in the file's pages at once, so a process that is killed leaves all of it. Invariants:
//! a record is whole or its length is still zero; nothing keeps a descriptor open that the program could close
//! or take for its own; where the disk is full the log ends, and the program does not.

use core::ptr;
use core::sync::atomic::{AtomicU32, Ordering, fence};

use crate::cell::Locked;
use crate::layout;
use crate::site::Site;
use crate::state::{self, PLACES};
use crate::sys::{self, Mapping};
use crate::text::Text;

const WINDOW_BYTES: usize = 256 * 1024;
/// The most images of one process path: programs that a process became one after the other.
const MOST_NUMBERS: u32 = 10_000;
/// Libraries from which one process draws; those beyond are written without their names.
const MOST_MODULES: usize = 64;

struct Log {
    path: Text,
    standing: Standing,
    window: *mut u8,
    /// Where the window begins in the file, and how long it is.
    begins: usize,
    n_window: usize,
    /// Where the next record begins in the file.
    at: usize,
    modules: [u64; MOST_MODULES],
    n_modules: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unmade,
    Open,
    /// It could not be made, or not be made longer.
    Ended,
}

/// One entry, as the layout has it.
pub struct Record<'r> {
    pub kind: u8,
    pub source: u8,
    pub outcome: u8,
    pub stream: u64,
    pub sequence: u32,
    pub wanted: u32,
    pub payload: [&'r [u8]; 2],
}

impl Record<'_> {
    pub const fn new(kind: u8, source: u8) -> Self {
        Self { kind, source, outcome: 0, stream: 0, sequence: 0, wanted: 0, payload: [&[], &[]] }
    }
}

static LOG: Locked<Log> = Locked::new(Log {
    path: Text::new(),
    standing: Standing::Unmade,
    window: ptr::null_mut(),
    begins: 0,
    n_window: 0,
    at: 0,
    modules: [0; MOST_MODULES],
    n_modules: 0,
});

/// Which image of its process path this is; in a replay it reads the log of the same number.
static NUMBER: AtomicU32 = AtomicU32::new(0);

pub fn open() {
    LOG.with(make);
}

/// Makes the log if there is none yet, and says its number.
pub fn number() -> u32 {
    open();
    NUMBER.load(Ordering::Relaxed)
}

pub fn open_lock_after_fork() {
    LOG.open_after_fork();
}

/// Leaves the parent's log to the parent.
pub fn forget() {
    LOG.with(|log| {
        if !log.window.is_null() {
            sys::unmap(log.window, log.n_window);
        }
        log.window = ptr::null_mut();
        log.standing = Standing::Unmade;
        log.n_modules = 0;
    });
}

/// Writes a record that has no place in the program.
pub fn append(record: &Record<'_>) {
    LOG.with(|log| write(log, record, 0, 0));
}

/// Writes a record with the place that it was asked for from.
pub fn append_at(record: &Record<'_>, site: &Site) {
    LOG.with(|log| {
        let module = module(log, site.module);
        write(log, record, module, site.offset);
    });
}

/// The number of a library in this log; its name is written before it is first used.
fn module(log: &mut Log, path: &[u8]) -> u32 {
    make(log);
    let digest = layout::fnv1a(layout::FNV_START, path);
    let known = log.modules.iter().take(log.n_modules).position(|known| *known == digest);
    if let Some(at) = known {
        return at as u32 + 1;
    }
    let Some(space) = log.modules.get_mut(log.n_modules) else { return 0 };
    *space = digest;
    log.n_modules += 1;
    let number = log.n_modules as u32;
    write(log, &Record { payload: [path, &[]], ..Record::new(layout::MODULE, 0) }, number, 0);
    number
}

fn write(log: &mut Log, record: &Record<'_>, module: u32, offset: u64) {
    make(log);
    let [first, second] = record.payload;
    let n_payload = first.len() + second.len();
    let n = layout::record_length(n_payload);
    if log.standing != Standing::Open || !has_room(log, n) {
        return;
    }
    let mut head = [0_u8; layout::RECORD_BYTES];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(space) = head.get_mut(at..at + bytes.len()) {
            space.copy_from_slice(bytes);
        }
    };
    put(0, &(n as u32).to_le_bytes());
    put(4, &[record.kind, record.source, record.outcome, 0]);
    put(8, &record.stream.to_le_bytes());
    put(16, &record.sequence.to_le_bytes());
    put(20, &module.to_le_bytes());
    put(24, &offset.to_le_bytes());
    put(32, &record.wanted.to_le_bytes());
    put(36, &(n_payload as u32).to_le_bytes());
    let crc = [&head[..], first, second].iter().fold(0, |crc, part| layout::crc32(crc, part));
    // The rest first and the length last: a reader of a half-written record finds a zero and stops.
    copy(log, 4, head.get(4..).unwrap_or_default());
    copy(log, layout::RECORD_BYTES, first);
    copy(log, layout::RECORD_BYTES + first.len(), second);
    copy(log, n - 4, &crc.to_le_bytes());
    fence(Ordering::Release);
    copy(log, 0, head.get(..4).unwrap_or_default());
    log.at += n;
}

/// Copies into the window, `offset` bytes behind the beginning of the next record.
fn copy(log: &Log, offset: usize, bytes: &[u8]) {
    let at = log.at - log.begins + offset;
    if at + bytes.len() <= log.n_window {
        // SAFETY: the window has `n_window` bytes, nobody else writes to it, and the lock is held.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), log.window.add(at), bytes.len()) };
    }
}

/// Moves the window on where a record of `n` bytes and the zero behind it do not fit.
fn has_room(log: &mut Log, n: usize) -> bool {
    if log.at + n + 4 <= log.begins + log.n_window {
        return true;
    }
    let begins = sys::page_of(log.at);
    let n_window = (log.at - begins + n + WINDOW_BYTES).next_multiple_of(WINDOW_BYTES);
    let descriptor = sys::open(log.path.as_c(), READ_WRITE);
    let Ok(descriptor) = i32::try_from(descriptor) else { return false };
    let window = match descriptor >= 0 && sys::reserve(descriptor, begins + n_window) {
        true => sys::map(n_window, Mapping::Shared { descriptor, offset: begins }),
        false => None,
    };
    if descriptor >= 0 {
        sys::close(descriptor);
    }
    let Some(window) = window else {
        log.standing = Standing::Ended;
        return false;
    };
    if !log.window.is_null() {
        sys::unmap(log.window, log.n_window);
    }
    (log.window, log.begins, log.n_window) = (window, begins, n_window);
    true
}

const READ_WRITE: usize = 2;
const CREATE_NEW: usize = 0o300;

fn make(log: &mut Log) {
    if log.standing != Standing::Unmade {
        return;
    }
    log.standing = Standing::Ended;
    PLACES.with(|places| {
        for number in 0..MOST_NUMBERS {
            let path = state::log_path(&mut log.path, &places.logs, &places.process, number);
            let descriptor = sys::open(path, READ_WRITE | CREATE_NEW);
            const EEXIST: isize = -17;
            if descriptor == EEXIST {
                continue;
            }
            if descriptor >= 0 {
                sys::close(descriptor as i32);
                NUMBER.store(number, Ordering::Relaxed);
                log.standing = Standing::Open;
            }
            break;
        }
    });
    (log.at, log.begins, log.n_window) = (0, 0, 0);
    if log.standing == Standing::Open {
        write_header(log);
    }
}

fn write_header(log: &mut Log) {
    let mut process = Text::new();
    PLACES.with(|places| process.push(places.process.bytes()));
    let path = process.bytes();
    let n = layout::padded(layout::HEADER_BYTES + path.len());
    if !has_room(log, n) {
        return;
    }
    let flags = if sys::has_fixed_addresses() { layout::FIXED_ADDRESSES } else { 0 };
    copy(log, 8, &layout::VERSION.to_le_bytes());
    copy(log, 12, &(n as u32).to_le_bytes());
    copy(log, 16, &digest_of_arguments().to_le_bytes());
    copy(log, 24, &flags.to_le_bytes());
    copy(log, 28, &(path.len() as u32).to_le_bytes());
    copy(log, layout::HEADER_BYTES, path);
    fence(Ordering::Release);
    copy(log, 0, &layout::MAGIC);
    log.at = n;
}

/// A digest, since arguments can hold secrets.
fn digest_of_arguments() -> u64 {
    let mut digest = layout::FNV_START;
    let descriptor = sys::open(c"/proc/self/cmdline", 0) as i32;
    if descriptor < 0 {
        return digest;
    }
    let mut space = [0_u8; 1024];
    while let Ok(n @ 1..) = usize::try_from(sys::read(descriptor, &mut space)) {
        digest = layout::fnv1a(digest, space.get(..n).unwrap_or_default());
    }
    sys::close(descriptor);
    digest
}
