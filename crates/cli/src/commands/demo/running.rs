//! The demo's server, in a thread of this process.

use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use server::error::Error as ServerError;
use server::serve::{self, Ready};
use tokio_util::sync::CancellationToken;

use crate::commands::demo::place::Place;
use crate::commands::serve::launcher;
use crate::error::Error;

/// A server that answers.
pub(super) struct Running {
    pub(super) ready: Ready,
    thread: JoinHandle<Result<(), ServerError>>,
}

impl Running {
    /// Starts the server and waits until it answers.
    pub(super) fn start(place: &Place, stop: &CancellationToken) -> anyhow::Result<Self> {
        let (tell, told) = mpsc::channel();
        let (settings, launcher, stop) = (place.settings.clone(), launcher()?, stop.clone());
        let thread = thread::spawn(move || {
            // Whoever waits may have given up, and then nobody is to be told.
            serve::serve(settings, launcher, &stop, |ready| drop(tell.send(ready.clone())))
        });
        match told.recv() {
            Ok(ready) => Ok(Self { ready, thread }),
            Err(_) => {
                end(thread)?;
                Err(Error::DemoServer.into())
            }
        }
    }

    /// Waits for the end of a server that was told to stop.
    pub(super) fn join(self) -> anyhow::Result<()> {
        end(self.thread)
    }
}

fn end(thread: JoinHandle<Result<(), ServerError>>) -> anyhow::Result<()> {
    match thread.join() {
        Ok(ended) => Ok(ended?),
        Err(_) => Err(Error::DemoServer.into()),
    }
}
