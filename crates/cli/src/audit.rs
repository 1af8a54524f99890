//! The audit of a recording: the kernel tells of each draw of entropy that comes past the shim, and it is counted.
//!
//! The launcher makes the listener, before it becomes the command, and hands it over a socket; so no program of the run
//! holds it. It knows no logs. Invariant: no draw is kept waiting for longer than it takes to look up who asks, and no
//! command fails because nobody counts.

use std::collections::BTreeMap;
use std::fs;
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use ::record::run::Counting;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use sandbox::{Draw, Draws};
use spec::capsule::layout::OWN_DRAW;

use crate::error::Error;

/// Begins to count for a launcher that will come to this socket.
pub fn begin(socket: &Path) -> Option<Counting> {
    let listener = UnixListener::bind(socket).ok()?;
    let (stop, stopped) = UnixStream::pair().ok()?;
    let counting = thread::spawn(move || {
        let draws = receive(&listener, &stopped)?;
        Some(count(&draws, &stopped))
    });
    Some(Box::new(move || {
        drop(stop);
        counting.join().ok().flatten()
    }))
}

/// Makes a listener for what this process becomes, and gives it to whoever waits at the socket. Where the kernel makes
/// none, nothing is counted.
pub fn offer(socket: &Path) -> Result<(), Error> {
    let failed = |source: std::io::Error| Error::File { operation: "reach", path: socket.to_owned(), source };
    let stream = UnixStream::connect(socket).map_err(failed)?;
    let Ok(listener) = sandbox::tell_draws(OWN_DRAW) else { return Ok(()) };
    let descriptors = [listener.as_fd()];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = SendAncillaryBuffer::new(&mut space);
    if !message.push(SendAncillaryMessage::ScmRights(&descriptors)) {
        return Ok(());
    }
    let sent = sendmsg(&stream, &[IoSlice::new(&[1])], &mut message, SendFlags::empty());
    sent.map(|_| ()).map_err(|error| failed(error.into()))
}

/// Waits until there is something to read; whether there is, before all is over.
fn is_there(from: impl AsFd, stopped: &UnixStream) -> bool {
    loop {
        let mut both = [PollFd::new(&from, PollFlags::IN), PollFd::new(stopped, PollFlags::IN)];
        match poll(&mut both, None) {
            Ok(_) if both[0].revents().contains(PollFlags::IN) => return true,
            Ok(_) if both.iter().any(|one| !one.revents().is_empty()) => return false,
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return false,
        }
    }
}

fn receive(listener: &UnixListener, stopped: &UnixStream) -> Option<Draws> {
    if !is_there(listener, stopped) {
        return None;
    }
    let (stream, _) = listener.accept().ok()?;
    // A launcher that got no listener from the kernel ends the stream.
    if !is_there(&stream, stopped) {
        return None;
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut message = RecvAncillaryBuffer::new(&mut space);
    let mut byte = [0];
    recvmsg(&stream, &mut [IoSliceMut::new(&mut byte)], &mut message, RecvFlags::CMSG_CLOEXEC).ok()?;
    let descriptors = message.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    descriptors.map(Draws::new)
}

/// Lets every draw go on, until all is over, and counts those from past the shim.
fn count(draws: &Draws, stopped: &UnixStream) -> BTreeMap<String, u64> {
    let mut places: BTreeMap<(u32, u64), Option<String>> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    while is_there(draws, stopped) {
        match draws.next() {
            Ok(Some((draw, _goes_on_when_dropped))) if !is_of_allocator(&draw) => {
                let place = places.entry((draw.pid, draw.from)).or_insert_with(|| strange_place(&draw));
                if let Some(place) = place {
                    *counts.entry(place.clone()).or_insert(0) += 1;
                }
            }
            Ok(_) => {}
            Err(_) => break,
        }
    }
    counts
}

/// The GNU C library draws a number for its allocator, which reaches no result.
fn is_of_allocator(draw: &Draw) -> bool {
    /// `GRND_NONBLOCK`
    const WITHOUT_WAITING: u64 = 1;
    draw.n_bytes == 8 && draw.flags == WITHOUT_WAITING
}

/// The program or library that asks the kernel by itself; none where it is the C library, in front of which the shim
/// stands.
fn strange_place(draw: &Draw) -> Option<String> {
    let maps = fs::read_to_string(format!("/proc/{}/maps", draw.pid)).unwrap_or_default();
    let path = maps.lines().find_map(|line| {
        let (range, rest) = line.split_once(' ')?;
        let (from, to) = range.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        (number(from)?..number(to)?).contains(&draw.from).then(|| rest.splitn(5, ' ').nth(4))?
    });
    let path = path.map(str::trim).filter(|path| !path.is_empty()).unwrap_or("code without a file");
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_known =
        ["libc.so", "libc-", "ld-linux", "ld-musl", "[vdso]"].iter().any(|it| name.starts_with(it));
    (!is_known).then(|| path.to_owned())
}
