//! Functions that open, read and rename files: the two random devices give entropy, all others are noted.
//!
//! Invariant: a read counts as a draw only where the descriptor is open on a random device at that moment, since
//! descriptors are closed and given out anew past these hooks.

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::sync::atomic::{AtomicU64, Ordering};

use super::entropy::{slice, with_caller};
use crate::draw::draw;
use crate::log::{self, Record};
use crate::real::real;
use crate::state::{self, Mode};
use crate::text::{self, Text};
use crate::{layout, sys};

/// Descriptors that were opened on a random device, one bit each.
static DEVICES: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];
/// How many descriptors a program may have been given when it began.
const INHERITED: c_int = 64;
/// Digests of what was noted already, so that a file that is opened every epoch is noted once.
static NOTED: [AtomicU64; 16 * 1024] = [const { AtomicU64::new(0) }; 16 * 1024];

type Path = *const c_char;
type File = *mut c_void;

const O_WRONLY: c_int = 1;
const O_RDWR: c_int = 2;
const O_CREAT: c_int = 0o100;
const O_TRUNC: c_int = 0o1000;

macro_rules! opens {
    ($($name:ident $text:literal ($($argument:ident: $kind:ty),*) $flags:ident;)*) => {$(
        // SAFETY: it has the type of the function of this name, with the mode that may be absent; a register that
        // holds none is passed on unread.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $kind),*) -> c_int {
            let opened = real!($text as fn($($kind),*) -> c_int, ($($argument),*), -1);
            opened_descriptor(opened, $flags)
        }
    )*};
}

opens! {
    open c"open" (path: Path, flags: c_int, mode: c_uint) flags;
    open64 c"open64" (path: Path, flags: c_int, mode: c_uint) flags;
    openat c"openat" (folder: c_int, path: Path, flags: c_int, mode: c_uint) flags;
    openat64 c"openat64" (folder: c_int, path: Path, flags: c_int, mode: c_uint) flags;
    __open_2 c"__open_2" (path: Path, flags: c_int) flags;
    __open64_2 c"__open64_2" (path: Path, flags: c_int) flags;
    __openat_2 c"__openat_2" (folder: c_int, path: Path, flags: c_int) flags;
    __openat64_2 c"__openat64_2" (folder: c_int, path: Path, flags: c_int) flags;
}

// SAFETY: it has the type of `creat(3)`, and passes on what it was given.
#[unsafe(no_mangle)]
pub extern "C" fn creat(path: Path, mode: c_uint) -> c_int {
    let opened = real!(c"creat" as fn(Path, c_uint) -> c_int, (path, mode), -1);
    opened_descriptor(opened, O_WRONLY | O_CREAT)
}

macro_rules! streams {
    ($($name:ident $text:literal;)*) => {$(
        // SAFETY: it has the type of `fopen(3)`, and passes on what it was given.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(path: Path, mode: Path) -> File {
            let opened = real!($text as fn(Path, Path) -> File, (path, mode), core::ptr::null_mut());
            opened_stream(opened, text::of(mode))
        }
    )*};
}

streams! {
    fopen c"fopen";
    fopen64 c"fopen64";
}

macro_rules! renames {
    ($($name:ident $text:literal ($($argument:ident: $kind:ty),*) $folder:expr, $to:ident;)*) => {$(
        // SAFETY: it has the type of the function of this name, and passes on what it was given.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $kind),*) -> c_int {
            let renamed = real!($text as fn($($kind),*) -> c_int, ($($argument),*), -1);
            if renamed == 0 && state::mode() != Mode::Off {
                note_renamed($folder, $to);
            }
            renamed
        }
    )*};
}

const AT_CWD: c_int = -100;

renames! {
    rename c"rename" (from: Path, to: Path) AT_CWD, to;
    renameat c"renameat" (a: c_int, from: Path, b: c_int, to: Path) b, to;
    renameat2 c"renameat2" (a: c_int, from: Path, b: c_int, to: Path, flags: c_uint) b, to;
}

