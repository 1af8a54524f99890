//! Entropy logs as they are read: a header and records, until the end or the first that is not whole.
//!
//! Pure over bytes, and none of them is trusted. Invariants: reading never panics and reserves nothing that
//! a log merely claims; a log that was cut gives the records before the cut.

use super::layout;

/// Why a file is no log that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    #[error("it is no entropy log")]
    NoLog,
    #[error("it is of version {0}, and this program reads version {VERSION}", VERSION = layout::VERSION)]
    Version(u32),
    #[error("its header is not whole")]
    Header,
}

/// The log of one program in one process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log<'b> {
    /// Process path without the number of the program.
    pub process: String,
    pub has_fixed_addresses: bool,
    pub records: Vec<Record<'b>>,
    /// Whether the log ends with a zero or with its file, and not with a record that is broken.
    pub is_whole: bool,
    header: &'b [u8],
}

/// One record, as [`layout`] has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'b> {
    pub kind: u8,
    pub source: u8,
    pub outcome: u8,
    pub stream: u64,
    pub sequence: u32,
    pub module: u32,
    pub offset: u64,
    pub wanted: u32,
    pub payload: &'b [u8],
    raw: &'b [u8],
}

/// Reads a log.
pub fn read(bytes: &[u8]) -> Result<Log<'_>, LogError> {
    if !bytes.starts_with(&layout::MAGIC) {
        return Err(LogError::NoLog);
    }
    let number = |at: usize| u32_at(bytes, at).ok_or(LogError::Header);
    let version = number(8)?;
    if version != layout::VERSION {
        return Err(LogError::Version(version));
    }
    let (n_header, flags, n_path) = (number(12)? as usize, number(24)?, number(28)? as usize);
    let path =
        bytes.get(layout::HEADER_BYTES..).and_then(|rest| rest.get(..n_path)).ok_or(LogError::Header)?;
    let header = bytes.get(..n_header).ok_or(LogError::Header)?;
    if n_header != layout::padded(layout::HEADER_BYTES + n_path) {
        return Err(LogError::Header);
    }
    let mut log = Log {
        process: String::from_utf8_lossy(path).into_owned(),
        has_fixed_addresses: flags & layout::FIXED_ADDRESSES != 0,
        records: Vec::new(),
        is_whole: true,
        header,
    };
    let mut left = bytes.get(n_header..).unwrap_or_default();
    while !left.is_empty() && u32_at(left, 0) != Some(0) {
        let Some(record) = record(left) else {
            log.is_whole = false;
            break;
        };
        left = left.get(record.raw.len()..).unwrap_or_default();
        log.records.push(record);
    }
    Ok(log)
}

fn record(bytes: &[u8]) -> Option<Record<'_>> {
    let raw = bytes.get(..u32_at(bytes, 0)? as usize)?;
    let n_payload = u32_at(raw, 36)? as usize;
    let payload = raw.get(layout::RECORD_BYTES..)?.get(..n_payload)?;
    let crc = layout::crc32(0, raw.get(..layout::RECORD_BYTES + n_payload)?);
    if raw.len() != layout::record_length(n_payload) || u32_at(raw, raw.len() - 4)? != crc {
        return None;
    }
    let [kind, source, outcome, _] = *raw.get(4..8)? else { return None };
    Some(Record {
        kind,
        source,
        outcome,
        stream: u64_at(raw, 8)?,
        sequence: u32_at(raw, 16)?,
        module: u32_at(raw, 20)?,
        offset: u64_at(raw, 24)?,
        wanted: u32_at(raw, 32)?,
        payload,
        raw,
    })
}

