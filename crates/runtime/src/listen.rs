//! The socket, and a thread for each stream that comes.
//!
//! Invariant: a socket is taken over from the dead, never from the living.

use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use spec::frame::{self, Hello};

use crate::Error;
use crate::model::Model;
use crate::statistics::Statistics;
use crate::stream;

/// Streams at one time; a gateway needs a few.
const MOST_STREAMS: usize = 64;

/// What all streams share.
pub(crate) struct Room {
    pub(crate) model: Model,
    /// The frame that every stream begins with.
    pub(crate) hello: Vec<u8>,
    pub(crate) statistics: Statistics,
    n_streams: AtomicUsize,
}

/// Listens at a path, whose folder must exist.
pub(crate) fn bind(path: &Path) -> Result<UnixListener, Error> {
    let failed = |source| Error::Listen { path: path.into(), source };
    let left_behind = std::fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    if left_behind {
        if UnixStream::connect(path).is_ok() {
            return Err(Error::Busy { path: path.into() });
        }
        std::fs::remove_file(path).map_err(failed)?;
    }
    UnixListener::bind(path).map_err(failed)
}

/// Answers streams until the process is ended.
pub(crate) fn serve(listener: &UnixListener, model: Model, hello: &Hello) -> Result<(), Error> {
    let mut bytes = Vec::new();
    frame::write_hello(&mut bytes, hello).map_err(|error| Error::Announce(std::io::Error::other(error)))?;
    let room =
        Room { model, hello: bytes, statistics: Statistics::default(), n_streams: AtomicUsize::new(0) };
    let room = Arc::new(room);
    loop {
        match listener.accept() {
            Ok((stream, _)) => start(&room, stream),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                // Out of descriptors, most likely: some come back when a stream ends.
                tracing::warn!(%error, "could not accept a stream");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

fn start(room: &Arc<Room>, stream: UnixStream) {
    if room.n_streams.fetch_add(1, Ordering::Relaxed) >= MOST_STREAMS {
        room.n_streams.fetch_sub(1, Ordering::Relaxed);
        tracing::warn!(most = MOST_STREAMS, "refused a stream: there are too many");
        return;
    }
    let shared = Arc::clone(room);
    let thread = std::thread::Builder::new().name("stream".into()).spawn(move || {
        stream::serve(&shared, &stream);
        shared.n_streams.fetch_sub(1, Ordering::Relaxed);
    });
    if let Err(error) = thread {
        room.n_streams.fetch_sub(1, Ordering::Relaxed);
        tracing::warn!(%error, "could not start a thread for a stream");
    }
}
