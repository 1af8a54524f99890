//! Where in the program a draw was asked for: a library and an offset in it, which no change of addresses moves.
//!
//! Knows which libraries do cryptography, by their names and by what is linked into them: what they draw may become a
//! key, and is nobody's business. Invariant: a library is looked into once, and the same in every run.

use core::ffi::{c_char, c_void};
use core::sync::atomic::{AtomicU64, Ordering};

use crate::cell::Locked;
use crate::layout;
use crate::sys::{self, Mapping};
use crate::text::{self, Text};

pub struct Site {
    pub module: &'static [u8],
    pub offset: u64,
}

/// Beginnings of the names of libraries whose entropy is passed through.
const CRYPTOGRAPHY: [&[u8]; 9] = [
    b"libssl",
    b"libcrypto",
    b"libgnutls",
    b"libgcrypt",
    b"libnettle",
    b"libsodium",
    b"libnss3",
    b"libmbedcrypto",
    b"libkrb5",
];

/// What stands in a file that such a library was linked into.
const MARKERS: [&[u8]; 7] =
    [b"OpenSSL ", b"BoringSSL", b"AWS-LC", b"aws-lc", b"aws_lc", b"rustls", b"ring_core"];
/// Beginnings of the names of interpreters, which draw for the scripts that they run too.
const INTERPRETERS: [&[u8]; 5] = [b"python", b"libpython", b"pypy", b"libpypy", b"node"];
/// Longer files are not looked into. Libraries for networks are shorter, those of frameworks may be longer.
const LOOKED_BYTES: usize = 256 * 1024 * 1024;

/// Digests of the files that were looked into; the lowest bit says what was found.
static LOOKED: [AtomicU64; 256] = [const { AtomicU64::new(0) }; 256];

/// What the loader said of an address; an address of zero is none.
#[derive(Clone, Copy)]
struct Known {
    address: usize,
    base: usize,
    file: usize,
}

const UNKNOWN: Known = Known { address: 0, base: 0, file: 0 };
/// Places that were asked for, since the loader looks through all names of a library for each.
static KNOWN: Locked<[Known; 256]> = Locked::new([UNKNOWN; 256]);

/// Forgets what was asked for, as libraries have gone.
pub fn forget() {
    KNOWN.with(|known| known.fill(UNKNOWN));
}

pub fn open_lock_after_fork() {
    KNOWN.open_after_fork();
}

/// The place that a return address points to.
pub fn of(address: usize) -> Site {
    let place = (address ^ (address >> 8)) & 0xff;
    let known = KNOWN.with(|known| known.get(place).copied()).filter(|known| known.address == address);
    let (base, file) = match known {
        Some(known) => (known.base, known.file as *const c_char),
        None => match ask(address) {
            Some(found) => {
                let (base, file) = (found.base as usize, found.file as usize);
                KNOWN.with(|known| known.get_mut(place).map(|it| *it = Known { address, base, file }));
                (base, found.file)
            }
            None => return Site { module: &[], offset: 0 },
        },
    };
    Site { module: text::of(file), offset: (address - base) as u64 }
}

/// Asks the loader.
fn ask(address: usize) -> Option<sys::DlInfo> {
    let mut found = sys::DlInfo {
        file: core::ptr::null(),
        base: core::ptr::null(),
        symbol: core::ptr::null(),
        address: core::ptr::null(),
    };
    // SAFETY: `found` is ours to be written to, and any address may be asked about.
    let is_known = unsafe { sys::dladdr(address as *const c_void, &raw mut found) } != 0;
    is_known.then_some(found)
}

/// The last part of a path.
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

impl Site {
    /// Whether what is drawn here from this source is for cryptography.
    pub fn is_cryptography(&self, source: u8) -> bool {
        let name = file_name(self.module);
        let is_one_of = |names: &[&[u8]]| names.iter().any(|beginning| name.starts_with(beginning));
        match source {
            _ if is_one_of(&CRYPTOGRAPHY) => true,
            // C++'s own, which such libraries have no use for and numbers have.
            layout::RANDOM_DEVICE => false,
            // By this OpenSSL asks where it can, and by another function the interpreter does.
            layout::GETENTROPY => has_cryptography(self.module),
            _ => !is_one_of(&INTERPRETERS) && has_cryptography(self.module),
        }
    }
}

/// Whether a library of cryptography is linked into this one.
fn has_cryptography(module: &[u8]) -> bool {
    if module.is_empty() {
        return false;
    }
    let digest = (layout::fnv1a(layout::FNV_START, module) & !1).max(2);
    for place in &LOOKED {
        match place.load(Ordering::Acquire) {
            0 => {
                let found = has_marker(module);
                let kept = digest | u64::from(found);
                // Where another thread was faster, this one is looked into again when it is next met.
                let _ = place.compare_exchange(0, kept, Ordering::AcqRel, Ordering::Relaxed);
                return found;
            }
            known if known & !1 == digest => return known & 1 == 1,
            _ => {}
        }
    }
    has_marker(module)
}

fn has_marker(module: &[u8]) -> bool {
    let mut path = Text::new();
    // The program itself goes by the name that it was called by, which may lead nowhere from here.
    let is_path = module.contains(&b'/') && path.push(module);
    let opened = if is_path { sys::open(path.as_c(), 0) } else { -1 };
    let opened = if opened < 0 { sys::open(c"/proc/self/exe", 0) } else { opened };
    let Ok(descriptor @ 0..) = i32::try_from(opened) else { return false };
    let n = sys::length(descriptor).filter(|n| (1..=LOOKED_BYTES).contains(n)).unwrap_or(0);
    let mapped = if n > 0 { sys::map(n, Mapping::Private { descriptor }) } else { None };
    sys::close(descriptor);
    let Some(start) = mapped else { return false };
    // SAFETY: so many bytes were mapped, and nobody else knows of them.
    let mut left = unsafe { core::slice::from_raw_parts(start, n) };
    let mut is_found = false;
    while let Some((first, rest)) = left.split_first().filter(|_| !is_found) {
        is_found = matches!(first, b'O' | b'B' | b'A' | b'a' | b'r')
            && MARKERS.iter().any(|marker| left.starts_with(marker));
        left = rest;
    }
    sys::unmap(start, n);
    is_found
}