impl<'b> Log<'b> {
    /// The draws that are recorded, in the order of the log.
    pub fn draws(&self) -> impl Iterator<Item = &Record<'b>> {
        let is_left_out = |record: &&Record<'b>| [layout::PASSED, layout::TASKED].contains(&record.outcome);
        self.records.iter().filter(move |record| record.kind == layout::DRAW && !is_left_out(record))
    }

    /// The path of a library by its number.
    pub fn module(&self, number: u32) -> String {
        let is_named = |record: &&Record<'b>| record.kind == layout::MODULE && record.module == number;
        self.records.iter().find(is_named).map_or_else(String::new, Record::text)
    }

    /// The log with those records only that `is_kept` names, as bytes.
    pub fn with(&self, is_kept: impl Fn(&Record<'b>) -> bool) -> Vec<u8> {
        let kept = self.records.iter().filter(|record| is_kept(record)).map(|record| record.raw);
        std::iter::once(self.header).chain(kept).flatten().copied().collect()
    }
}

impl Record<'_> {
    /// The payload as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.payload).into_owned()
    }
}

/// A thread as people read it: `main`, or the numbers of its making.
pub fn thread(stream: u64) -> String {
    if stream == layout::UNKNOWN_STREAM {
        return "unknown".to_owned();
    }
    let levels = [48, 32, 16, 0].map(|shift| (stream >> shift) & 0xffff);
    let levels: Vec<String> =
        levels.into_iter().filter(|level| *level > 0).map(|level| level.to_string()).collect();
    if levels.is_empty() { "main".to_owned() } else { levels.join(".") }
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_le_bytes)
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A log of one draw of three bytes from thread 1.
    fn sample() -> Vec<u8> {
        let mut bytes = layout::MAGIC.to_vec();
        for number in [layout::VERSION, 40, 7, 0, layout::FIXED_ADDRESSES, 3] {
            bytes.extend(number.to_le_bytes());
        }
        bytes.extend(b"r.0\0\0\0\0\0");
        let mut draw = (layout::record_length(3) as u32).to_le_bytes().to_vec();
        draw.extend([layout::DRAW, layout::GETRANDOM, layout::RECORDED, 0]);
        draw.extend(1_u64.to_le_bytes());
        draw.extend([5_u32, 1].map(u32::to_le_bytes).concat());
        draw.extend(0x1234_u64.to_le_bytes());
        draw.extend([4_u32, 3].map(u32::to_le_bytes).concat());
        draw.extend([1, 2, 3]);
        let crc = layout::crc32(0, &draw);
        draw.resize(layout::record_length(3) - 4, 0);
        draw.extend(crc.to_le_bytes());
        bytes.extend(draw);
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        let bytes = sample();
        let log = read(&bytes).unwrap();
        let draw = log.draws().next().unwrap();
        assert_eq!((log.process.as_str(), log.has_fixed_addresses, log.is_whole), ("r.0", true, true));
        assert_eq!((draw.stream, draw.sequence, draw.offset, draw.wanted), (1, 5, 0x1234, 4));
        assert_eq!((draw.payload, thread(draw.stream).as_str()), (&[1, 2, 3][..], "1"));
        assert_eq!(log.with(|_| true), bytes);
    }

    #[test]
    fn a_log_that_is_cut_anywhere_gives_an_error_or_its_beginning() {
        let bytes = sample();
        for n in 0..bytes.len() {
            match read(&bytes[..n]) {
                Ok(log) => assert!(log.records.is_empty() && log.is_whole == (n == 40), "{n}"),
                Err(error) => assert!(n < 40, "{n}: {error}"),
            }
        }
    }

    #[test]
    fn a_bit_that_was_changed_ends_the_log_there() {
        let mut bytes = sample();
        bytes[82] ^= 1;
        let log = read(&bytes).unwrap();
        assert!(log.records.is_empty() && !log.is_whole);
    }

    #[test]
    fn another_version_is_told_from_what_is_no_log() {
        let mut bytes = sample();
        bytes[8] = 9;
        assert_eq!(read(&bytes), Err(LogError::Version(9)));
        assert_eq!(read(b"PK\x03\x04"), Err(LogError::NoLog));
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(mut bytes: Vec<u8>, at in 0_usize..90, byte: u8) {
            let _ = read(&bytes);
            bytes = sample();
            if let Some(place) = bytes.get_mut(at) { *place = byte; }
            let _ = read(&bytes);
        }
    }
}
