//! Functions that make processes and programs: a child learns its path, and a new program keeps the shim.
//!
//! Invariant: whatever environment a program is given, it gets our variables and our library in front of the
//! user's own; between fork and exec nothing is allocated with the C library.

use core::ffi::{c_char, c_int, c_uint, c_void};

use super::threads;
use crate::layout;
use crate::log::{self, Record};
use crate::real::real;
use crate::state::{self, Mode, Owner, PLACES};
use crate::stream;
use crate::sys::{self, Mapping};
use crate::task;
use crate::text::{self, Text};

type Path = *const c_char;
type List = *const *const c_char;

// SAFETY: it has the type of `fork(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn fork() -> c_int {
    let mode = state::mode();
    let (number, ordinal) = next_child(mode, layout::FORK);
    let key = task::key_of_child();
    let child = real!(c"fork" as fn() -> c_int, (), -1);
    if child == 0 && mode != Mode::Off {
        threads::forget();
        state::become_forked(number, ordinal);
        task::become_forked(key);
    }
    child
}

/// `vfork` as `fork`: whoever keeps to the rules of the former cannot tell, and the child may have a log of its own.
// SAFETY: it has the type of `vfork(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn vfork() -> c_int {
    fork()
}

fn next_child(mode: Mode, source: u8) -> (u64, u32) {
    if mode == Mode::Off {
        return (0, 0);
    }
    let stream = stream::current();
    let ordinal = stream.next_child();
    if source == layout::FORK {
        log::append(&Record {
            stream: stream.number(),
            sequence: ordinal,
            ..Record::new(layout::SPAWN, source)
        });
    }
    (stream.number(), ordinal)
}

/// Notes which program comes next.
fn note_program(source: u8, ordinal: u32, path: &[u8]) {
    let stream = stream::current().number();
    let record =
        Record { stream, sequence: ordinal, payload: [path, &[]], ..Record::new(layout::SPAWN, source) };
    log::append(&record);
}

// SAFETY: it has the type of `execve(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn execve(path: Path, arguments: List, environment: List) -> c_int {
    with_environment(text::of(path), environment, |environment| {
        real!(c"execve" as fn(Path, List, List) -> c_int, (path, arguments, environment), -1)
    })
}

// SAFETY: it has the type of `execv(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn execv(path: Path, arguments: List) -> c_int {
    execve(path, arguments, state::environment())
}

// SAFETY: it has the type of `execvpe(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn execvpe(file: Path, arguments: List, environment: List) -> c_int {
    with_environment(text::of(file), environment, |environment| {
        real!(c"execvpe" as fn(Path, List, List) -> c_int, (file, arguments, environment), -1)
    })
}

// SAFETY: it has the type of `execvp(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn execvp(file: Path, arguments: List) -> c_int {
    execvpe(file, arguments, state::environment())
}

// SAFETY: it has the type of `fexecve(3)`.
#[unsafe(no_mangle)]
pub extern "C" fn fexecve(descriptor: c_int, arguments: List, environment: List) -> c_int {
    with_environment(b"", environment, |environment| {
        real!(c"fexecve" as fn(c_int, List, List) -> c_int, (descriptor, arguments, environment), -1)
    })
}

// SAFETY: it has the type of `execveat(2)`.
#[unsafe(no_mangle)]
pub extern "C" fn execveat(
    folder: c_int,
    path: Path,
    arguments: List,
    environment: List,
    flags: c_uint,
) -> c_int {
    with_environment(text::of(path), environment, |environment| {
        type Exec = (c_int, Path, List, List, c_uint);
        let (folder, path, arguments, environment, flags): Exec =
            (folder, path, arguments, environment, flags);
        real!(
            c"execveat" as fn(c_int, Path, List, List, c_uint) -> c_int,
            (folder, path, arguments, environment, flags),
            -1
        )
    })
}

macro_rules! spawns {
    ($($name:ident $text:literal;)*) => {$(
        // SAFETY: it has the type of `posix_spawn(3)`, and passes on what it was given.
        #[unsafe(no_mangle)]
        pub extern "C" fn $name(
            child: *mut c_int,
            path: Path,
            actions: *const c_void,
            attributes: *const c_void,
            arguments: List,
            environment: List,
        ) -> c_int {
            type Any = *const c_void;
            let spawn = |environment: List| {
                real!(
                    $text as fn(*mut c_int, Path, Any, Any, List, List) -> c_int,
                    (child, path, actions, attributes, arguments, environment),
                    -1
                )
            };
            spawned(text::of(path), environment, spawn)
        }
    )*};
}

spawns! {
    posix_spawn c"posix_spawn";
    posix_spawnp c"posix_spawnp";
}

fn spawned(path: &[u8], environment: List, spawn: impl FnOnce(List) -> c_int) -> c_int {
    let mode = state::mode();
    if mode == Mode::Off {
        return spawn(environment);
    }
    let (stream, ordinal) = next_child(mode, layout::POSIX_SPAWN);
    note_program(layout::POSIX_SPAWN, ordinal, path);
    let mut process = Text::new();
    PLACES.with(|places| process.push(places.process.bytes()));
    state::push_child(&mut process, stream, ordinal);
    rewritten(environment, (&process, &Owner::NEXT), spawn)
}