fn opened_descriptor(opened: c_int, flags: c_int) -> c_int {
    if opened >= 0 && state::mode() != Mode::Off {
        keep_errno(|| see(opened, how(flags)));
    }
    opened
}

fn opened_stream(opened: File, mode: &[u8]) -> File {
    if opened.is_null() || state::mode() == Mode::Off {
        return opened;
    }
    keep_errno(|| {
        let descriptor = descriptor_of(opened);
        // Behind a comma stands a character set.
        let mode = mode.split(|letter| *letter == b',').next().unwrap_or_default();
        let flags = match (mode.first(), mode.contains(&b'+')) {
            (Some(b'w'), _) => O_WRONLY | O_TRUNC,
            (_, true) => O_RDWR,
            (Some(b'a'), false) => O_WRONLY,
            _ => 0,
        };
        see(descriptor, how(flags));
    });
    opened
}

fn descriptor_of(stream: File) -> c_int {
    real!(c"fileno" as fn(File) -> c_int, (stream), -1)
}

/// What flags of `open(2)` say will be done.
fn how(flags: c_int) -> u8 {
    match flags & (O_WRONLY | O_RDWR) {
        0 => layout::OPENED_TO_READ,
        O_RDWR if flags & O_TRUNC == 0 => layout::OPENED_TO_CHANGE,
        _ => layout::OPENED_TO_WRITE,
    }
}

/// Notes a file that was opened.
fn see(descriptor: c_int, source: u8) {
    if !mark(descriptor) {
        let mut link = Text::new();
        link.push(b"/proc/self/fd/");
        link.push_number(descriptor as u64);
        let mut space = [0_u8; text::LONGEST];
        let source = match source {
            // There is nothing in it to be read, mostly because it was made just now.
            layout::OPENED_TO_CHANGE if sys::length(descriptor) == Some(0) => layout::OPENED_TO_WRITE,
            source => source,
        };
        if let Some(path) = sys::read_link(link.as_c(), &mut space) {
            note(path, source);
        }
    }
}

/// Notes whether a descriptor is open on a random device, and says so.
fn mark(descriptor: c_int) -> bool {
    let is_device = is_random_device(descriptor);
    if let Some(bits) = usize::try_from(descriptor).ok().and_then(|at| DEVICES.get(at / 64)) {
        let bit = 1 << (descriptor as u32 % 64);
        match is_device {
            true => bits.fetch_or(bit, Ordering::Relaxed),
            false => bits.fetch_and(!bit, Ordering::Relaxed),
        };
    }
    is_device
}

/// Looks at what this program was started with.
pub fn begin() {
    (0..INHERITED).for_each(|descriptor| {
        mark(descriptor);
    });
}

/// Whether a read from here is a draw.
fn is_marked(descriptor: c_int) -> bool {
    let bits = usize::try_from(descriptor).ok().and_then(|at| DEVICES.get(at / 64));
    let is_marked =
        bits.is_some_and(|bits| bits.load(Ordering::Relaxed) & (1 << (descriptor as u32 % 64)) != 0);
    is_marked && is_random_device(descriptor)
}

macro_rules! duplicates {
    ($($name:ident $text:literal ($($argument:ident: $kind:ty),*) $is:expr;)*) => {$(
        // SAFETY: it has the type of the function of this name, with the argument that may be absent; a register that
        // holds none is passed on unread.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name($($argument: $kind),*) -> c_int {
            let made = real!($text as fn($($kind),*) -> c_int, ($($argument),*), -1);
            if $is && made >= 0 && state::mode() != Mode::Off {
                mark(made);
            }
            made
        }
    )*};
}

const F_DUPFD: c_int = 0;
const F_DUPFD_CLOEXEC: c_int = 1030;

duplicates! {
    dup c"dup" (from: c_int) true;
    dup2 c"dup2" (from: c_int, to: c_int) true;
    dup3 c"dup3" (from: c_int, to: c_int, flags: c_int) true;
    fcntl c"fcntl" (from: c_int, command: c_int, value: usize) matches!(command, F_DUPFD | F_DUPFD_CLOEXEC);
    fcntl64 c"fcntl64" (from: c_int, command: c_int, value: usize) matches!(command, F_DUPFD | F_DUPFD_CLOEXEC);
}

