//! Functions that open, read and rename files: the two random devices give entropy, all others are noted.
//!
//! Invariant: a read counts as a draw only where the descriptor is open on a random device at that moment, since
//! descriptors are closed and given out anew past these hooks.

use core::ffi::{c_char, c_int, c_uint, c_void};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::entropy::{slice, with_caller};
use crate::draw::draw;
use crate::log::{self, Record};
use crate::real::real;
use crate::state::{self, Mode};
use crate::text::{self, Text};
use crate::{layout, sys};

/// Descriptors that were opened on a random device, one bit each.
static DEVICES: [AtomicU64; 1024] = [const { AtomicU64::new(0) }; 1024];
/// Streams of the C library that were opened on a random device.
static STREAMS: [AtomicUsize; 16] = [const { AtomicUsize::new(0) }; 16];
/// Digests of what was noted already, so that a file that is opened every epoch is noted once.
static NOTED: [AtomicU64; 16 * 1024] = [const { AtomicU64::new(0) }; 16 * 1024];

type Path = *const c_char;
type File = *mut c_void;

const O_WRONLY: c_int = 1;
const O_RDWR: c_int = 2;
const O_CREAT: c_int = 0o100;

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
        keep_errno(|| see(opened, flags & (O_WRONLY | O_RDWR) != 0));
    }
    opened
}

fn opened_stream(opened: File, mode: &[u8]) -> File {
    if opened.is_null() || state::mode() == Mode::Off {
        return opened;
    }
    keep_errno(|| {
        let descriptor = real!(c"fileno" as fn(File) -> c_int, (opened), -1);
        // Behind a comma stands a character set.
        let mode = mode.split(|letter| *letter == b',').next().unwrap_or_default();
        if see(descriptor, mode.iter().any(|letter| b"wa+".contains(letter))) {
            let free = STREAMS.iter().find(|stream| {
                stream.compare_exchange(0, opened as usize, Ordering::AcqRel, Ordering::Relaxed).is_ok()
            });
            // With all places taken the draw is not seen, which the count of what bypassed the hooks shows.
            let _ = free;
        }
    });
    opened
}

/// Notes a file that was opened; whether it is a random device.
fn see(descriptor: c_int, is_written: bool) -> bool {
    let is_device = is_random_device(descriptor);
    if let Some(bits) = usize::try_from(descriptor).ok().and_then(|at| DEVICES.get(at / 64)) {
        let bit = 1 << (descriptor as u32 % 64);
        match is_device {
            true => bits.fetch_or(bit, Ordering::Relaxed),
            false => bits.fetch_and(!bit, Ordering::Relaxed),
        };
    }
    if !is_device {
        let mut link = Text::new();
        link.push(b"/proc/self/fd/");
        link.push_number(descriptor as u64);
        let mut space = [0_u8; text::LONGEST];
        let source = if is_written { layout::OPENED_TO_WRITE } else { layout::OPENED_TO_READ };
        if let Some(path) = sys::read_link(link.as_c(), &mut space) {
            note(path, source);
        }
    }
    is_device
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
    let is_device = usize::try_from(descriptor)
        .ok()
        .and_then(|at| DEVICES.get(at / 64))
        .is_some_and(|bits| bits.load(Ordering::Relaxed) & (1 << (descriptor as u32 % 64)) != 0);
    if is_device && is_random_device(descriptor) {
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
    let is_device = STREAMS.iter().any(|known| known.load(Ordering::Relaxed) == stream as usize);
    let n_bytes = size.saturating_mul(n);
    if !is_device || n_bytes == 0 {
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

// SAFETY: it has the type of `fclose(3)`, and passes on what it was given.
#[unsafe(no_mangle)]
pub extern "C" fn fclose(stream: File) -> c_int {
    for known in &STREAMS {
        let _ = known.compare_exchange(stream as usize, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
    real!(c"fclose" as fn(File) -> c_int, (stream), -1)
}
