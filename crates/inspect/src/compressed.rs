//! Pickles that are compressed as a whole, with zlib or gzip, as joblib does.
//!
//! Invariant: unpacking stops at a fixed multiple of the file's own length, so that a small file costs little.

use flate2::read::{MultiGzDecoder, ZlibDecoder};
use spec::facts::{FileFacts, Format};

use crate::bounded::{self, Reader, Source};
use crate::error::Error;
use crate::format::Packing;
use crate::{limits, pickle};

/// Fills in what a compressed pickle says.
pub(crate) fn read(source: &mut dyn Source, packing: Packing, facts: &mut FileFacts) -> Result<(), Error> {
    let n_bytes = bounded::length(source)?;
    let limit = n_bytes.saturating_mul(limits::EXPANSION_FACTOR).max(limits::EXPANSION_BYTES);
    let limit = limit.min(limits::EXPANSION_AT_MOST);
    let (name, unpacked): (_, Box<dyn std::io::Read + '_>) = match packing {
        Packing::Zlib => ("zlib", Box::new(ZlibDecoder::new(source))),
        Packing::Gzip => ("gzip", Box::new(MultiGzDecoder::new(source))),
    };
    facts.metadata.insert("compression".to_owned(), name.to_owned());
    let mut reader = Reader::stream(unpacked, limit);
    if !pickle::begins_here(&mut reader).inspect_err(|_| facts.dangers.push(pickle::unread(0)))? {
        facts.dangers.push(pickle::unread(0));
        return Err(Error::Unread("compressed, and no pickle inside"));
    }
    facts.format = Format::Pickle;
    pickle::read_from(&mut reader, n_bytes, facts)
}
