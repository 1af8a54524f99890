//! Programs and libraries that can draw entropy from the processor itself, which no system call tells of.
//!
//! It looks for the instructions `RDRAND` and `RDSEED` in a file's code, each with the test that must follow it: without
//! that, three bytes are found by chance in any large library. Invariant: it says what can be, never what was.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use regex::bytes::Regex;

use super::elf::{self, Part};

/// Bytes that are looked through at a time, and the longest find.
const WINDOW_BYTES: usize = 1024 * 1024;
const FOUND_BYTES: usize = 16;
/// Whose draws the shim sees before they are made, and whose reach no result: those of cryptography.
const SPARED: [&str; 6] = ["libstdc++", "libcrypto", "libssl", "libgnutls", "libgcrypt", "libsodium"];

/// The two instructions with any register, and at most one other before the carry flag is read, which tells whether there
/// was a number: by a jump, a set or a conditional move. Source: Intel's manual, volume 1, 7.3.17.
const DRAW: &str = r"(?s-u)\x0f\xc7[\xf0-\xff].{0,3}(?:[\x72\x73]|\x48?\x0f[\x42\x43\x82\x83\x92\x93])";

/// What is to be said of the program of a run and of the libraries that it had mapped.
pub(super) fn warnings(program: &Path, libraries: &BTreeMap<String, String>) -> Vec<String> {
    let draw = match Regex::new(DRAW) {
        Ok(draw) => draw,
        Err(error) => return vec![format!("instructions that draw entropy were not looked for: {error}")],
    };
    let is_spared = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        SPARED.iter().any(|spared| name.starts_with(spared))
    };
    let mapped = libraries.keys().map(String::as_str).filter(|path| !is_spared(path));
    let all = mapped.chain(program.to_str().filter(|program| !libraries.contains_key(*program)));
    let found = all.filter(|path| can_draw(Path::new(path), &draw).unwrap_or(false));
    let said = found.map(|path| {
        format!(
            "`{path}` can draw entropy from the processor itself (RDRAND, RDSEED); whether it does, nobody is told, and a \
             replay cannot give it back"
        )
    });
    said.collect()
}

/// Whether there is such an instruction in the code of a file; none where it cannot be read.
fn can_draw(path: &Path, draw: &Regex) -> Option<bool> {
    let file = File::open(path).ok()?;
    let parts = elf::parts(&file)?;
    Some(parts.iter().filter(|part| part.is_executable()).any(|part| is_in(&file, *part, draw)))
}

fn is_in(file: &File, part: Part, draw: &Regex) -> bool {
    let end = part.start.saturating_add(part.n_bytes);
    let mut window = vec![0; WINDOW_BYTES];
    let mut at = part.start;
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES);
        let Ok(n @ 1..) = file.read_at(&mut window[..wanted], at) else { return false };
        if draw.is_match(&window[..n]) {
            return true;
        }
        // One that stands across the edge is found in the next.
        at += n.saturating_sub(FOUND_BYTES).max(1) as u64;
        if n <= FOUND_BYTES {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_is_known_by_the_test_behind_it() {
        let draw = Regex::new(DRAW).unwrap();
        // rdrand %eax; jae / rdrand %rax; setc / rdseed %ecx; mov; cmovb
        let real: [&[u8]; 3] =
            [b"\x0f\xc7\xf0\x73\x05", b"\x48\x0f\xc7\xf0\x0f\x92\xc1", b"\x0f\xc7\xf9\x89\xc8\x0f\x42\xc2"];
        assert!(real.iter().all(|code| draw.is_match(code)));
        let others: [&[u8]; 3] =
            [b"\x0f\xc7\xf0\x00\x00\x00\x00\x00\x73", b"\x0f\xc7\x08\x73", b"\x0f\xc6\xf0\x73"];
        assert!(!others.iter().any(|code| draw.is_match(code)));
    }
}
