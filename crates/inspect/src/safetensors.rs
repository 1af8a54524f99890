//! safetensors: the JSON header before the tensors.
//!
//! The tensors' bytes are never read. Invariant: a file whose header names bytes that it does not have, or that
//! two tensors share, is an error.

use std::collections::BTreeMap;

use ::safetensors::Dtype;
use ::safetensors::tensor::Metadata;
use spec::facts::{FileFacts, Format, TensorFacts};
use spec::tensor::Datatype;

use crate::bounded::{Reader, Source};
use crate::error::Error;
use crate::tensors::{Bytes, Tensor};
use crate::{limits, shown};

/// Fills in what a safetensors file says.
pub(crate) fn read(source: &mut dyn Source, facts: &mut FileFacts) -> Result<(), Error> {
    facts.format = Format::Safetensors;
    let (header, _, left) = header(source)?;
    list(&header, facts);
    let (wanted, got) = (header.data_len() as u64, left);
    match wanted == got {
        true => Ok(()),
        false => Err(Error::TensorBytes { wanted, got }),
    }
}

/// The tensors and where their bytes are.
pub(crate) fn placed(source: &mut dyn Source) -> Result<Vec<Tensor>, Error> {
    let (header, begins, left) = header(source)?;
    let (wanted, got) = (header.data_len() as u64, left);
    if wanted != got {
        return Err(Error::TensorBytes { wanted, got });
    }
    let names = header.offset_keys();
    let infos = names.iter().filter_map(|name| header.info(name).map(|info| (name, info)));
    let tensors = infos.map(|(name, info)| {
        let (from, to) = info.data_offsets;
        Tensor {
            name: name.clone(),
            datatype: datatype(info.dtype),
            shape: info.shape.iter().map(|n| *n as u64).collect(),
            bytes: Bytes::At { offset: begins + from as u64, n_bytes: (to - from) as u64 },
        }
    });
    Ok(tensors.collect())
}

/// The header, where the tensors begin, and how many bytes follow there.
fn header(source: &mut dyn Source) -> Result<(Metadata, u64, u64), Error> {
    let mut reader = Reader::file(source)?;
    let claimed = u64::from_le_bytes(reader.array()?);
    let left = reader.end() - reader.at();
    if claimed > left.min(limits::SAFETENSORS_HEADER_BYTES) {
        return Err(Error::HeaderLength { claimed, n_bytes: reader.end() });
    }
    let header = reader.take(claimed, usize::MAX)?;
    // The crate checks that every tensor begins where the one before it ends and is as long as its shape says.
    let header: Metadata = serde_json::from_slice(&header).map_err(|source| Error::Header { source })?;
    Ok((header, reader.at(), left - claimed))
}

fn list(header: &Metadata, facts: &mut FileFacts) {
    let names = header.offset_keys();
    let infos = names.iter().filter_map(|name| header.info(name).map(|info| (name, info)));
    let mut n_parameters = 0_u64;
    for (name, info) in infos {
        let shape: Vec<u64> = info.shape.iter().map(|n| *n as u64).collect();
        n_parameters = n_parameters.saturating_add(shown::n_elements(&shape));
        if facts.tensors.len() < FileFacts::TENSORS {
            facts.tensors.push(TensorFacts {
                name: shown::short(name),
                datatype: datatype(info.dtype),
                shape,
            });
        }
    }
    facts.n_parameters = Some(n_parameters);
    let metadata: BTreeMap<_, _> = header.metadata().clone().unwrap_or_default().into_iter().collect();
    facts.framework = metadata.get("format").and_then(|format| framework(format)).map(str::to_owned);
    shown::metadata(&mut facts.metadata, metadata);
}

/// The framework behind the `format` that its savers write.
fn framework(format: &str) -> Option<&'static str> {
    match format {
        "pt" => Some("pytorch"),
        "tf" => Some("tensorflow"),
        "flax" => Some("flax"),
        "np" => Some("numpy"),
        "mlx" => Some("mlx"),
        _ => None,
    }
}

fn datatype(dtype: Dtype) -> Option<Datatype> {
    Some(match dtype {
        Dtype::BOOL => Datatype::Bool,
        Dtype::U8 => Datatype::Uint8,
        Dtype::U16 => Datatype::Uint16,
        Dtype::U32 => Datatype::Uint32,
        Dtype::U64 => Datatype::Uint64,
        Dtype::I8 => Datatype::Int8,
        Dtype::I16 => Datatype::Int16,
        Dtype::I32 => Datatype::Int32,
        Dtype::I64 => Datatype::Int64,
        Dtype::F16 => Datatype::Fp16,
        Dtype::F32 => Datatype::Fp32,
        Dtype::F64 => Datatype::Fp64,
        Dtype::BF16 => Datatype::Bf16,
        _ => return None,
    })
}
