//! System calls, made directly: the C library's functions of the same names are those we stand in for.
//!
//! Knows numbers of Linux on x86-64. Invariant: `errno` is left alone; an error is a negative number.

use core::arch::asm;
use core::ffi::{CStr, c_char, c_int, c_void};

/// How a process ends whose replay is strict and went another way, or in which the shim itself broke.
pub const DIVERGED: i32 = 86;
pub const BROKEN: i32 = 87;

pub const SYS_READ: usize = 0;
const SYS_OPEN: usize = 2;
const SYS_CLOSE: usize = 3;
const SYS_FSTAT: usize = 5;
const SYS_MMAP: usize = 9;
const SYS_MUNMAP: usize = 11;
const SYS_SCHED_YIELD: usize = 24;
const SYS_GETPID: usize = 39;
const SYS_FTRUNCATE: usize = 77;
const SYS_READLINK: usize = 89;
const SYS_PERSONALITY: usize = 135;
const SYS_EXIT_GROUP: usize = 231;
const SYS_FALLOCATE: usize = 285;
pub const SYS_GETRANDOM: usize = 318;
const SYS_WRITE: usize = 1;

const OWN_DRAW: usize = crate::layout::OWN_DRAW as usize;
const O_CLOEXEC: usize = 0o2_000_000;
const ADDR_NO_RANDOMIZE: usize = 0x0004_0000;
const PAGE_BYTES: usize = 4096;

