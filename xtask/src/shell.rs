//! Runs a command, shows what it says as it says it, and keeps a copy to count in.
//!
//! It never goes through a shell, so no value needs quoting. Invariant: the copy holds whole lines, in the
//! order in which each of the two streams gave them.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, bail};

use crate::printer;

/// What became of a command.
pub struct Ran {
    pub succeeded: bool,
    /// Both streams, line by line.
    pub output: String,
}

/// Shows the command, runs it to its end and shows what it says.
pub fn run(command: &mut Command) -> anyhow::Result<Ran> {
    printer::line(format!("$ {}", written(command)));
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("could not start `{}`", command.get_program().display()))?;
    let copy = Arc::new(Mutex::new(String::new()));
    let readers = [
        child.stdout.take().map(|stream| follow(stream, Arc::clone(&copy))),
        child.stderr.take().map(|stream| follow(stream, Arc::clone(&copy))),
    ];
    let status = child.wait().context("could not wait for a command")?;
    for reader in readers.into_iter().flatten() {
        // A reader cannot fail but by a panic, which has been printed by then.
        let _panicked = reader.join();
    }
    let output = std::mem::take(&mut *copy.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(Ran { succeeded: status.success(), output })
}

/// As [`run`], with an error unless the command succeeds.
pub fn must(command: &mut Command) -> anyhow::Result<String> {
    let ran = run(command)?;
    if !ran.succeeded {
        bail!("`{}` failed", written(command));
    }
    Ok(ran.output)
}

/// What a command prints on standard output; shows nothing, and none if it fails or is not there.
pub fn ask(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn written(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn follow(stream: impl Read + Send + 'static, copy: Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            printer::line(&line);
            let mut copy = copy.lock().unwrap_or_else(PoisonError::into_inner);
            copy.push_str(&line);
            copy.push('\n');
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_streams_are_kept_and_a_failure_is_seen() {
        let ran = run(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"])).unwrap();
        assert!(!ran.succeeded);
        assert!(ran.output.contains("out\n") && ran.output.contains("err\n"), "{}", ran.output);
    }

    #[test]
    fn a_command_that_is_not_there_is_named() {
        let error = run(&mut Command::new("no-such-command")).err().map(|error| format!("{error:#}"));
        assert!(error.unwrap_or_default().contains("`no-such-command`"));
        assert_eq!(ask(&mut Command::new("no-such-command")), None);
    }
}