fn is_random_device(descriptor: c_int) -> bool {
    const RANDOM: u64 = (1 << 8) | 8;
    const URANDOM: u64 = (1 << 8) | 9;
    matches!(sys::device(descriptor), Some(RANDOM | URANDOM))
}

fn note(path: &[u8], source: u8) {
    let is_file = path.starts_with(b"/");
    let is_of_kernel = [&b"/dev/"[..], b"/proc/", b"/sys/"].iter().any(|folder| path.starts_with(folder));
    if !is_file || is_of_kernel {
        return;
    }
    let digest = layout::fnv1a(layout::FNV_START ^ u64::from(source), path).max(1);
    let Some(place) = NOTED.get(digest as usize % NOTED.len()) else { return };
    if place.swap(digest, Ordering::Relaxed) != digest {
        log::append(&Record { payload: [path, &[]], ..Record::new(layout::OPEN, source) });
    }
}

fn note_renamed(folder: c_int, to: Path) {
    let to = text::of(to);
    let mut path = Text::new();
    if !to.starts_with(b"/") {
        let mut link = Text::new();
        if folder == AT_CWD {
            link.push(b"/proc/self/cwd");
        } else {
            link.push(b"/proc/self/fd/");
            link.push_number(folder as u64);
        }
        let mut space = [0_u8; text::LONGEST];
        path.push(sys::read_link(link.as_c(), &mut space).unwrap_or_default());
        path.push(b"/");
    }
    if path.push(to) {
        note(path.bytes(), layout::RENAMED_TO);
    }
}

/// What is noted on the side must not change the error that the program reads.
fn keep_errno<R>(work: impl FnOnce() -> R) -> R {
    // SAFETY: the location is the calling thread's own, and always there.
    let place = unsafe { sys::__errno_location() };
    // SAFETY: as above.
    let before = unsafe { *place };
    let result = work();
    // SAFETY: as above.
    unsafe { *place = before };
    result
}

with_caller!(read, "rcx", read_from);
with_caller!(__read_chk, "r8", read_chk_from);
with_caller!(fread, "r8", fread_from);
with_caller!(fread_unlocked, "r8", fread_from);

extern "C" fn read_from(descriptor: c_int, space: *mut u8, n: usize, caller: usize) -> isize {
    if is_marked(descriptor) {
        let drawn = draw(layout::DEVICE_READ, slice(space, n), caller, |space| sys::read(descriptor, space));
        return sys::with_errno(drawn);
    }
    real!(c"read" as fn(c_int, *mut u8, usize) -> isize, (descriptor, space, n), -1)
}

extern "C" fn read_chk_from(
    descriptor: c_int,
    space: *mut u8,
    n: usize,
    n_space: usize,
    caller: usize,
) -> isize {
    if n > n_space {
        sys::exit(sys::BROKEN);
    }
    read_from(descriptor, space, n, caller)
}

extern "C" fn fread_from(space: *mut u8, size: usize, n: usize, stream: File, caller: usize) -> usize {
    let real = |space: *mut u8| {
        real!(c"fread" as fn(*mut u8, usize, usize, File) -> usize, (space, size, n, stream), 0)
    };
    let n_bytes = size.saturating_mul(n);
    if n_bytes == 0 || stream.is_null() || !keep_errno(|| is_marked(descriptor_of(stream))) {
        return real(space);
    }
    let drawn = draw(layout::DEVICE_STREAM, slice(space, n_bytes), caller, |space| {
        (real(space.as_mut_ptr()) * size) as isize
    });
    drawn.max(0) as usize / size
}

/// Its place in the program is left out, which leaves it to be matched by thread and order.
// SAFETY: it has the type of the function that compilers put in the place of `fread`.
#[unsafe(no_mangle)]
pub extern "C" fn __fread_chk(space: *mut u8, n_space: usize, size: usize, n: usize, stream: File) -> usize {
    if size.saturating_mul(n) > n_space {
        sys::exit(sys::BROKEN);
    }
    fread_from(space, size, n, stream, 0)
}
