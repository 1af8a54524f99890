//! A reader that trusts no length: it counts, skips, and never reserves what a file merely claims.
//!
//! Knows no format. Invariant: `at` is the number of bytes that were consumed, and nothing beyond `end` is.

use std::io::{self, Read, Seek, SeekFrom};

use crate::error::Error;

/// What a model file is read from.
pub(crate) trait Source: Read + Seek {}

impl<T: Read + Seek + ?Sized> Source for T {}

/// Reads forward, from a file or from what unpacks one.
pub(crate) struct Reader<'a> {
    inner: Inner<'a>,
    buffer: Box<[u8]>,
    position: usize,
    filled: usize,
    at: u64,
    end: u64,
}

enum Inner<'a> {
    /// Its length is `end`, so that a length beyond it is refused at once.
    File(&'a mut dyn Source),
    /// Ends where it ends; `end` is what it may grow to.
    Stream(Box<dyn Read + 'a>),
}

const BUFFER_BYTES: usize = 64 * 1024;

impl<'a> Reader<'a> {
    /// Reads a file from its beginning.
    pub(crate) fn file(source: &'a mut dyn Source) -> Result<Self, Error> {
        let end = length(source)?;
        Ok(Self::new(Inner::File(source), end))
    }

    /// Reads what is unpacked on the way, at most `limit` bytes of it.
    pub(crate) fn stream(source: Box<dyn Read + 'a>, limit: u64) -> Self {
        Self::new(Inner::Stream(source), limit)
    }

    fn new(inner: Inner<'a>, end: u64) -> Self {
        Self { inner, buffer: vec![0; BUFFER_BYTES].into(), position: 0, filled: 0, at: 0, end }
    }

    /// Bytes consumed so far.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// The length of a file, or what a stream may grow to.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// The next byte without consuming it, or none at the end.
    pub(crate) fn peek(&mut self) -> Result<Option<u8>, Error> {
        if self.position == self.filled && !self.refill()? {
            return Ok(None);
        }
        Ok(self.buffer.get(self.position).copied())
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Error> {
        let byte = self.peek()?.ok_or(Error::Truncated { at: self.at })?;
        self.position += 1;
        self.at += 1;
        Ok(byte)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let mut bytes = [0; N];
        for byte in &mut bytes {
            *byte = self.byte()?;
        }
        Ok(bytes)
    }

    /// The first `kept` of the next `n` bytes; the others are skipped.
    pub(crate) fn take(&mut self, n: u64, kept: usize) -> Result<Vec<u8>, Error> {
        self.check(n)?;
        let n_kept = usize::try_from(n).unwrap_or(usize::MAX).min(kept);
        let mut bytes = Vec::new();
        while bytes.len() < n_kept {
            if self.peek()?.is_none() {
                return Err(Error::Truncated { at: self.at });
            }
            let n_now = (self.filled - self.position).min(n_kept - bytes.len());
            bytes.extend_from_slice(&self.buffer[self.position..self.position + n_now]);
            self.position += n_now;
            self.at += n_now as u64;
        }
        self.skip(n - n_kept as u64)?;
        Ok(bytes)
    }

    /// The bytes up to the next line feed, which is consumed; at most `kept` of them.
    pub(crate) fn line(&mut self, kept: usize) -> Result<Vec<u8>, Error> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => return Ok(line),
                byte if line.len() < kept => line.push(byte),
                _ => {}
            }
        }
    }

    pub(crate) fn skip(&mut self, n: u64) -> Result<(), Error> {
        self.check(n)?;
        let mut left = n;
        while left > 0 {
            let buffered = (self.filled - self.position) as u64;
            let n_now = buffered.min(left);
            self.position += n_now as usize;
            self.at += n_now;
            left -= n_now;
            if left == 0 {
                break;
            }
            if let Inner::File(source) = &mut self.inner {
                let target = self.at + left;
                source.seek(SeekFrom::Start(target)).map_err(|source| Error::Read { at: self.at, source })?;
                self.at = target;
                break;
            }
            if !self.refill()? {
                return Err(Error::Truncated { at: self.at });
            }
        }
        Ok(())
    }

    /// Whether `n` more bytes can be there at all.
    fn check(&self, n: u64) -> Result<(), Error> {
        match (n <= self.end.saturating_sub(self.at), &self.inner) {
            (true, _) => Ok(()),
            (false, Inner::File(_)) => Err(Error::Truncated { at: self.at }),
            (false, Inner::Stream(_)) => Err(Error::Expansion { limit: self.end }),
        }
    }

    /// Fills the empty buffer; false at the end.
    fn refill(&mut self) -> Result<bool, Error> {
        let left = self.end.saturating_sub(self.at);
        if left == 0 {
            return match self.inner {
                Inner::File(_) => Ok(false),
                Inner::Stream(_) => Err(Error::Expansion { limit: self.end }),
            };
        }
        let n = usize::try_from(left).unwrap_or(usize::MAX).min(BUFFER_BYTES);
        let (at, space) = (self.at, &mut self.buffer[..n]);
        let read = match &mut self.inner {
            Inner::File(source) => read_some(source, space).map_err(|source| Error::Read { at, source }),
            Inner::Stream(stream) => read_some(stream, space).map_err(|source| Error::Unpack { at, source }),
        };
        (self.position, self.filled) = (0, read?);
        Ok(self.filled > 0)
    }
}

/// The length of a source, which is left at its beginning.
pub(crate) fn length(source: &mut dyn Source) -> Result<u64, Error> {
    let measured = source.seek(SeekFrom::End(0)).and_then(|n| source.rewind().map(|()| n));
    measured.map_err(|source| Error::Read { at: 0, source })
}

/// The first bytes of a source, at most `n`, which is left at its beginning.
pub(crate) fn head(source: &mut dyn Source, n: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut limited = source.take(n as u64);
    let read = limited.read_to_end(&mut bytes).and_then(|_| source.rewind());
    read.map(|()| bytes).map_err(|source| Error::Read { at: 0, source })
}

fn read_some(source: &mut (impl Read + ?Sized), space: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(space) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
