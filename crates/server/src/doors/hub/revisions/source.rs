//! The bytes of a body, block by block as they arrive, counted.
//!
//! Invariant: never holds more than the one block that the network gave.

use axum::body::Bytes;
use futures_util::{Stream, StreamExt};

use crate::error::Error;
use crate::settings;

/// Bytes that are looked at before they are taken.
pub(super) struct Source<'a, S> {
    stream: &'a mut S,
    block: Bytes,
    n_bytes: u64,
    limit: settings::Bytes,
}

impl<'a, S, E> Source<'a, S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    /// At most `limit` bytes will come out of it.
    pub(super) fn new(stream: &'a mut S, limit: settings::Bytes) -> Self {
        Self { stream, block: Bytes::new(), n_bytes: 0, limit }
    }

    /// What is there of the next bytes, at least one; empty at the end. A body that broke off has no end:
    /// [`Error::BadRequest`].
    pub(super) async fn peek(&mut self) -> Result<&[u8], Error> {
        while self.block.is_empty() {
            self.block = match self.stream.next().await {
                None => return Ok(&[]),
                Some(Err(_)) => return Err(Error::BadRequest("the body broke off".to_owned())),
                Some(Ok(block)) => block,
            };
            self.n_bytes += self.block.len() as u64;
            if self.n_bytes > self.limit.0 {
                let limit = format!("{} in one commit", self.limit);
                return Err(Error::TooLarge { limit });
            }
        }
        Ok(&self.block)
    }

    /// Takes the first of the bytes that [`Self::peek`] showed.
    pub(super) fn take(&mut self, n: usize) {
        let _ = self.block.split_to(n.min(self.block.len()));
    }
}
