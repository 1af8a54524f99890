//! A file's content in a commit: base64 inside a JSON string, decoded as it arrives.
//!
//! Invariant: holds one block of text and one of bytes, however long the string is.

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use futures_util::Stream;
use store::blobs::Spool;

use super::source::Source;
use crate::error::{During, Error};

/// Text that is decoded at a time.
const BLOCK_BYTES: usize = 64 * 1024;

/// Decodes the rest of the string, whose opening quote was taken, and takes its closing quote.
pub(super) async fn read<S, E>(source: &mut Source<'_, S>, spool: &mut Spool) -> Result<(), Error>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    let mut decoder = Decoder::default();
    loop {
        let block = source.peek().await?;
        let block = &block[..block.len().min(BLOCK_BYTES)];
        let n_text = memchr::memchr2(b'"', b'\\', block).unwrap_or(block.len());
        decoder.text.extend_from_slice(&block[..n_text]);
        let end = block.get(n_text).copied();
        if block.is_empty() {
            return Err(Error::BadRequest("the body ends inside the content of a file".to_owned()));
        }
        source.take(n_text);
        match end {
            Some(b'"') => {
                source.take(1);
                decoder.finish()?;
                return spool.write(&decoder.bytes).await.during("take a file's bytes");
            }
            Some(b'\\') => take_escape(source, &mut decoder).await?,
            _ => {}
        }
        if decoder.text.len() >= BLOCK_BYTES {
            decoder.decode_begun()?;
            spool.write(&decoder.bytes).await.during("take a file's bytes")?;
        }
    }
}

/// `\/` is how some writers of JSON put a `/`; no other sign of base64 is ever escaped.
async fn take_escape<S, E>(source: &mut Source<'_, S>, decoder: &mut Decoder) -> Result<(), Error>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    source.take(1);
    if source.peek().await?.first() != Some(&b'/') {
        return Err(not_base64());
    }
    source.take(1);
    decoder.text.push(b'/');
    Ok(())
}

#[derive(Default)]
struct Decoder {
    /// Text that is not decoded yet.
    text: Vec<u8>,
    /// What the last decoding gave.
    bytes: Vec<u8>,
}

impl Decoder {
    /// Decodes what is surely not the end, where padding may stand.
    fn decode_begun(&mut self) -> Result<(), Error> {
        let n_text = self.text.len().saturating_sub(1) / 4 * 4;
        self.bytes.clear();
        let decoded = STANDARD_NO_PAD.decode_vec(&self.text[..n_text], &mut self.bytes);
        decoded.map_err(|_| not_base64())?;
        self.text.drain(..n_text);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.bytes.clear();
        STANDARD.decode_vec(&self.text, &mut self.bytes).map_err(|_| not_base64())
    }
}

fn not_base64() -> Error {
    Error::BadRequest("the content of a file is not base64".to_owned())
}
