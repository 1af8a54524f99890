//! The tensors of a file and where their bytes are, so that two files can be compared number by number.
//!
//! Nothing is loaded and no number is interpreted: who compares reads the bytes. Invariant: a tensor's bytes are
//! exactly as many as it says, and lie in the file; where anything of a file could not be followed, that is said.

mod boosted;
mod hdf5;
mod numpy;
mod onnx;
mod pickled;

use std::io::Read;

use spec::tensor::Datatype;

use crate::archive::Archive;
use crate::bounded::{self, Source};
use crate::format::{self, Content, Packing};
use crate::{limits, safetensors, torch};

/// What was found in a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tensors {
    /// In the order of the file.
    pub found: Vec<Tensor>,
    /// Whether there can be none besides these.
    pub is_complete: bool,
}

/// One tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    pub name: String,
    /// None where its elements are no numbers of a known type, little-endian; its bytes can be compared still.
    pub datatype: Option<Datatype>,
    pub shape: Vec<u64>,
    pub bytes: Bytes,
}

/// Where a tensor's bytes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bytes {
    At {
        offset: u64,
        n_bytes: u64,
    },
    /// They were compressed.
    Held(Vec<u8>),
}

impl Bytes {
    pub fn n_bytes(&self) -> u64 {
        match self {
            Self::At { n_bytes, .. } => *n_bytes,
            Self::Held(bytes) => bytes.len() as u64,
        }
    }
}

/// The tensors of a file: safetensors, NumPy, PyTorch and Keras archives, HDF5, ONNX, pickles and joblib files,
/// XGBoost and LightGBM. None where it is no such file, or a damaged one.
pub fn tensors(path: &str, source: &mut (impl Read + std::io::Seek)) -> Option<Tensors> {
    read(path, source)
}

fn read(path: &str, source: &mut dyn Source) -> Option<Tensors> {
    if numpy::is_array(source) {
        return numpy::array(source, path).map(|found| Tensors { found: vec![found], is_complete: true });
    }
    match format::tell(source, path).ok()? {
        Content::Safetensors => {
            safetensors::placed(source).ok().map(|found| Tensors { found, is_complete: true })
        }
        Content::Zip => zipped(source),
        Content::Pickle => pickled::read(source),
        Content::Compressed(packing) => compressed(source, packing),
        Content::Onnx => onnx::read(source),
        Content::Unread(_) => hdf5::read(source),
        Content::Unrecognised => boosted::read(source),
        _ => None,
    }
}

/// The pickle in which a file's tensors stand, unpacked: what is no tensor in it can be learned too. None where a
/// file's form has nothing but tensors in it.
pub fn pickle<'s>(path: &str, source: &'s mut (impl Read + std::io::Seek)) -> Option<Box<dyn Read + 's>> {
    unpacked(path, source)
}

fn unpacked<'s>(path: &str, source: &'s mut dyn Source) -> Option<Box<dyn Read + 's>> {
    match format::tell(source, path).ok()? {
        Content::Pickle => {
            source.rewind().ok()?;
            Some(Box::new(source))
        }
        Content::Compressed(packing) => {
            source.rewind().ok()?;
            Some(Box::new(unpacker(source, packing).take(limits::HELD_BYTES)))
        }
        Content::Zip => {
            let mut archive = Archive::open(source).ok()?;
            let main = torch::main_entry(&archive)?;
            let bytes = archive.bytes(&main, limits::HELD_BYTES).ok()?;
            Some(Box::new(std::io::Cursor::new(bytes)))
        }
        _ => None,
    }
}

fn unpacker<'s>(source: &'s mut dyn Source, packing: Packing) -> Box<dyn Read + 's> {
    match packing {
        Packing::Zlib => Box::new(flate2::read::ZlibDecoder::new(source)),
        Packing::Gzip => Box::new(flate2::read::MultiGzDecoder::new(source)),
    }
}

