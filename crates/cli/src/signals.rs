//! Being told to stop: by Ctrl-C, or by whoever manages this machine's processes.
//!
//! Invariant: the first signal asks for an orderly end, the second ends at once.

use std::thread;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// The exit code of a process that was ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Cancels `stop` on the first `SIGINT` or `SIGTERM`.
pub fn stop_on_signal(stop: &CancellationToken) -> Result<(), Error> {
    let failed = |source| Error::Signal { signal: "SIGINT", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        let listen = |kind| signal(kind).map_err(failed);
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    let stop = stop.clone();
    thread::spawn(move || {
        runtime.block_on(async {
            for _ in 0..2 {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                if stop.is_cancelled() {
                    break;
                }
                stop.cancel();
            }
        });
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}
