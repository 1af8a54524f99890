//! A draw of entropy: recorded as it came, or given out again as it was recorded.
//!
//! Knows no function of the C library; the hooks translate. Invariant: every draw is in the log, with what
//! became of it, also where nothing recorded fitted and the bytes are fresh.

use crate::layout;
use crate::log::{self, Record};
use crate::script::{self, Answer, Asked, Expected};
use crate::site::{self, Site};
use crate::state::{self, Mode};
use crate::stream::{self, Stream};
use crate::sys;
use crate::task;

/// Fills `space` and gives how many bytes of it, or the negative number of the real function where that failed.
pub fn draw(source: u8, space: &mut [u8], caller: usize, real: impl FnOnce(&mut [u8]) -> isize) -> isize {
    let mode = state::mode();
    if mode == Mode::Off || space.is_empty() {
        return real(space);
    }
    let site = site::of(caller);
    let stream = stream::current();
    if site.is_cryptography(source) {
        let n = real(space);
        let wanted = space.len() as u32;
        let record = Record { outcome: layout::PASSED, wanted, ..of(source, stream, 0) };
        log::append_at(&record, &site);
        return n;
    }
    if task::fill(stream, space) {
        let wanted = space.len() as u32;
        log::append_at(&Record { outcome: layout::TASKED, wanted, ..of(source, stream, 0) }, &site);
        return space.len() as isize;
    }
    match mode {
        Mode::Replay => replay(source, space, (&site, stream), real),
        _ => {
            let n = real(space);
            if let Ok(n) = usize::try_from(n) {
                write(source, (&site, stream, stream.next_draw()), (space, n), layout::RECORDED);
            }
            n
        }
    }
}

fn replay(
    source: u8,
    space: &mut [u8],
    (site, stream): (&Site, &'static Stream),
    real: impl FnOnce(&mut [u8]) -> isize,
) -> isize {
    let sequence = stream.next_draw();
    let asked = Asked { stream: stream.number(), sequence, source, site };
    match script::take(&asked, space) {
        Answer::Given { n, outcome } => {
            write(source, (site, stream, sequence), (space, n), outcome);
            n as isize
        }
        Answer::Nothing { expected } => {
            diverge(source, space.len(), (site, stream, sequence), expected.as_ref());
            let n = real(space);
            if let Ok(n) = usize::try_from(n) {
                write(source, (site, stream, sequence), (space, n), layout::FRESH);
            }
            n
        }
    }
}

fn diverge(source: u8, wanted: usize, at: (&Site, &Stream, u32), expected: Option<&Expected>) {
    let (site, stream, sequence) = at;
    let mut numbers = [0_u8; 16];
    if let Some(expected) = expected {
        let [a, b, c, d] = expected.sequence.to_le_bytes();
        let [e, f, g, h] = expected.wanted.to_le_bytes();
        let [i, j, k, l, m, n, o, p] = expected.offset.to_le_bytes();
        numbers = [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p];
    }
    let payload = match expected {
        Some(expected) => [&numbers[..], expected.module],
        None => [&[][..], &[]],
    };
    let head = Record { kind: layout::DIVERGENCE, wanted: wanted as u32, ..of(source, stream, sequence) };
    log::append_at(&Record { payload, ..head }, site);
    if state::is_strict() {
        sys::write(2, b"reenact: the replay drew entropy that the recording does not have; it ends here\n");
        sys::exit(sys::DIVERGED);
    }
}

fn write(source: u8, at: (&Site, &Stream, u32), drawn: (&[u8], usize), outcome: u8) {
    let (site, stream, sequence) = at;
    let (space, n) = drawn;
    let payload = [space.get(..n).unwrap_or_default(), &[]];
    let wanted = space.len() as u32;
    log::append_at(&Record { outcome, wanted, payload, ..of(source, stream, sequence) }, site);
}

fn of(source: u8, stream: &Stream, sequence: u32) -> Record<'static> {
    Record { stream: stream.number(), sequence, ..Record::new(layout::DRAW, source) }
}
