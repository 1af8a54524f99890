//! The beginning and the end of a process, as the loader calls them.
//!
//! At the beginning the log is made, at the end what was mapped is written to it. A process that is killed or
//! calls `_exit` has no end, which says so by itself.

use core::ffi::{c_int, c_void};

use crate::log::{self, Record};
use crate::state::{self, Mode};
use crate::sys::{PhdrInfo, ProgramHeader};
use crate::{layout, text};

// SAFETY: the loader calls what stands in this section once, after the C library was set up.
#[unsafe(link_section = ".init_array")]
#[used]
static BEGIN: extern "C" fn() = begin;

// SAFETY: the loader calls what stands in this section once, when the program returns or calls `exit`.
#[unsafe(link_section = ".fini_array")]
#[used]
static END: extern "C" fn() = end;

extern "C" fn begin() {
    state::mode();
}

extern "C" fn end() {
    if state::mode() == Mode::Off {
        return;
    }
    // SAFETY: `visit` has the type that is called, and looks at nothing behind the pointer it is given.
    unsafe { crate::sys::dl_iterate_phdr(visit, core::ptr::null_mut()) };
    log::append(&Record::new(layout::END, 0));
}

extern "C" fn visit(library: *const PhdrInfo, _: usize, _: *mut c_void) -> c_int {
    // SAFETY: the loader gives a description that is valid during this call.
    let Some(library) = (unsafe { library.as_ref() }) else { return 0 };
    let name = text::of(library.name);
    if !name.starts_with(b"/") {
        return 0;
    }
    let mut hex = [0_u8; 41];
    let n = build_id(library).map_or(0, |id| write_hex(id, hex.get_mut(1..).unwrap_or_default()));
    let id = hex.get(..=n).unwrap_or_default();
    log::append(&Record { payload: [name, id], ..Record::new(layout::LIBRARY, 0) });
    0
}

fn write_hex(bytes: &[u8], space: &mut [u8]) -> usize {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut n = 0;
    for (byte, pair) in bytes.iter().zip(space.chunks_exact_mut(2)) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
        n += 2;
    }
    n
}

/// The build id of a mapped library: the note of type 3 by GNU.
fn build_id(library: &PhdrInfo) -> Option<&[u8]> {
    const NOTES: u32 = 4;
    // SAFETY: the loader says that so many headers stand there.
    let headers: &[ProgramHeader] =
        unsafe { core::slice::from_raw_parts(library.headers, usize::from(library.n_headers)) };
    headers.iter().filter(|header| header.kind == NOTES).find_map(|header| {
        let start = (library.base + header.address as usize) as *const u8;
        // SAFETY: notes are part of what the loader mapped of a library.
        id_among(unsafe { core::slice::from_raw_parts(start, header.n_memory_bytes as usize) })
    })
}

fn id_among(notes: &[u8]) -> Option<&[u8]> {
    let mut left = notes;
    loop {
        let number = |at: usize| left.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let (n_name, n_value, kind) = (number(0)? as usize, number(4)? as usize, number(8)?);
        let value = 12 + n_name.next_multiple_of(4);
        if kind == 3 && left.get(12..12 + n_name) == Some(b"GNU\0") {
            return left.get(value..value + n_value.min(20));
        }
        left = left.get(value + n_value.next_multiple_of(4)..)?;
    }
}
