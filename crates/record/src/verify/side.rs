//! One of two runs: its record, if it has one, and its outputs by what they are.
//!
//! Invariant: what a file is is told by its name, the same way on both sides.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use spec::capsule::Capsule;
use spec::criteria;
use spec::criteria::Difference;
use spec::digest::Sha256;

use super::{NOTHING, differs};
use crate::capsule as folder;
use crate::error::{Error, at};

pub(crate) struct Side {
    name: String,
    pub(crate) record: Option<Capsule>,
    /// The outputs that are there, by their path in the run's folder.
    outputs: BTreeMap<String, PathBuf>,
    /// Digests of the outputs that are not.
    digests: BTreeMap<String, Sha256>,
}

/// One output as both runs have it.
pub(super) enum Pair<'s> {
    /// Both are there and can be looked into.
    Files(&'s Path, &'s Path),
    /// At least one is known by its digest alone, or is missing.
    Equal,
    Different(Difference),
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
            return Ok(Self { name, record: None, outputs: files(path)?, digests: BTreeMap::new() });
        }
        let record = folder::read(path)?;
        folder::check(path, &record)?;
        let (held, others): (Vec<_>, Vec<_>) = record.outputs.iter().partition(|file| file.is_held);
        let digests = others.into_iter().map(|file| (file.path.clone(), file.sha256)).collect();
        let place = |file: &spec::capsule::File| path.join(folder::OUTPUTS).join(&file.path);
        let mut outputs: BTreeMap<_, _> =
            held.into_iter().map(|file| (file.path.clone(), place(file))).collect();
        // Of a run that writes no files, what it said is all that came out.
        if record.outputs.is_empty() {
            outputs.insert("standard output".to_owned(), path.join("stdout.txt"));
        }
        Ok(Self { name, record: Some(record), outputs, digests })
    }

    pub(super) fn named(&self) -> criteria::Side {
        criteria::Side { name: self.name.clone(), id: self.record.as_ref().map(|record| record.id.clone()) }
    }

    /// The outputs of one kind that are there.
    pub(super) fn of(&self, wanted: Kind) -> impl Iterator<Item = (&String, &PathBuf)> {
        self.outputs.iter().filter(move |(path, _)| kind(path) == wanted)
    }

    /// Where an output is, if it is there.
    pub(super) fn place(&self, path: &str) -> Option<&Path> {
        self.outputs.get(path).map(PathBuf::as_path)
    }

    /// The digest of an output, if the run has it.
    fn digest(&self, path: &str) -> Result<Option<Sha256>, Error> {
        match self.outputs.get(path) {
            Some(file) => folder::digest(file).map(|(digest, _)| Some(digest)),
            None => Ok(self.digests.get(path).copied()),
        }
    }
}

/// What there is to compare of one output.
pub(super) fn pair<'s>(a: &'s Side, b: &'s Side, path: &str) -> Result<Pair<'s>, Error> {
    if let (Some(in_a), Some(in_b)) = (a.outputs.get(path), b.outputs.get(path)) {
        return Ok(Pair::Files(in_a, in_b));
    }
    let told = |digest: Sha256| format!("sha256 {}", digest.to_string().get(..12).unwrap_or_default());
    Ok(match (a.digest(path)?, b.digest(path)?) {
        (Some(in_a), Some(in_b)) if in_a == in_b => Pair::Equal,
        (Some(in_a), Some(in_b)) => Pair::Different(differs(path, told(in_a), told(in_b))),
        (Some(_), None) => Pair::Different(differs(path, "there", NOTHING)),
        (None, _) => Pair::Different(differs(path, NOTHING, "there")),
    })
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
pub(super) fn paths<'s>(a: &'s Side, b: &'s Side, wanted: Kind) -> BTreeSet<&'s String> {
    let all = [a, b].into_iter().flat_map(|side| side.outputs.keys().chain(side.digests.keys()));
    all.filter(|path| kind(path) == wanted).collect()
}
