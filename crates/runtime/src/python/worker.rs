//! One worker process, and one call of it at a time over its pipes.
//!
//! Knows pipes and frames, nothing of rows. It trusts nothing that it reads. Invariant: a call ends within its
//! time, whatever the worker does; a worker whose handle is gone is gone.

use std::io::{self, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::io::Errno;
use spec::frame::{self, Decoder, Frame, FrameError, Id, Method};
use spec::tensor::Datatype;

use super::memory::{self, lock};
use super::{Shared, log};
use crate::backend::Given;

/// What the interpreter runs.
const SCRIPT: &str = include_str!("worker.py");
/// Nothing of the user's own, nothing compiled on the way, and what is printed is seen at once.
const INTERPRETER: [&str; 4] = ["-s", "-B", "-u", "-c"];
/// By which libraries of numbers are told how many threads to compute with.
const THREADS: [&str; 5] = [
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
];

/// What a pipe holds.
const READ_BYTES: usize = 64 * 1024;

/// Why a worker is of no further use.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("no answer within {0:?}")]
    Slow(Duration),
    #[error("its pipe is closed")]
    Closed,
    #[error("its process {0}")]
    Status(String),
    #[error("could not start it: {0}")]
    Start(io::Error),
    #[error("could not read or write: {0}")]
    Io(#[from] io::Error),
    #[error("what it wrote is no frame: {0}")]
    Frame(#[from] FrameError),
    #[error("the request is no frame: {0}")]
    Encode(#[from] frame::EncodeError),
    #[error("it wrote what no worker writes")]
    Direction,
    #[error("{0}")]
    Load(String),
}

/// A worker that has loaded its handler.
pub(super) struct Worker {
    child: Arc<Mutex<Child>>,
    /// Kept for as long as its memory is looked at.
    _watch: mpsc::Sender<()>,
    questions: ChildStdin,
    answers: ChildStdout,
    decoder: Decoder,
    out: Vec<u8>,
    /// What one read fills; zeroed once, as that costs more than reading a small answer.
    scratch: Vec<u8>,
}

impl Worker {
    /// Starts one and waits until it has loaded the handler.
    pub(super) fn start(shared: &Shared) -> Result<Self, End> {
        let mut child = shared.keeper.spawn(command(shared)).map_err(End::Start)?;
        let missing = || End::Start(io::Error::other("a pipe is missing"));
        let (questions, answers) =
            (child.stdin.take().ok_or_else(missing)?, child.stdout.take().ok_or_else(missing)?);
        if let Some(stderr) = child.stderr.take() {
            let thread = std::thread::Builder::new().name("log".into());
            thread.spawn(move || log::relay(stderr, io::stderr())).map_err(End::Start)?;
        }
        rustix::fs::fcntl_setfl(&questions, OFlags::NONBLOCK).map_err(io::Error::from)?;
        rustix::fs::fcntl_setfl(&answers, OFlags::NONBLOCK).map_err(io::Error::from)?;
        let child = Arc::new(Mutex::new(child));
        let watch = memory::watch(&child, shared.python.memory_bytes).map_err(End::Start)?;
        let (decoder, out, scratch) = (Decoder::new(), Vec::new(), vec![0; READ_BYTES]);
        let mut worker = Self { child, _watch: watch, questions, answers, decoder, out, scratch };
        let length = u32::try_from(shared.setup.len()).unwrap_or(u32::MAX);
        worker.out.extend(length.to_le_bytes());
        worker.out.extend(shared.setup.as_bytes());
        match worker.exchange(shared.python.load_timeout) {
            Ok(Frame::Answer(_)) => Ok(worker),
            Ok(Frame::Failure(failure)) => Err(End::Load(failure.message)),
            Ok(_) => Err(End::Direction),
            Err(End::Closed) => Err(worker.end()),
            Err(end) => Err(end),
        }
    }

    /// Asks once; an answer in pieces is known by its number from then on. After an error the worker is of no further
    /// use.
    pub(super) fn ask(
        &mut self,
        (method, number): (Method, u32),
        inputs: &[Given<'_>],
        limit: Duration,
    ) -> Result<Frame, End> {
        self.out.clear();
        let mut writer = frame::Writer::ask(&mut self.out, numbered(number), None, method);
        for (index, given) in (0..).zip(inputs) {
            writer.tensor_with(index, given.datatype, &given.shape, |out| write_rows(given, out))?;
        }
        writer.finish()?;
        self.exchange(limit)
    }

    /// Asks for the next piece of an answer. After an error the worker is of no further use.
    pub(super) fn ask_more(&mut self, number: u32, limit: Duration) -> Result<Frame, End> {
        self.out.clear();
        frame::write_more(&mut self.out, numbered(number));
        self.exchange(limit)
    }

    /// Has it forget an answer, and waits for nothing.
    pub(super) fn close(&mut self, number: u32) {
        self.out.clear();
        frame::write_cancel(&mut self.out, numbered(number));
        // It reads whenever it does not compute. One that is gone has forgotten all of them.
        let _ = write_some(&mut self.questions, &self.out);
    }

    /// Whether its process has ended by itself.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(lock(&self.child).try_wait(), Ok(None))
    }

    /// Ends it, and tells how it ended if it had done so before.
    pub(super) fn end(self) -> End {
        // The pipe closes a moment before the process is gone.
        let patience = Instant::now() + Duration::from_millis(200);
        while Instant::now() < patience {
            let ended = lock(&self.child).try_wait();
            match ended {
                Ok(Some(status)) => return End::Status(told(status)),
                Ok(None) => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => return End::Io(error),
            }
        }
        End::Closed
    }

    /// Writes what is due and reads one frame.
    fn exchange(&mut self, limit: Duration) -> Result<Frame, End> {
        let until = Instant::now() + limit;
        let mut n_written = 0;
        loop {
            n_written += write_some(&mut self.questions, &self.out[n_written..])?;
            if let Some(frame) = self.decoder.next_frame()? {
                return Ok(frame);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(End::Slow(limit));
            }
            let is_written = n_written == self.out.len();
            if wait(&self.questions, &self.answers, (is_written, left))? {
                self.read_some()?;
            }
        }
    }

    fn read_some(&mut self) -> Result<(), End> {
        match self.answers.read(&mut self.scratch) {
            Ok(0) => Err(End::Closed),
            Ok(n) => {
                self.decoder.push(&self.scratch[..n]);
                Ok(())
            }
            Err(error) if is_not_now(&error) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It holds nothing that must be put away, and may be stuck.
        let mut child = lock(&self.child);
        let _ = child.kill();
        let _ = child.wait();
    }
}

fn numbered(number: u32) -> Id {
    Id { slot: number, generation: 0 }
}

fn command(shared: &Shared) -> Command {
    let mut words = shared.python.launcher.iter();
    let mut command = Command::new(words.next().cloned().unwrap_or_default());
    command.args(words).args(INTERPRETER).arg(SCRIPT);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.current_dir(&shared.python.folder).env_clear();
    // The same question shall have the same answer tomorrow: Python orders sets by a number drawn at its start.
    command.env("PYTHONHASHSEED", "0").env("LANG", "C.UTF-8").env("HOME", &shared.python.folder);
    command.env("TMPDIR", &shared.python.scratch);
    command.envs(THREADS.iter().map(|name| (name, shared.n_threads.max(1).to_string())));
    command
}

/// The rows as a frame holds them.
fn write_rows(given: &Given<'_>, out: &mut Vec<u8>) {
    for (column, rows) in &given.parts {
        if given.datatype != Datatype::Bytes {
            out.extend_from_slice(column.numbers(rows.clone()));
            continue;
        }
        for text in column.texts(rows.clone()) {
            // A text of 4 GiB would not have fitted into the frame that it came in.
            out.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_le_bytes());
            out.extend_from_slice(text);
        }
    }
}

/// Writes what goes in without waiting.
fn write_some(pipe: &mut ChildStdin, bytes: &[u8]) -> Result<usize, End> {
    if bytes.is_empty() {
        return Ok(0);
    }
    match pipe.write(bytes) {
        Ok(n) => Ok(n),
        Err(error) if is_not_now(&error) => Ok(0),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(End::Closed),
        Err(error) => Err(error.into()),
    }
}

/// Waits until there is something to read, or room to write where something is left to be written; true for the
/// former.
fn wait(
    questions: &ChildStdin,
    answers: &ChildStdout,
    (is_written, left): (bool, Duration),
) -> Result<bool, End> {
    let mut pipes = [PollFd::new(answers, PollFlags::IN), PollFd::new(questions, PollFlags::OUT)];
    let n_pipes = if is_written { 1 } else { 2 };
    let left = Timespec::try_from(left).ok();
    match poll(&mut pipes[..n_pipes], left.as_ref()) {
        Ok(_) => Ok(!pipes[0].revents().is_empty()),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(End::Io(error.into())),
    }
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}

/// How a process ended, as the end of a sentence about it.
fn told(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.signal(), status.code()) {
        (Some(9), _) => "was killed, most likely for taking more memory than there is".into(),
        (Some(6), _) => "aborted (signal 6)".into(),
        (Some(11), _) => "crashed (signal 11)".into(),
        (Some(signal), _) => format!("was ended by signal {signal}"),
        (None, Some(code)) => format!("ended with exit code {code}"),
        (None, None) => "ended".into(),
    }
}