/// Becomes another program, which takes over this process's path.
fn with_environment(path: &[u8], environment: List, exec: impl FnOnce(List) -> c_int) -> c_int {
    if state::mode() == Mode::Off {
        return exec(environment);
    }
    note_program(layout::EXEC, 0, path);
    let mut process = Text::new();
    PLACES.with(|places| process.push(places.process.bytes()));
    rewritten(environment, (&process, &Owner::own()), exec)
}

/// Our variables, which every program of a run is given.
const OURS: [&[u8]; 8] = [
    state::PRELOAD,
    state::LOGS,
    state::SCRIPT,
    state::PROCESS,
    state::OWNER,
    state::LIBRARY,
    state::MODE_NAME,
    state::STRICT,
];

/// Calls `work` with the environment, and ours in it; the list is given back when `work` comes back.
fn rewritten(
    environment: List,
    (process, owner): (&Text, &Owner),
    work: impl FnOnce(List) -> c_int,
) -> c_int {
    let n_entries = text::variables(environment).count() + OURS.len() + 1;
    let n_list = n_entries * size_of::<Path>();
    let theirs = text::variable(environment, state::PRELOAD).unwrap_or_default();
    let n_bytes = n_list + 8 * text::LONGEST + theirs.len();
    let Some(memory) = sys::map(n_bytes, Mapping::Anonymous) else { return work(environment) };
    let mut list = NewList { memory, n_list, n_entries, n_taken: 0, at: n_list, n_bytes };
    let is_ours = |entry: &[u8]| {
        OURS.iter().any(|name| entry.strip_prefix(*name).is_some_and(|rest| rest.starts_with(b"=")))
    };
    text::variables(environment)
        .filter(|entry| !is_ours(text::of(*entry)))
        .for_each(|entry| list.take(entry));
    PLACES.with(|places| {
        list.write(state::LOGS, &[places.logs.bytes()]);
        list.write(state::LIBRARY, &[places.library.bytes()]);
        list.write(state::SCRIPT, &[places.script.bytes()]);
        let rest = without(theirs, places.library.bytes());
        match rest.iter().all(|part| part.is_empty()) {
            true => list.write(state::PRELOAD, &[places.library.bytes()]),
            false => list.write(state::PRELOAD, &[places.library.bytes(), b":", rest[0], rest[1]]),
        }
    });
    list.write(state::PROCESS, &[process.bytes()]);
    list.write(state::OWNER, &[if state::is_stranger() { &Owner::NOBODY } else { owner }.bytes()]);
    list.write(state::MODE_NAME, &[if state::mode() == Mode::Replay { b"replay" } else { b"record" }]);
    if state::is_strict() {
        list.write(state::STRICT, &[b"1"]);
    }
    let result = work(memory as List);
    sys::unmap(memory, n_bytes);
    result
}

/// A list of libraries without the first mention of one.
fn without<'a>(list: &'a [u8], library: &[u8]) -> [&'a [u8]; 2] {
    let at = list.windows(library.len().max(1)).position(|part| part == library);
    match at {
        Some(at) => {
            let behind = list.get(at + library.len()..).unwrap_or_default();
            let behind = behind.strip_prefix(b":").or(behind.strip_prefix(b" ")).unwrap_or(behind);
            [list.get(..at).unwrap_or_default(), behind]
        }
        None => [list, &[]],
    }
}

/// A list of variables in memory of its own: pointers first, then the texts that are new.
struct NewList {
    memory: *mut u8,
    n_list: usize,
    n_entries: usize,
    n_taken: usize,
    at: usize,
    n_bytes: usize,
}

impl NewList {
    fn take(&mut self, entry: Path) {
        // The last place stays null.
        if self.n_taken + 1 < self.n_entries {
            let list = self.memory.cast::<Path>();
            // SAFETY: the memory begins with `n_entries` pointers, and this is one of them.
            unsafe { *list.add(self.n_taken) = entry };
            self.n_taken += 1;
        }
    }

    fn write(&mut self, name: &[u8], value: &[&[u8]]) {
        let begins = self.at;
        let n = name.len() + 2 + value.iter().map(|part| part.len()).sum::<usize>();
        if begins < self.n_list || begins + n > self.n_bytes {
            return;
        }
        self.put(name);
        self.put(b"=");
        value.iter().for_each(|part| self.put(part));
        self.put(b"\0");
        // SAFETY: `begins` is within the memory, by the check above.
        self.take(unsafe { self.memory.add(begins) }.cast::<c_char>());
    }

    fn put(&mut self, bytes: &[u8]) {
        // SAFETY: `write` saw that all of it fits behind the list.
        unsafe { core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.memory.add(self.at), bytes.len()) };
        self.at += bytes.len();
    }
}
