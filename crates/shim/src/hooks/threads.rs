//! The function that makes threads: a thread is told its stream before its own code runs.

use core::ffi::{c_int, c_void};

use crate::cell::Locked;
use crate::layout;
use crate::log::{self, Record};
use crate::real::real;
use crate::state::{self, Mode};
use crate::stream::{self, Stream};

type Start = extern "C" fn(*mut c_void) -> *mut c_void;

/// What a thread is to begin with.
struct Beginning {
    start: Start,
    argument: usize,
    stream: &'static Stream,
}

/// Threads that were made and have not begun yet; more than this at one time begin unseen.
const MOST: usize = 256;
static BEGINNINGS: Locked<[Option<Beginning>; MOST]> = Locked::new([const { None }; MOST]);

// SAFETY: it has the type of `pthread_create(3)`, and passes on what it was given.
#[unsafe(no_mangle)]
pub extern "C" fn pthread_create(
    thread: *mut c_void,
    attributes: *const c_void,
    start: Start,
    argument: *mut c_void,
) -> c_int {
    type Create = (Start, *mut c_void);
    let (start, argument): Create = match state::mode() {
        Mode::Off => (start, argument),
        _ => announced(start, argument),
    };
    const EAGAIN: c_int = 11;
    real!(
        c"pthread_create" as fn(*mut c_void, *const c_void, Start, *mut c_void) -> c_int,
        (thread, attributes, start, argument),
        EAGAIN
    )
}

/// What to begin instead, so that the thread knows its stream.
fn announced(start: Start, argument: *mut c_void) -> (Start, *mut c_void) {
    let parent = stream::current();
    let ordinal = parent.next_thread();
    let record = Record { stream: parent.number(), sequence: ordinal, ..Record::new(layout::THREAD, 0) };
    log::append(&record);
    let beginning =
        Beginning { start, argument: argument as usize, stream: stream::of_child(parent, ordinal) };
    let place = BEGINNINGS.with(|beginnings| {
        let free = beginnings.iter().position(Option::is_none)?;
        *beginnings.get_mut(free)? = Some(beginning);
        Some(free)
    });
    match place {
        Some(place) => (begin, place as *mut c_void),
        None => (start, argument),
    }
}

extern "C" fn begin(place: *mut c_void) -> *mut c_void {
    let beginning = BEGINNINGS.with(|beginnings| beginnings.get_mut(place as usize).and_then(Option::take));
    match beginning {
        Some(Beginning { start, argument, stream }) => {
            stream::enter(stream);
            start(argument as *mut c_void)
        }
        None => core::ptr::null_mut(),
    }
}

/// Opens the lock in a child that was just forked; threads that had not begun there never will.
pub(super) fn forget() {
    BEGINNINGS.open_after_fork();
    BEGINNINGS.with(|beginnings| beginnings.iter_mut().for_each(|beginning| *beginning = None));
}
