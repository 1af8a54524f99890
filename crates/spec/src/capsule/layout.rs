//! Where the bytes of an entropy log stand: numbers and nothing else.
//!
//! The preload shim compiles this very file, so it knows `core` only. Invariant: what a version wrote stays
//! readable, so a number here changes together with [`VERSION`]. Integers are little-endian.

/// The first eight bytes of a log.
pub const MAGIC: [u8; 8] = *b"REENTLOG";
/// The version of the layout.
pub const VERSION: u32 = 1;

/// Header: magic, `u32` version, `u32` length with padding, `u64` digest of the arguments, `u32` flags,
/// `u32` length of the process path, and then that path, padded with zeros.
pub const HEADER_BYTES: usize = 32;
/// Flag: the kernel laid the address space out without chance.
pub const FIXED_ADDRESSES: u32 = 1;

/// What the shim gives `getrandom` as its fourth argument, which the kernel does not look at: an auditor tells its own
/// calls from others by it.
pub const OWN_DRAW: u64 = 0x5245_454e_4143_5431;

/// Record: `u32` length of all of it, kind, source, outcome and a zero as bytes, `u64` stream, `u32` sequence,
/// `u32` module, `u64` offset in the module, `u32` wanted and `u32` got, then that many bytes, padding, and a
/// CRC-32 of all before it. A length of zero ends a log.
pub const RECORD_BYTES: usize = 40;
/// What records and headers are padded to.
pub const ALIGNMENT: usize = 8;

/// Bytes of entropy that the program drew.
pub const DRAW: u8 = 1;
/// The path of a library or program from which was drawn; `module` is its number in this log.
pub const MODULE: u8 = 2;
/// The path of a file that was opened; the source says how.
pub const OPEN: u8 = 3;
/// A child; the source says how it was made, the sequence which one of its thread it is. For a program, its path.
pub const SPAWN: u8 = 4;
/// A thread was made; the sequence is its number among those of its maker.
pub const THREAD: u8 = 5;
/// The path of a library that was mapped at the end, a zero, and its build id in hex.
pub const LIBRARY: u8 = 6;
/// What was recorded where something else was asked for: `u32` sequence, `u32` wanted, `u64` offset, module's path.
pub const DIVERGENCE: u8 = 7;
/// The program came to its end by itself.
pub const END: u8 = 8;

/// Sources of a draw.
pub const GETRANDOM: u8 = 1;
pub const GETENTROPY: u8 = 2;
pub const ARC4RANDOM: u8 = 3;
pub const SYSCALL: u8 = 4;
pub const DEVICE_READ: u8 = 5;
pub const DEVICE_STREAM: u8 = 6;
pub const RANDOM_DEVICE: u8 = 7;

/// Sources of an open.
pub const OPENED_TO_READ: u8 = 1;
pub const OPENED_TO_WRITE: u8 = 2;
pub const RENAMED_TO: u8 = 3;
/// To read and write what was in it.
pub const OPENED_TO_CHANGE: u8 = 4;

/// Sources of a spawn.
pub const FORK: u8 = 1;
pub const EXEC: u8 = 2;
pub const POSIX_SPAWN: u8 = 3;

/// Outcomes of a draw: written down as it came.
pub const RECORDED: u8 = 0;
/// Given again: the next of its process, stream and sequence.
pub const MATCHED: u8 = 1;
/// Given again by length and place in the program, as the order of threads was another.
pub const MATCHED_WEAKLY: u8 = 2;
/// Nothing recorded fitted, so it is fresh.
pub const FRESH: u8 = 3;
/// Drawn by a library of cryptography: neither written down nor given again.
pub const PASSED: u8 = 4;
/// Made from the key of a task, which was drawn where the task was: neither written down nor given again.
pub const TASKED: u8 = 5;

/// The stream of a thread whose making was not seen.
pub const UNKNOWN_STREAM: u64 = u64::MAX;

/// The next multiple of [`ALIGNMENT`].
pub const fn padded(n: usize) -> usize {
    n.div_ceil(ALIGNMENT) * ALIGNMENT
}

/// The length of a record that holds `n` bytes.
pub const fn record_length(n: usize) -> usize {
    padded(RECORD_BYTES + n + 4)
}

/// CRC-32 (IEEE 802.3), continued from `crc`; begin with 0.
pub const fn crc32(crc: u32, bytes: &[u8]) -> u32 {
    let mut crc = !crc;
    let mut i = 0;
    while i < bytes.len() {
        crc = (crc >> 8) ^ TABLE[((crc ^ bytes[i] as u32) & 0xff) as usize];
        i += 1;
    }
    !crc
}

/// 64-bit FNV-1a, continued from `hash`; begin with [`FNV_START`].
pub const fn fnv1a(hash: u64, bytes: &[u8]) -> u64 {
    let mut hash = hash;
    let mut i = 0;
    while i < bytes.len() {
        hash = (hash ^ bytes[i] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        i += 1;
    }
    hash
}

/// The offset basis of FNV-1a.
pub const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut value = i as u32;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 { (value >> 1) ^ 0xedb8_8320 } else { value >> 1 };
            bit += 1;
        }
        table[i] = value;
        i += 1;
    }
    table
};
