//! What a worker prints, passed on to the log of this process, within bounds.
//!
//! Knows nothing of what the lines mean. Invariant: however much is printed, lines are short, there are only so
//! many bytes of them a second, and none holds a control character.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

/// Longest line passed on, in bytes; a longer one is cut into several.
const LINE_BYTES: usize = 2000;
/// Most bytes passed on in one second. The rest is counted and left out.
const SECOND_BYTES: usize = 64 * 1024;

/// Passes on all that comes, until it ends.
pub(super) fn relay(mut from: impl Read, mut to: impl Write) {
    let mut scratch = [0; 16 * 1024];
    let mut lines = Lines::default();
    while let Ok(n @ 1..) = from.read(&mut scratch) {
        let passed = lines.take(&scratch[..n], Instant::now());
        if !passed.is_empty() && to.write_all(&passed).is_err() {
            return;
        }
    }
    let _ = to.write_all(&lines.rest());
}

#[derive(Default)]
struct Lines {
    /// The line that has not ended yet.
    line: Vec<u8>,
    second: Option<Instant>,
    n_passed: usize,
    n_left_out: usize,
}

impl Lines {
    /// The lines that these bytes complete, as far as there is room for them in this second.
    fn take(&mut self, bytes: &[u8], now: Instant) -> Vec<u8> {
        let mut passed = Vec::new();
        if self.second.is_none_or(|second| now.duration_since(second) >= Duration::from_secs(1)) {
            self.note_left_out(&mut passed);
            (self.second, self.n_passed) = (Some(now), 0);
        }
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
            }
            if *byte == b'\n' || self.line.len() >= LINE_BYTES {
                self.end_line(&mut passed);
            }
        }
        passed
    }

    fn rest(&mut self) -> Vec<u8> {
        let mut passed = Vec::new();
        if !self.line.is_empty() {
            self.end_line(&mut passed);
        }
        self.note_left_out(&mut passed);
        passed
    }

    fn end_line(&mut self, passed: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        if self.n_passed + line.len() >= SECOND_BYTES {
            self.n_left_out += line.len() + 1;
            return;
        }
        self.n_passed += line.len() + 1;
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end().replace(|c: char| c.is_control() && c != '\t', "\u{fffd}");
        passed.extend_from_slice(text.as_bytes());
        passed.push(b'\n');
    }

    fn note_left_out(&mut self, passed: &mut Vec<u8>) {
        if self.n_left_out > 0 {
            passed.extend_from_slice(format!("({} bytes of output left out)\n", self.n_left_out).as_bytes());
            self.n_left_out = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_pass_and_control_characters_do_not() {
        let mut out = Vec::new();
        relay(&b"one\ntwo \x1b[31mred\r\nthree"[..], &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), "one\ntwo \u{fffd}[31mred\nthree\n");
    }

    #[test]
    fn a_flood_is_cut_to_so_much_a_second_and_counted() {
        let mut out = Vec::new();
        relay(std::io::repeat(b'x').take(10 << 20), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(text.len() < 4 * SECOND_BYTES, "{}", text.len());
        assert!(text.lines().all(|line| line.len() <= LINE_BYTES));
        assert!(text.ends_with("bytes of output left out)\n"), "{}", &text[text.len() - 100..]);
    }

    #[test]
    fn the_next_second_has_room_again() {
        let (mut lines, now) = (Lines::default(), Instant::now());
        let flood = vec![b'\n'; 2 * SECOND_BYTES];
        assert!(lines.take(&flood, now).len() < flood.len());
        let later = lines.take(b"again\n", now + Duration::from_secs(1));
        assert!(String::from_utf8(later).unwrap().ends_with("left out)\nagain\n"));
    }
}
