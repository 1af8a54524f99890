//! In a replay, the log of the same process in the recording, from which entropy is given out again.
//!
//! It is mapped for this process alone, and a record that was given out is marked there. Invariant: a record is
//! given out once; what does not fit is never given, and is told to the caller instead.

use core::ptr;

use crate::cell::Locked;
use crate::layout;
use crate::log;
use crate::site::{self, Site};
use crate::state::{self, PLACES};
use crate::sys::{self, Mapping};
use crate::text::Text;

struct Script {
    standing: Standing,
    start: *mut u8,
    n: usize,
    /// No draw before this byte is left.
    first: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Unread,
    Open,
    /// There was no such process in the recording, or its log cannot be read.
    Missing,
}

static SCRIPT: Locked<Script> =
    Locked::new(Script { standing: Standing::Unread, start: ptr::null_mut(), n: 0, first: 0 });

/// What was asked for.
pub struct Asked<'a> {
    pub stream: u64,
    pub sequence: u32,
    pub source: u8,
    pub site: &'a Site,
}

/// What the recording has for it.
pub enum Answer {
    /// So many bytes were copied.
    Given { n: usize, outcome: u8 },
    /// Nothing fits; what would have come next in that stream, if anything.
    Nothing { expected: Option<Expected> },
}

pub struct Expected {
    pub sequence: u32,
    pub wanted: u32,
    pub offset: u64,
    pub module: &'static [u8],
}

pub fn open() {
    SCRIPT.with(make);
}

pub fn open_lock_after_fork() {
    SCRIPT.open_after_fork();
}

/// Leaves the parent's script to the parent.
pub fn forget() {
    SCRIPT.with(|script| {
        if !script.start.is_null() {
            sys::unmap(script.start, script.n);
        }
        script.start = ptr::null_mut();
        script.standing = Standing::Unread;
    });
}

/// Gives out what was recorded for a draw.
pub fn take(asked: &Asked<'_>, space: &mut [u8]) -> Answer {
    SCRIPT.with(|script| {
        make(script);
        if script.standing != Standing::Open {
            return Answer::Nothing { expected: None };
        }
        let next = next_of_stream(script, asked.stream);
        if let Some(found) = next.filter(|found| found.wanted as usize == space.len()) {
            let is_known = asked.stream != layout::UNKNOWN_STREAM && !state::is_stranger();
            let is_exact = is_known && found.sequence == asked.sequence;
            return give(script, found, is_exact, space);
        }
        let alike = draws(script).find(|draw| {
            draw.wanted as usize == space.len()
                && draw.offset == asked.site.offset
                && draw.source == asked.source
                && site::file_name(module(script, draw.module)) == site::file_name(asked.site.module)
        });
        match alike {
            Some(found) => give(script, found, false, space),
            None => Answer::Nothing { expected: next.map(|draw| expected(script, draw)) },
        }
    })
}

fn expected(script: &Script, draw: Draw) -> Expected {
    Expected {
        sequence: draw.sequence,
        wanted: draw.wanted,
        offset: draw.offset,
        module: module(script, draw.module),
    }
}

fn give(script: &mut Script, found: Draw, is_exact: bool, space: &mut [u8]) -> Answer {
    let n = (found.got as usize).min(space.len());
    let recorded = bytes(script).get(found.at + layout::RECORD_BYTES..).and_then(|rest| rest.get(..n));
    if let (Some(recorded), Some(space)) = (recorded, space.get_mut(..n)) {
        space.copy_from_slice(recorded);
    }
    if let Some(taken) = bytes_mut(script).get_mut(found.at + 7) {
        *taken = 1;
    }
    script.first = draws(script).next().map_or(script.n, |draw| draw.at);
    Answer::Given { n, outcome: if is_exact { layout::MATCHED } else { layout::MATCHED_WEAKLY } }
}

