//! Entropy given back: whether it can be, before a replay, and whether all of it was, after one.
//!
//! The giving itself is the shim's. Invariant: a recorded draw that was not asked for again is counted, as one
//! that was asked for and not recorded is.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use spec::capsule::log;
use spec::capsule::{Capsule, Divergence, Entropy, layout};

use crate::capsule as folder;
use crate::error::{Error, at};
use crate::recorder::entropy::{logs, place};

/// Refuses logs that cannot be replayed.
pub(crate) fn check(scripts: &Path, recorded: &Capsule) -> Result<(), Error> {
    if recorded.entropy.processes.is_empty() {
        return Err(Error::NoLog);
    }
    for (process, path) in logs(scripts)? {
        let bytes = fs::read(&path).map_err(at("read", &path))?;
        log::read(&bytes).map_err(|source| Error::Log { name: folder::log_name(&process), source })?;
    }
    Ok(())
}

/// Counts what was recorded and not drawn again.
pub(crate) fn account(entropy: &mut Entropy, scripts: &Path, replayed: &Path) -> Result<(), Error> {
    for (process, path) in logs(scripts)? {
        let script = fs::read(&path).map_err(at("read", &path))?;
        let again = fs::read(replayed.join(folder::log_name(&process))).unwrap_or_default();
        let Ok(script) = log::read(&script) else { continue };
        let again = log::read(&again).ok();
        let given: Vec<_> = again
            .iter()
            .flat_map(log::Log::draws)
            .filter(|draw| [layout::MATCHED, layout::MATCHED_WEAKLY].contains(&draw.outcome))
            .collect();
        let n_recorded = script.draws().count();
        let n_missing = n_recorded.saturating_sub(given.len());
        entropy.n_missing += n_missing as u64;
        if n_missing == 0 || entropy.divergence.is_some() {
            continue;
        }
        let keys: BTreeSet<_> = given.iter().map(|draw| (draw.stream, draw.sequence)).collect();
        let first = script.draws().find(|draw| !keys.contains(&(draw.stream, draw.sequence)));
        entropy.divergence = first.map(|draw| Divergence {
            process: process.clone(),
            thread: log::thread(draw.stream),
            sequence: draw.sequence,
            asked: None,
            recorded: Some(place(&script, draw)),
        });
    }
    Ok(())
}
