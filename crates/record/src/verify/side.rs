//! One of two runs: its record, if it has one, and its outputs by what they are.
//!
//! Invariant: what a file is is told by its name, the same way on both sides.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use spec::capsule::Capsule;
use spec::criteria;

use crate::capsule as folder;
use crate::error::{Error, at};

pub(crate) struct Side {
    name: String,
    pub(crate) record: Option<Capsule>,
    /// All outputs, by their path in the run's folder.
    pub(super) outputs: BTreeMap<String, PathBuf>,
}

/// What an output is to a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Weights,
    Predictions,
    Other,
}

/// Endings of files that hold what was learned.
const WEIGHTS: &[&str] = &[
    "safetensors",
    "npz",
    "npy",
    "pt",
    "pth",
    "bin",
    "ckpt",
    "pkl",
    "pickle",
    "joblib",
    "keras",
    "h5",
    "hdf5",
    "onnx",
    "ubj",
    "xgb",
    "lgb",
    "model",
    "msgpack",
];

pub(super) fn kind(path: &str) -> Kind {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let (stem, ending) = name.rsplit_once('.').unwrap_or((&name, ""));
    if stem.contains("pred") {
        return Kind::Predictions;
    }
    if WEIGHTS.contains(&ending) { Kind::Weights } else { Kind::Other }
}

impl Side {
    /// Opens a capsule, or a plain folder all of whose files are outputs.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        if !folder::is_capsule(path) {
            if !path.is_dir() {
                return Err(Error::NoCapsule(path.to_owned()));
            }
            return Ok(Self { name, record: None, outputs: files(path)? });
        }
        let record = folder::read(path)?;
        folder::check(path, &record)?;
        let held = record.outputs.iter().filter(|file| file.is_held);
        let place = |file: &spec::capsule::File| path.join(folder::OUTPUTS).join(&file.path);
        let mut outputs: BTreeMap<_, _> = held.map(|file| (file.path.clone(), place(file))).collect();
        // Of a run that writes no files, what it said is all that came out.
        if record.outputs.is_empty() {
            outputs.insert("standard output".to_owned(), path.join("stdout.txt"));
        }
        Ok(Self { name, record: Some(record), outputs })
    }

    pub(super) fn named(&self) -> criteria::Side {
        criteria::Side { name: self.name.clone(), id: self.record.as_ref().map(|record| record.id.clone()) }
    }

    /// The outputs of one kind.
    pub(super) fn of(&self, wanted: Kind) -> impl Iterator<Item = (&String, &PathBuf)> {
        self.outputs.iter().filter(move |(path, _)| kind(path) == wanted)
    }
}

fn files(folder: &Path) -> Result<BTreeMap<String, PathBuf>, Error> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(current) = left.pop() {
        let entries = fs::read_dir(&current).map_err(at("read the folder", &current))?;
        for entry in entries {
            let entry = entry.map_err(at("read the folder", &current))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(at("look at", &current))?);
            if kind.is_dir() {
                left.push(path);
            } else if let (true, Some(name)) =
                (kind.is_file(), path.strip_prefix(folder).ok().and_then(Path::to_str))
            {
                found.insert(name.to_owned(), path.clone());
            }
        }
    }
    Ok(found)
}

/// The paths that either side has among the outputs of one kind, sorted.
pub(super) fn paths<'s>(a: &'s Side, b: &'s Side, wanted: Kind) -> std::collections::BTreeSet<&'s String> {
    a.of(wanted).chain(b.of(wanted)).map(|(path, _)| path).collect()
}