fn next_of_stream(script: &Script, stream: u64) -> Option<Draw> {
    draws(script).find(|draw| draw.stream == stream)
}

/// A draw that nobody was given yet.
#[derive(Clone, Copy)]
struct Draw {
    at: usize,
    source: u8,
    stream: u64,
    sequence: u32,
    module: u32,
    offset: u64,
    wanted: u32,
    got: u32,
}

fn draws(script: &Script) -> impl Iterator<Item = Draw> + use<> {
    let bytes = bytes(script);
    let mut at = script.first;
    core::iter::from_fn(move || {
        loop {
            let n = u32_at(bytes, at)? as usize;
            if n < layout::record_length(0) || at + n > bytes.len() {
                return None;
            }
            let draw = draw(bytes, at);
            at += n;
            if draw.is_some() {
                return draw;
            }
        }
    })
}

fn draw(bytes: &[u8], at: usize) -> Option<Draw> {
    let [kind, source, outcome, is_taken] = *bytes.get(at + 4..at + 8)? else { return None };
    if kind != layout::DRAW || [layout::PASSED, layout::TASKED].contains(&outcome) || is_taken != 0 {
        return None;
    }
    Some(Draw {
        at,
        source,
        stream: u64_at(bytes, at + 8)?,
        sequence: u32_at(bytes, at + 16)?,
        module: u32_at(bytes, at + 20)?,
        offset: u64_at(bytes, at + 24)?,
        wanted: u32_at(bytes, at + 32)?,
        got: u32_at(bytes, at + 36)?,
    })
}

/// The path of a library by its number in the script.
fn module(script: &Script, number: u32) -> &'static [u8] {
    let bytes = bytes(script);
    let mut at = u32_at(bytes, 12).unwrap_or(0) as usize;
    while let Some(n) = u32_at(bytes, at).map(|n| n as usize).filter(|n| *n >= layout::record_length(0)) {
        if bytes.get(at + 4) == Some(&layout::MODULE) && u32_at(bytes, at + 20) == Some(number) {
            let n_path = u32_at(bytes, at + 36).unwrap_or(0) as usize;
            let begins = at + layout::RECORD_BYTES;
            return bytes.get(begins..begins + n_path).unwrap_or_default();
        }
        at += n;
    }
    &[]
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

fn bytes(script: &Script) -> &'static [u8] {
    if script.start.is_null() {
        return &[];
    }
    // SAFETY: the mapping has `n` bytes; it is unmapped in a forked child only, before anything is read there.
    unsafe { core::slice::from_raw_parts(script.start, script.n) }
}

fn bytes_mut(script: &mut Script) -> &mut [u8] {
    if script.start.is_null() {
        return &mut [];
    }
    // SAFETY: as above, and the lock lets one thread at a time in; no shared slice is alive where this is called.
    unsafe { core::slice::from_raw_parts_mut(script.start, script.n) }
}

fn make(script: &mut Script) {
    if script.standing != Standing::Unread {
        return;
    }
    script.standing = Standing::Missing;
    script.start = ptr::null_mut();
    let number = log::number();
    let mut space = Text::new();
    let descriptor = PLACES
        .with(|places| sys::open(state::log_path(&mut space, &places.script, &places.process, number), 0));
    let Ok(descriptor) = i32::try_from(descriptor) else { return };
    if descriptor < 0 {
        return;
    }
    if let Some(n) = sys::length(descriptor).filter(|n| *n >= layout::HEADER_BYTES)
        && let Some(start) = sys::map(n, Mapping::Private { descriptor })
    {
        (script.start, script.n) = (start, n);
        let bytes = bytes(script);
        let is_ours = bytes.starts_with(&layout::MAGIC) && u32_at(bytes, 8) == Some(layout::VERSION);
        if let (true, Some(first)) = (is_ours, u32_at(bytes, 12)) {
            script.first = first as usize;
            script.standing = Standing::Open;
        }
    }
    sys::close(descriptor);
}