fn zipped(source: &mut dyn Source) -> Option<Tensors> {
    let end = bounded::length(source).ok()?;
    let mut archive = Archive::open(source).ok()?;
    if let Some(main) = torch::main_entry(&archive) {
        return of_torch(&mut archive, &main);
    }
    if let Some(weights) = archive.names.iter().find(|name| name.ends_with(".weights.h5")).cloned() {
        return of_keras(&mut archive, &weights, end);
    }
    let names = archive.names.clone();
    let is_numpy = !names.is_empty() && names.iter().all(|name| name.ends_with(".npy"));
    if !is_numpy {
        return None;
    }
    let mut found = Vec::new();
    for name in names {
        let bytes = archive.bytes(&name, limits::HELD_BYTES).ok()?;
        let mut tensor = numpy::array(&mut std::io::Cursor::new(&bytes), name.trim_end_matches(".npy"))?;
        let Bytes::At { offset, n_bytes } = tensor.bytes else { return None };
        tensor.bytes = match archive.place(&name).and_then(|place| place.checked_add(offset)) {
            Some(offset) if offset.checked_add(n_bytes)? <= end => Bytes::At { offset, n_bytes },
            _ => held(&bytes, offset, n_bytes)?,
        };
        found.push(tensor);
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Some(Tensors { found, is_complete: true })
}

/// The weights of Keras, an HDF5 file in the archive.
fn of_keras(archive: &mut Archive<'_>, weights: &str, end: u64) -> Option<Tensors> {
    let bytes = archive.bytes(weights, limits::HELD_BYTES).ok()?;
    let mut tensors = hdf5::read(&mut std::io::Cursor::new(&bytes))?;
    let place = archive.place(weights);
    for tensor in &mut tensors.found {
        if let Bytes::At { offset, n_bytes } = tensor.bytes {
            tensor.bytes = match place.and_then(|place| place.checked_add(offset)) {
                Some(offset) if offset.checked_add(n_bytes)? <= end => Bytes::At { offset, n_bytes },
                _ => held(&bytes, offset, n_bytes)?,
            };
        }
    }
    Some(tensors)
}

fn of_torch(archive: &mut Archive<'_>, main: &str) -> Option<Tensors> {
    let walked = torch::walk(archive, main).ok()?;
    let root = *walked.roots.first()?;
    let prefix = main.strip_suffix("data.pkl")?;
    let mut is_complete = walked.error.is_none();
    let mut found = Vec::new();
    for placed in torch::tensors::placed(&walked.heap, root) {
        let entry = format!("{prefix}data/{}", placed.key);
        let n_stored = archive.size(&entry)?;
        let (begins, n_bytes) = placed.range.unwrap_or((0, n_stored));
        let is_there = begins.checked_add(n_bytes).is_some_and(|end| end <= n_stored);
        let Some(place) = archive.place(&entry).filter(|_| is_there) else {
            is_complete = false;
            continue;
        };
        let bytes = Bytes::At { offset: place.checked_add(begins)?, n_bytes };
        let datatype = placed.datatype.filter(|_| placed.range.is_some());
        found.push(Tensor { name: placed.name, datatype, shape: placed.shape, bytes });
    }
    Some(Tensors { found, is_complete })
}

fn compressed(source: &mut dyn Source, packing: Packing) -> Option<Tensors> {
    let mut bytes = Vec::new();
    unpacker(source, packing).take(limits::HELD_BYTES + 1).read_to_end(&mut bytes).ok()?;
    if bytes.len() as u64 > limits::HELD_BYTES {
        return None;
    }
    let mut tensors = pickled::read(&mut std::io::Cursor::new(&bytes))?;
    for tensor in &mut tensors.found {
        if let Bytes::At { offset, n_bytes } = tensor.bytes {
            tensor.bytes = held(&bytes, offset, n_bytes)?;
        }
    }
    Some(tensors)
}

fn held(bytes: &[u8], offset: u64, n_bytes: u64) -> Option<Bytes> {
    let (from, to) = (usize::try_from(offset).ok()?, usize::try_from(offset.checked_add(n_bytes)?).ok()?);
    bytes.get(from..to).map(|part| Bytes::Held(part.to_vec()))
}
