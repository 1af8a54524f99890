//! Functions that give entropy without a file: `getrandom` and its like, and C++'s `std::random_device`.
//!
//! Each is entered by a few instructions that add the return address as one more argument, which says who asked.

use core::arch::naked_asm;
use core::ffi::{c_int, c_uint, c_void};

use crate::draw::draw;
use crate::real::real;
use crate::{layout, sys};

/// A function that passes its arguments and its return address on to `$inner`.
macro_rules! with_caller {
    ($name:ident, $into:literal, $inner:path) => {
        // SAFETY: the register was not an argument of this function, and all others reach `$inner` as they came.
        #[unsafe(naked)]
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $name() {
            core::arch::naked_asm!(concat!("mov ", $into, ", [rsp]"), "jmp {inner}", inner = sym $inner)
        }
    };
}

pub(super) use with_caller;

with_caller!(getrandom, "rcx", getrandom_from);
with_caller!(getentropy, "rdx", getentropy_from);
with_caller!(arc4random, "rdi", arc4random_from);
with_caller!(arc4random_buf, "rdx", arc4random_buf_from);
with_caller!(arc4random_uniform, "rsi", arc4random_uniform_from);
with_caller!(_ZNSt13random_device9_M_getvalEv, "rsi", random_device_from);

extern "C" fn getrandom_from(space: *mut u8, n: usize, flags: c_uint, caller: usize) -> isize {
    let drawn = draw(layout::GETRANDOM, slice(space, n), caller, |space| sys::getrandom(space, flags));
    sys::with_errno(drawn)
}

extern "C" fn getentropy_from(space: *mut u8, n: usize, caller: usize) -> c_int {
    const EIO: isize = -5;
    if n > 256 {
        return sys::with_errno(EIO) as c_int;
    }
    let drawn = draw(layout::GETENTROPY, slice(space, n), caller, fill);
    sys::with_errno(drawn.min(0)) as c_int
}

extern "C" fn arc4random_from(caller: usize) -> u32 {
    let mut space = [0; 4];
    draw(layout::ARC4RANDOM, &mut space, caller, fill);
    u32::from_le_bytes(space)
}

extern "C" fn arc4random_buf_from(space: *mut u8, n: usize, caller: usize) {
    draw(layout::ARC4RANDOM, slice(space, n), caller, fill);
}

/// Without bias: draws again where the last, incomplete range is met.
extern "C" fn arc4random_uniform_from(bound: u32, caller: usize) -> u32 {
    if bound < 2 {
        return 0;
    }
    let n_surplus = bound.wrapping_neg() % bound;
    loop {
        let drawn = arc4random_from(caller);
        if drawn >= n_surplus {
            return drawn % bound;
        }
    }
}

/// `std::random_device::_M_getval`, which asks the processor and no system call where it can.
extern "C" fn random_device_from(device: *mut c_void, caller: usize) -> c_uint {
    let mut space = [0; 4];
    draw(layout::RANDOM_DEVICE, &mut space, caller, |space| {
        let fresh = || {
            let mut bytes = [0; 4];
            fill(&mut bytes);
            u32::from_le_bytes(bytes)
        };
        let value =
            real!(c"_ZNSt13random_device9_M_getvalEv" as fn(*mut c_void) -> c_uint, (device), fresh());
        space.copy_from_slice(&value.to_le_bytes());
        4
    });
    u32::from_le_bytes(space)
}

/// `syscall(SYS_getrandom, …)`; every other number is called as the C library would.
// SAFETY: the arguments are where `getrandom` or the kernel wants them; a seventh that was not passed is read from
// the caller's frame and looked at by nobody.
#[unsafe(naked)]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn syscall() {
    naked_asm!(
        "cmp rdi, {getrandom}",
        "jne 2f",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov rcx, [rsp]",
        "jmp {inner}",
        "2:",
        "mov rax, rdi",
        "mov rdi, rsi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "mov r10, r8",
        "mov r8, r9",
        "mov r9, [rsp + 8]",
        "syscall",
        "cmp rax, -4095",
        "jae 3f",
        "ret",
        "3:",
        "mov rdi, rax",
        "sub rsp, 8",
        "call {failed}",
        "add rsp, 8",
        "ret",
        getrandom = const sys::SYS_GETRANDOM,
        inner = sym getrandom_by_number,
        failed = sym failed,
    )
}

extern "C" fn failed(result: isize) -> isize {
    sys::with_errno(result)
}

extern "C" fn getrandom_by_number(space: *mut u8, n: usize, flags: c_uint, caller: usize) -> isize {
    let drawn = draw(layout::SYSCALL, slice(space, n), caller, |space| sys::getrandom(space, flags));
    sys::with_errno(drawn)
}

/// Fills all of a space with the kernel's entropy; 0 or more, or what the kernel refused with.
pub(super) fn fill(space: &mut [u8]) -> isize {
    let mut n = 0;
    while let Some(left) = space.get_mut(n..).filter(|left| !left.is_empty()) {
        match sys::getrandom(left, 0) {
            drawn if drawn > 0 => n += drawn as usize,
            -4 => {}
            error => return error,
        }
    }
    n as isize
}

/// A program's own space.
pub(super) fn slice<'a>(space: *mut u8, n: usize) -> &'a mut [u8] {
    if space.is_null() {
        return &mut [];
    }
    // SAFETY: the program gave this space to be filled, as the functions of this folder promise to do.
    unsafe { core::slice::from_raw_parts_mut(space, n) }
}
