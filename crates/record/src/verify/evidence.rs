//! What came of a run, by digests that somebody else can compare with those of another run.
//!
//! Invariant: a file has a digest of its tensors only where all of them were found, so that equal digests mean equal
//! tensors, bit by bit, as C1 asks.

use std::fs::File;
use std::path::Path;

use inspect::tensors::Tensor;
use sha2::Digest as _;
use spec::attestation::results::{Kind, Results};
use spec::digest::Sha256;

use super::side::{self, Side};
use super::weights;
use crate::error::{Error, at};

/// What every digest of tensors begins with.
const MAGIC: &[u8] = b"reenact weights 1\n";

/// The results of the run whose capsule is in this folder.
pub fn evidence(capsule: &Path) -> Result<Results, Error> {
    let side = Side::open(capsule)?;
    let record = side.record.as_ref().ok_or_else(|| Error::NoCapsule(capsule.to_owned()))?;
    if record.outputs.is_empty() {
        return Err(Error::NoOutputs(record.id.clone()));
    }
    let mut failure = None;
    let results = Results::of(record, |file| {
        let kind = match side::kind(&file.path) {
            side::Kind::Weights => Kind::Weights,
            side::Kind::Predictions => Kind::Predictions,
            side::Kind::Other => Kind::Other,
        };
        let place = side.place(&file.path).filter(|_| kind != Kind::Other);
        let tensors = place.map(|place| tensors(&file.path, place)).transpose();
        (
            kind,
            tensors
                .unwrap_or_else(|error| {
                    failure.get_or_insert(error);
                    None
                })
                .flatten(),
        )
    });
    failure.map_or(Ok(results), Err)
}

/// The digest of all tensors of a file: each by its name, type, shape and bytes, in the order of the names, and then
/// that of the pickle around them, if there is one. Lengths and numbers are 64 bits, little-endian.
fn tensors(name: &str, path: &Path) -> Result<Option<Sha256>, Error> {
    let mut file = File::open(path).map_err(at("read", path))?;
    let Some(tensors) = inspect::tensors::tensors(name, &mut file) else { return Ok(None) };
    if !tensors.is_complete || tensors.found.is_empty() {
        return Ok(None);
    }
    let mut found: Vec<&Tensor> = tensors.found.iter().collect();
    // Tensors of one name stay in the order of the file.
    found.sort_by(|a, b| a.name.cmp(&b.name));
    let mut digest = sha2::Sha256::new_with_prefix(MAGIC);
    for tensor in found {
        let datatype = tensor.datatype.map_or("bytes", spec::tensor::Datatype::as_str);
        for text in [tensor.name.as_str(), datatype] {
            digest.update((text.len() as u64).to_le_bytes());
            digest.update(text);
        }
        digest.update((tensor.shape.len() as u64).to_le_bytes());
        tensor.shape.iter().for_each(|length| digest.update(length.to_le_bytes()));
        digest.update(tensor.bytes.n_bytes().to_le_bytes());
        weights::each_piece((path, &file), &tensor.bytes, |piece| digest.update(piece))?;
    }
    // What stands beside them in a pickle counts in a comparison, and so it does here.
    if let Some(others) = weights::others(name, (path, &mut file))? {
        digest.update(others);
    }
    Ok(Some(Sha256::from_bytes(digest.finalize().into())))
}
