//! Where in the program a draw was asked for: a library and an offset in it, which no change of addresses moves.
//!
//! Knows which libraries do cryptography: what they draw may become a key, and is nobody's business.

use core::ffi::c_void;

use crate::{sys, text};

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

/// The place that a return address points to.
pub fn of(address: usize) -> Site {
    let mut found = sys::DlInfo {
        file: core::ptr::null(),
        base: core::ptr::null(),
        symbol: core::ptr::null(),
        address: core::ptr::null(),
    };
    // SAFETY: `found` is ours to be written to, and any address may be asked about.
    let is_known = unsafe { sys::dladdr(address as *const c_void, &raw mut found) } != 0;
    match is_known {
        true => Site { module: text::of(found.file), offset: (address - found.base as usize) as u64 },
        false => Site { module: &[], offset: 0 },
    }
}

/// The last part of a path.
pub fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

impl Site {
    pub fn is_cryptography(&self) -> bool {
        let name = file_name(self.module);
        CRYPTOGRAPHY.iter().any(|beginning| name.starts_with(beginning))
    }
}
