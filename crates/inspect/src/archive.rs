//! Zip archives: what is in them, and which model format that makes.
//!
//! Nothing is ever written. Invariants: at most [`limits::ARCHIVE_BYTES`] are read of an archive, at most so
//! many entries are listed as `limits` says, and no entry grows beyond its bound when it is unpacked.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use spec::facts::{Danger, DangerLevel, FileFacts};
use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};
use zip::unstable::read::ZipIterable;

use crate::bounded::{self, Reader, Source};
use crate::error::Error;
use crate::{keras, limits, shown, torch};

/// An open archive.
pub(crate) struct Archive<'a> {
    zip: ZipArchive<BufReader<Metered<'a>>>,
    /// Its length as a file.
    pub(crate) n_bytes: u64,
    /// Its entries, in their order.
    pub(crate) names: Vec<String>,
}

/// Fills in what a model in a zip archive says.
pub(crate) fn read(source: &mut dyn Source, facts: &mut FileFacts) -> Result<(), Error> {
    let mut archive = Archive::open(source)?;
    facts.dangers.extend(suspicious(&archive));
    if archive.has("config.json") && archive.has("metadata.json") {
        return keras::read(&mut archive, facts);
    }
    if let Some(main) = torch::main_entry(&archive) {
        return torch::read(&mut archive, &main, facts);
    }
    Err(Error::Unread(match archive.names.iter().all(|name| name.ends_with(".npy")) {
        true if !archive.names.is_empty() => "an archive of NumPy arrays",
        _ => "a zip archive of no known model format",
    }))
}

impl<'a> Archive<'a> {
    pub(crate) fn open(source: &'a mut dyn Source) -> Result<Self, Error> {
        let n_bytes = bounded::length(source)?;
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let failed = |source| Error::Archive { source };
        // Counted first: the list of entries is reserved as long as the archive claims it to be.
        let listing = ZipIterable::try_new(BufReader::new(Metered::new(source)), config).map_err(failed)?;
        let (n_entries, limit) = (listing.len() as u64, limits::ARCHIVE_ENTRIES);
        drop(listing);
        if n_entries > limit {
            return Err(Error::Entries { n_entries, limit });
        }
        let zip = ZipArchive::with_config(config, BufReader::new(Metered::new(source))).map_err(failed)?;
        let names =
            zip.file_names().map(|name| name.map(std::borrow::Cow::into_owned)).collect::<Result<_, _>>();
        Ok(Self { names: names.map_err(failed)?, zip, n_bytes })
    }

    /// Whether there is an entry of exactly this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.zip.index_for_name(name).is_some()
    }

    /// What an entry says it holds when it is unpacked, in bytes.
    pub(crate) fn size(&self, name: &str) -> Option<u64> {
        let index = self.zip.index_for_name(name)?;
        self.zip.by_index_data(index).ok().map(|entry| entry.size())
    }

    /// Where an entry's bytes begin in the file, if they stand there as they are.
    pub(crate) fn place(&mut self, name: &str) -> Option<u64> {
        let entry = self.zip.by_name(name).ok()?;
        (entry.compression() == zip::CompressionMethod::Stored).then(|| entry.data_start()).flatten()
    }

    /// Reads an entry from its beginning, at most as much of it as an archive of this length may grow to.
    pub(crate) fn reader(&mut self, name: &str) -> Result<Reader<'_>, Error> {
        let limit = self.n_bytes.saturating_mul(limits::EXPANSION_FACTOR).max(limits::EXPANSION_BYTES);
        let entry = self.zip.by_name(name).map_err(|source| Error::Archive { source })?;
        Ok(Reader::stream(Box::new(entry), limit.min(limits::EXPANSION_AT_MOST)))
    }

    /// A whole entry of at most `limit` bytes.
    pub(crate) fn bytes(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, Error> {
        let entry = self.zip.by_name(name).map_err(|source| Error::Archive { source })?;
        let mut bytes = Vec::new();
        let read = entry.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|source| Error::Unpack { at: bytes.len() as u64, source })?;
        match bytes.len() as u64 <= limit {
            true => Ok(bytes),
            false => Err(Error::EntryLength { entry: shown::short(name), limit }),
        }
    }

    /// A short text, such as a version, if there is such an entry.
    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let bytes = self.bytes(name, limits::ARCHIVE_TEXT_BYTES).ok()?;
        String::from_utf8(bytes).ok().map(|text| text.trim().to_owned())
    }
}

/// Names that would lead a careless reader astray.
fn suspicious(archive: &Archive<'_>) -> Vec<Danger> {
    let danger = |what: String, reason: &str| Danger {
        level: DangerLevel::Unknown,
        what,
        place: "entry of the archive".to_owned(),
        reason: reason.to_owned(),
    };
    const LEAVES: &str = "its name leads out of the folder that the archive is unpacked to";
    const TWICE: &str = "readers differ in which of the two they take";
    let leaves = archive.names.iter().filter(|name| leaves_folder(name)).take(limits::DANGERS);
    let mut found: Vec<_> = leaves.map(|name| danger(shown::short(name), LEAVES)).collect();
    if archive.zip.has_duplicate_names() {
        found.push(danger("two entries of one name".to_owned(), TWICE));
    }
    found
}

/// Whether a path, joined to a folder, may end outside of it.
pub(crate) fn leaves_folder(path: &str) -> bool {
    let has_drive = path.as_bytes().get(1) == Some(&b':');
    has_drive || path.starts_with(['/', '\\']) || path.split(['/', '\\']).any(|part| part == "..")
}

/// A source that refuses to be read without end.
struct Metered<'a> {
    source: &'a mut dyn Source,
    n_left: u64,
}

impl<'a> Metered<'a> {
    fn new(source: &'a mut dyn Source) -> Self {
        Self { source, n_left: limits::ARCHIVE_BYTES }
    }
}

impl Read for Metered<'_> {
    fn read(&mut self, space: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(space)?;
        self.n_left = self.n_left.checked_sub(n as u64).ok_or_else(|| {
            io::Error::new(io::ErrorKind::FileTooLarge, "more would have to be read than is allowed")
        })?;
        Ok(n)
    }
}

impl Seek for Metered<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.source.seek(to)
    }
}
