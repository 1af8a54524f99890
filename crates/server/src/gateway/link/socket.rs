//! The two directions of a stream to a runtime, each waited for alone.
//!
//! Knows bytes and nothing of frames. Whoever waits for both directions of a Unix stream, as tokio's own does, is
//! woken each time that the other side has read something. Here what comes in is waited for as with a pipe, and
//! what goes out waits only while the socket is full, so that on most streams nobody ever waits for room.

use std::fs::File;
use std::io::{Error, ErrorKind, Result};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::net::SendFlags;
use tokio::net::unix::pipe;

/// What comes in.
pub(super) type Incoming = pipe::Receiver;

/// What goes out.
#[derive(Debug)]
pub(super) struct Outgoing(UnixStream);

/// Connects; must be called on the reactor that will read.
pub(super) async fn connect(path: &Path) -> Result<(Incoming, Outgoing)> {
    let socket = tokio::net::UnixStream::connect(path).await?.into_std()?;
    let outgoing = Outgoing(socket.try_clone()?);
    // Unchecked, because it is not a pipe; it is read in the same way.
    Ok((pipe::Receiver::from_file_unchecked(file(socket))?, outgoing))
}

impl Outgoing {
    /// Writes what there is room for; the number of bytes may be zero.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize> {
        match rustix::net::send(&self.0, bytes, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
            Ok(n) => Ok(n),
            Err(error) => match Error::from(error) {
                error if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
                error => Err(error),
            },
        }
    }

    /// Tells the other side that nothing more comes.
    pub(super) fn end(&self) {
        // One that is gone needs not be told.
        let _ = self.0.shutdown(Shutdown::Write);
    }

    /// Waits for room.
    pub(super) async fn room(&self) -> Result<()> {
        let full = pipe::Sender::from_file_unchecked(file(self.0.try_clone()?))?;
        full.writable().await
    }
}

fn file(socket: UnixStream) -> File {
    File::from(OwnedFd::from(socket))
}
