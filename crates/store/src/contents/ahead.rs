//! Reads a little ahead of whoever takes the bytes, so that the storage, the checking of chunks and the network work at the
//! same time.
//!
//! Invariants: memory is bounded by a few blocks; what nobody takes any more is not read.

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

use crate::Error;

/// Blocks that wait to be taken, of some 2 MiB each.
const BLOCKS: usize = 2;

pub(super) fn ahead(
    mut stream: BoxStream<'static, Result<Bytes, Error>>,
) -> BoxStream<'static, Result<Bytes, Error>> {
    let (sender, receiver) = mpsc::channel(BLOCKS);
    tokio::spawn(async move {
        while let Some(block) = stream.next().await {
            let is_last = block.is_err();
            if sender.send(block).await.is_err() || is_last {
                return;
            }
        }
    });
    let next =
        |mut receiver: mpsc::Receiver<_>| async move { receiver.recv().await.map(|block| (block, receiver)) };
    futures_util::stream::unfold(receiver, next).boxed()
}