#[link(name = "c")]
// SAFETY: these are declared as the C library declares them.
unsafe extern "C" {
    pub static environ: *const *const c_char;
    pub fn __errno_location() -> *mut c_int;
    // The oldest version there is, so that the shim loads into older C libraries than the one it was linked with.
    #[link_name = "dlsym@GLIBC_2.2.5"]
    pub fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    #[link_name = "dladdr@GLIBC_2.2.5"]
    pub fn dladdr(address: *const c_void, found: *mut DlInfo) -> c_int;
    #[link_name = "pthread_key_create@GLIBC_2.2.5"]
    pub fn pthread_key_create(key: *mut u32, end: Option<extern "C" fn(*mut c_void)>) -> c_int;
    #[link_name = "pthread_getspecific@GLIBC_2.2.5"]
    pub fn pthread_getspecific(key: u32) -> *mut c_void;
    #[link_name = "pthread_setspecific@GLIBC_2.2.5"]
    pub fn pthread_setspecific(key: u32, value: *const c_void) -> c_int;
    pub fn dl_iterate_phdr(
        visit: extern "C" fn(*const PhdrInfo, usize, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
}

/// `Dl_info` of `dladdr(3)`.
#[repr(C)]
pub struct DlInfo {
    pub file: *const c_char,
    pub base: *const c_void,
    pub symbol: *const c_char,
    pub address: *const c_void,
}

/// The beginning of `struct dl_phdr_info` of `dl_iterate_phdr(3)`.
#[repr(C)]
pub struct PhdrInfo {
    pub base: usize,
    pub name: *const c_char,
    pub headers: *const ProgramHeader,
    pub n_headers: u16,
}

/// `Elf64_Phdr`.
#[repr(C)]
pub struct ProgramHeader {
    pub kind: u32,
    pub flags: u32,
    pub offset: u64,
    pub address: u64,
    pub physical: u64,
    pub n_file_bytes: u64,
    pub n_memory_bytes: u64,
    pub alignment: u64,
}

fn call(number: usize, a: [usize; 6]) -> isize {
    let result: isize;
    // SAFETY: the kernel clobbers `rcx` and `r11` only; who calls this answers for the pointers.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") number as isize => result,
            in("rdi") a[0], in("rsi") a[1], in("rdx") a[2], in("r10") a[3], in("r8") a[4], in("r9") a[5],
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Sets `errno` and gives the -1 of the C library where a system call failed.
pub fn with_errno(result: isize) -> isize {
    if result < 0 {
        // SAFETY: the location is the calling thread's own, and always there.
        unsafe { *__errno_location() = (-result) as c_int };
        return -1;
    }
    result
}

pub fn read(descriptor: i32, space: &mut [u8]) -> isize {
    call(SYS_READ, [descriptor as usize, space.as_mut_ptr() as usize, space.len(), 0, 0, 0])
}

pub fn write(descriptor: i32, bytes: &[u8]) -> isize {
    call(SYS_WRITE, [descriptor as usize, bytes.as_ptr() as usize, bytes.len(), 0, 0, 0])
}

pub fn getrandom(space: &mut [u8], flags: u32) -> isize {
    call(SYS_GETRANDOM, [space.as_mut_ptr() as usize, space.len(), flags as usize, OWN_DRAW, 0, 0])
}

pub fn open(path: &CStr, flags: usize) -> isize {
    call(SYS_OPEN, [path.as_ptr() as usize, flags | O_CLOEXEC, 0o600, 0, 0, 0])
}

pub fn close(descriptor: i32) {
    call(SYS_CLOSE, [descriptor as usize, 0, 0, 0, 0, 0]);
}

pub fn getpid() -> i32 {
    call(SYS_GETPID, [0; 6]) as i32
}

pub fn give_way() {
    call(SYS_SCHED_YIELD, [0; 6]);
}

pub fn exit(code: i32) -> ! {
    loop {
        call(SYS_EXIT_GROUP, [code as usize, 0, 0, 0, 0, 0]);
    }
}

/// Whether this process was started with fixed addresses.
pub fn has_fixed_addresses() -> bool {
    let persona = call(SYS_PERSONALITY, [0xffff_ffff, 0, 0, 0, 0, 0]);
    persona > 0 && persona as usize & ADDR_NO_RANDOMIZE != 0
}

/// What a symbolic link leads to, without a zero at its end.
pub fn read_link<'s>(path: &CStr, space: &'s mut [u8]) -> Option<&'s [u8]> {
    let n = call(SYS_READLINK, [path.as_ptr() as usize, space.as_mut_ptr() as usize, space.len(), 0, 0, 0]);
    usize::try_from(n).ok().and_then(|n| space.get(..n))
}

/// The device number of what a descriptor is open on, or none where it is not open.
pub fn device(descriptor: i32) -> Option<u64> {
    let mut stat = [0_u64; 18];
    let n = call(SYS_FSTAT, [descriptor as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0]);
    // `st_rdev` is the sixth field of eight bytes.
    (n == 0).then_some(stat[5])
}

/// The length in bytes of what a descriptor is open on.
pub fn length(descriptor: i32) -> Option<usize> {
    let mut stat = [0_u64; 18];
    let n = call(SYS_FSTAT, [descriptor as usize, stat.as_mut_ptr() as usize, 0, 0, 0, 0]);
    (n == 0).then_some(stat[6] as usize)
}

/// Makes a file `n` bytes long, with space on the disk for all of them where the file system can say so.
pub fn reserve(descriptor: i32, n: usize) -> bool {
    const EOPNOTSUPP: isize = -95;
    match call(SYS_FALLOCATE, [descriptor as usize, 0, 0, n, 0, 0]) {
        0 => true,
        EOPNOTSUPP => call(SYS_FTRUNCATE, [descriptor as usize, n, 0, 0, 0, 0]) == 0,
        _ => false,
    }
}

/// How memory is mapped.
#[derive(Clone, Copy)]
pub enum Mapping {
    /// What is written reaches the file.
    Shared {
        descriptor: i32,
        offset: usize,
    },
    /// What is written is seen by this process only.
    Private {
        descriptor: i32,
    },
    Anonymous,
}

/// Maps `n` bytes that can be read and written.
pub fn map(n: usize, mapping: Mapping) -> Option<*mut u8> {
    const READ_WRITE: usize = 3;
    let (flags, descriptor, offset) = match mapping {
        Mapping::Shared { descriptor, offset } => (1, descriptor, offset),
        Mapping::Private { descriptor } => (2, descriptor, 0),
        Mapping::Anonymous => (0x22, -1, 0),
    };
    let address = call(SYS_MMAP, [0, n, READ_WRITE, flags, descriptor as usize, offset]);
    (address > 0).then_some(address as *mut u8)
}

pub fn unmap(address: *mut u8, n: usize) {
    call(SYS_MUNMAP, [address as usize, n, 0, 0, 0, 0]);
}

/// The beginning of the page that a byte of a file is in.
pub const fn page_of(at: usize) -> usize {
    at / PAGE_BYTES * PAGE_BYTES
}
