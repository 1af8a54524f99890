//! Short texts in a space of fixed length, since nothing here allocates.
//!
//! Invariant: what does not fit is not written at all, and a text always has room for the zero at its end.

use core::ffi::{CStr, c_char};

/// The longest path that Linux takes, and a little more for what is put behind it.
pub const LONGEST: usize = 4096 + 256;

pub struct Text {
    bytes: [u8; LONGEST],
    n: usize,
}

impl Text {
    pub const fn new() -> Self {
        Self { bytes: [0; LONGEST], n: 0 }
    }

    /// Adds some bytes; whether they fitted.
    pub fn push(&mut self, more: &[u8]) -> bool {
        let end = self.n + more.len();
        let Some(space) = self.bytes.get_mut(self.n..end).filter(|_| end < LONGEST) else { return false };
        space.copy_from_slice(more);
        self.n = end;
        true
    }

    /// Adds a number in decimal digits.
    pub fn push_number(&mut self, number: u64) -> bool {
        let mut digits = [0_u8; 20];
        let mut left = number;
        let mut at = digits.len();
        loop {
            at -= 1;
            if let Some(digit) = digits.get_mut(at) {
                *digit = b'0' + (left % 10) as u8;
            }
            left /= 10;
            if left == 0 || at == 0 {
                break;
            }
        }
        self.push(digits.get(at..).unwrap_or_default())
    }

    pub fn cut(&mut self, n: usize) {
        if n < self.n {
            if let Some(rest) = self.bytes.get_mut(n..self.n) {
                rest.fill(0);
            }
            self.n = n;
        }
    }

    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.n).unwrap_or_default()
    }

    pub fn as_c(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }
}

/// A text of the program's, by its address; empty where there is none.
pub fn of<'a>(address: *const c_char) -> &'a [u8] {
    if address.is_null() {
        return &[];
    }
    // SAFETY: the callers got it where C texts are passed, so it ends with a zero.
    unsafe { CStr::from_ptr(address) }.to_bytes()
}

/// The value of a variable in a list of `NAME=value`.
pub fn variable<'a>(list: *const *const c_char, name: &[u8]) -> Option<&'a [u8]> {
    variables(list).find_map(|entry| of(entry).strip_prefix(name)?.strip_prefix(b"="))
}

/// The entries of a list that ends with a null.
pub fn variables(list: *const *const c_char) -> impl Iterator<Item = *const c_char> {
    let mut at = list;
    core::iter::from_fn(move || {
        if at.is_null() {
            return None;
        }
        // SAFETY: a list of the C library's ends with a null, at which this stops.
        let entry = unsafe { *at };
        // SAFETY: the entry was not the last, or the pointer is not followed again.
        at = unsafe { at.add(1) };
        (!entry.is_null()).then_some(entry)
    })
    .fuse()
}
