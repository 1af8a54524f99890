//! Pickles and joblib files, protocols 0 to 5: walked opcode by opcode, never unpickled.
//!
//! Invariant: a pickle either was walked to its end, or its facts say so among the dangers.

pub(crate) mod array;
mod danger;
pub(crate) mod estimator;
mod joblib;
pub(crate) mod judge;
mod learned;
mod machine;
mod opcode;
pub(crate) mod plain;
pub(crate) mod value;

use std::io::Cursor;

use spec::facts::{Danger, DangerLevel, FileFacts, Format};

use self::danger::Dangers;
pub(crate) use self::danger::unread;
use self::machine::Machine;
use self::value::{Heap, Value};
use crate::bounded::{Reader, Source};
use crate::error::Error;
use crate::{format, limits, torch};

/// What a walk through a file found.
pub(crate) struct Walked {
    pub(crate) heap: Heap,
    /// What each pickle in the file would make; of one that was not walked to its end, the beginning.
    pub(crate) roots: Vec<Value>,
    pub(crate) dangers: Vec<Danger>,
    /// Whether arrays stand between the opcodes, as joblib writes them.
    has_inline_arrays: bool,
    /// Where bytes begin that follow the last pickle.
    trailing: Option<u64>,
    pub(crate) error: Option<Error>,
}

/// Who is to load the file, and so what its persistent ids mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loader {
    /// Plain `pickle` or `joblib`: nobody gives them a meaning.
    Plain,
    /// PyTorch: they name storages.
    Torch,
}

/// Fills in what a pickle says.
pub(crate) fn read(source: &mut dyn Source, facts: &mut FileFacts) -> Result<(), Error> {
    let mut reader = Reader::file(source)?;
    let n_bytes = reader.end();
    read_from(&mut reader, n_bytes, facts)
}

/// Fills in what a pickle says that comes from a file of `n_bytes`.
pub(crate) fn read_from(reader: &mut Reader<'_>, n_bytes: u64, facts: &mut FileFacts) -> Result<(), Error> {
    let walked = walk(reader, n_bytes, Loader::Plain);
    facts.format = if walked.has_inline_arrays { Format::Joblib } else { Format::Pickle };
    let legacy = torch::legacy_root(&walked);
    match (legacy, walked.roots.first()) {
        (Some(root), _) => torch::describe_legacy(&walked, root, facts),
        (None, Some(root)) => estimator::describe(&walked.heap, *root, facts),
        (None, None) => {}
    }
    // After PyTorch's pickles stand its storages.
    if let (Some(at), None, None) = (walked.trailing, &walked.error, legacy) {
        facts.metadata.insert("trailing bytes".to_owned(), format!("from byte {at}"));
    }
    facts.dangers = walked.dangers;
    walked.error.map_or(Ok(()), Err)
}

/// Whether bytes without a signature are a pickle: it ends as one, or looks something up before it fails.
pub(crate) fn is_plausible(reader: &mut Reader<'_>) -> bool {
    let n_bytes = reader.end();
    let mut machine = Machine::new(reader, n_bytes, Dangers::default(), None);
    machine.walk().is_ok() || machine.saw.n_globals > 0
}

/// Whether the first byte is an opcode.
pub(crate) fn is_opcode(head: &[u8]) -> bool {
    head.first().is_some_and(|code| opcode::is_opcode(*code))
}

/// Walks all pickles that stand one after the other in a file of `n_bytes`, and those inside of their bytes.
pub(crate) fn walk(reader: &mut Reader<'_>, n_bytes: u64, loader: Loader) -> Walked {
    let mut machine = Machine::new(reader, n_bytes, Dangers::default(), None);
    let mut roots = Vec::new();
    let mut error = None;
    let mut trailing = None;
    match machine.walk() {
        Ok(root) => {
            roots.push(root);
            trailing = walk_further(&mut machine, &mut roots);
        }
        Err(found) => {
            roots.extend(machine.unfinished());
            let at = machine.reader.at();
            machine.dangers.add_unread(at);
            error = Some(found);
        }
    }
    let Machine { heap, mut dangers, saw, .. } = machine;
    let is_torch = loader == Loader::Torch || torch::is_legacy(&roots);
    if let Some(place) = saw.persistent.filter(|_| !is_torch) {
        const REASON: &str = "what it stands for is decided by whoever loads the file";
        dangers.add(DangerLevel::Unknown, || "a persistent id".to_owned(), place, REASON);
    }
    for (at, bytes) in saw.pickles {
        dangers = walk_inside(at, bytes, dangers);
    }
    let has_inline_arrays = saw.inline_arrays;
    Walked { heap, roots, dangers: dangers.into_vec(), has_inline_arrays, trailing, error }
}

/// Walks what follows the first pickle, which loaders that read one pickle never see. Gives where it ceases to
/// be pickles, if the file goes on there.
fn walk_further(machine: &mut Machine<'_, '_>, roots: &mut Vec<Value>) -> Option<u64> {
    loop {
        let at = machine.reader.at();
        match machine.reader.peek() {
            Ok(None) => return None,
            Ok(Some(code)) if roots.len() < limits::PICKLES && opcode::is_opcode(code) => {
                match machine.walk() {
                    Ok(root) => roots.push(root),
                    Err(_) => return Some(at),
                }
            }
            _ => return Some(at),
        }
    }
}

/// Walks bytes that begin like a pickle, for the dangers alone: something may unpickle them later.
fn walk_inside(at: u64, bytes: Vec<u8>, dangers: Dangers) -> Dangers {
    let n_bytes = bytes.len() as u64;
    let mut bytes = Cursor::new(bytes);
    let Ok(mut reader) = Reader::file(&mut bytes) else { return dangers };
    let mut machine = Machine::new(&mut reader, n_bytes, dangers, Some(at));
    // Where it fails, it was no pickle, or one that is cut off here: what it named up to there is listed.
    let _ = machine.walk();
    machine.dangers
}

/// The danger of a global that is named outside of a pickle.
pub(crate) fn judge_name(module: &str, name: &str) -> Option<(DangerLevel, &'static str)> {
    match judge::judge(module, name) {
        judge::Verdict::Harmless => None,
        judge::Verdict::Harm(level, reason) => Some((level, reason)),
    }
}

/// Whether a compressed file holds a pickle.
pub(crate) fn begins_here(reader: &mut Reader<'_>) -> Result<bool, Error> {
    Ok(reader.peek()?.is_some_and(|code| opcode::is_opcode(code) || format::is_pickle_head(&[code, 2])))
}
