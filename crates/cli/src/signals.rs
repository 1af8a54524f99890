//! Being told to stop: by Ctrl-C, or by whoever manages this machine's processes.
//!
//! Invariant: a signal asks for an orderly end first, of this program's own work or of a command that it runs; one
//! too many ends this program at once.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use record::run::bell::{Bell, Told};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::error::Error;

/// The exit code of a process that was ended by Ctrl-C.
const INTERRUPTED: i32 = 130;

/// Rings a bell on each `SIGINT` and `SIGTERM`, as often as a command is told of them; the one after that ends this
/// program.
pub fn pass_on(bell: Arc<Bell>) -> Result<(), Error> {
    const PASSED_ON: u32 = 3;
    let mut n_left = PASSED_ON;
    on_signals(move |told| {
        if n_left == 0 {
            return ControlFlow::Break(());
        }
        n_left -= 1;
        bell.ring(told);
        ControlFlow::Continue(())
    })
}

/// Cancels `stop` on the first `SIGINT` or `SIGTERM`; the second ends this program.
pub fn stop_on_signal(stop: &CancellationToken) -> Result<(), Error> {
    let stop = stop.clone();
    on_signals(move |_| {
        if stop.is_cancelled() {
            return ControlFlow::Break(());
        }
        stop.cancel();
        ControlFlow::Continue(())
    })
}

/// Calls `hear` with each signal, until it says that this program shall end.
fn on_signals(mut hear: impl FnMut(Told) -> ControlFlow<()> + Send + 'static) -> Result<(), Error> {
    let failed = |source| Error::Signal { signal: "SIGINT", source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let (mut interrupt, mut terminate) = {
        let _entered = runtime.enter();
        let listen = |kind| signal(kind).map_err(failed);
        (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?)
    };
    thread::spawn(move || {
        runtime.block_on(async {
            loop {
                let told = tokio::select! {
                    _ = interrupt.recv() => Told::Interrupt,
                    _ = terminate.recv() => Told::Terminate,
                };
                if hear(told).is_break() {
                    break;
                }
            }
        });
        std::process::exit(INTERRUPTED);
    });
    Ok(())
}
