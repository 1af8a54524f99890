//! The thread that starts processes.
//!
//! A worker ends with the thread that started it, to the kernel's mind its parent, and the threads of streams
//! come and go. Invariant: this one lives as long as the process.

use std::io;
use std::process::{Child, Command};
use std::sync::mpsc;

struct Order {
    command: Command,
    reply: mpsc::Sender<io::Result<Child>>,
}

/// Starts processes on behalf of threads that may end before them.
pub(super) struct Keeper(mpsc::Sender<Order>);

impl Keeper {
    pub(super) fn start() -> io::Result<Self> {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::Builder::new().name("keeper".into()).spawn(move || {
            for mut order in orders {
                // Whoever asked may have given up.
                let _ = order.reply.send(order.command.spawn());
            }
        })?;
        Ok(Self(sender))
    }

    pub(super) fn spawn(&self, command: Command) -> io::Result<Child> {
        let gone = || io::Error::other("the thread that starts processes has ended");
        let (reply, started) = mpsc::channel();
        self.0.send(Order { command, reply }).map_err(|_| gone())?;
        started.recv().map_err(|_| gone())?
    }
}
