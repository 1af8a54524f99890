//! The dangers found in one file, bounded and in the order of the file.
//!
//! Invariant: a flood of unknown names never hides a dangerous one, for each level has a bound of its own.

use std::collections::BTreeSet;

use spec::facts::{Danger, DangerLevel};

use crate::{limits, shown};

/// Dangers of one file.
#[derive(Debug, Default)]
pub(crate) struct Dangers {
    found: Vec<Danger>,
    n_unknown: usize,
    n_dangerous: usize,
    /// What was found under which opcode: the same again is not listed again.
    seen: BTreeSet<(String, &'static str)>,
}

/// Where in the file something was found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) opcode: &'static str,
    pub(crate) at: u64,
    /// Offset of the bytes that hold the pickle, where it is a pickle in a pickle.
    pub(crate) inside: Option<u64>,
}

impl Dangers {
    /// Lists a danger, unless it is listed or too many of its level are.
    pub(crate) fn add(
        &mut self,
        level: DangerLevel,
        what: impl FnOnce() -> String,
        place: Place,
        reason: &str,
    ) {
        let n = match level {
            DangerLevel::Unknown => &mut self.n_unknown,
            DangerLevel::Dangerous => &mut self.n_dangerous,
        };
        if *n >= limits::DANGERS {
            return;
        }
        let what = shown::short(&what());
        if !self.seen.insert((what.clone(), place.opcode)) {
            return;
        }
        *n += 1;
        let Place { opcode, at, inside } = place;
        let place = match inside {
            Some(inside) => format!("{opcode} at {at} of the bytes at {inside}"),
            None => format!("{opcode} at {at}"),
        };
        self.found.push(Danger { level, what, place, reason: reason.to_owned() });
    }

    /// Says that the file was not read to its end.
    pub(crate) fn add_unread(&mut self, at: u64) {
        self.found.push(unread(at));
    }

    pub(crate) fn into_vec(self) -> Vec<Danger> {
        self.found
    }
}

/// The danger of what was not read, so that nobody takes it for harmless.
pub(crate) fn unread(at: u64) -> Danger {
    Danger {
        level: DangerLevel::Unknown,
        what: "the rest of the file".to_owned(),
        place: format!("from byte {at}"),
        reason: "it could not be read, so that nothing is known of it".to_owned(),
    }
}
