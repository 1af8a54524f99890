//! `uv`, which makes environments: where it is, and running it and its like.
//!
//! Knows no lock and no package. Invariant: what an active environment of the user's names draws nothing to itself.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::error::Error;
use crate::printer::Printer;

/// The `uv` we fetch where there is none.
const UV: &str = "0.13.8";
/// The oldest Python that can fetch it.
const OLDEST_PYTHON: (u32, u32) = (3, 11);
/// Lines of a program's output that are shown when it fails.
const LAST_WORDS: usize = 8;

/// The `uv` on the `PATH`, or one of our own, fetched where there is none.
pub(super) fn find(cache: &Path, printer: &Printer) -> Result<PathBuf, Error> {
    if asks_well(Command::new("uv").arg("--version")).is_some() {
        return Ok(PathBuf::from("uv"));
    }
    let tools = cache.join("tools").join(format!("uv-{UV}"));
    let uv = tools.join("bin/uv");
    if asks_well(Command::new(&uv).arg("--version")).is_some() {
        return Ok(uv);
    }
    check_python()?;
    printer.note(format_args!("  fetching uv {UV}"));
    // A folder that was left half-made is made anew; the lock on the environment is held meanwhile.
    let mut venv = Command::new("python3");
    run(venv.args(["-m", "venv", "--clear"]).arg(&tools), "make a folder for uv")?;
    let mut install = Command::new(tools.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", &format!("uv=={UV}")]);
    run(&mut install, "fetch uv")?;
    Ok(uv)
}

fn check_python() -> Result<(), Error> {
    let version = "import sys; print('.'.join(map(str, sys.version_info[:3])))";
    let found = asks_well(Command::new("python3").args(["-c", version])).ok_or(Error::NoPython)?;
    let mut parts = found.split('.').map_while(|part| part.parse().ok());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST_PYTHON => Ok(()),
        _ => Err(Error::OldPython(found)),
    }
}

/// What a program answers on its standard output.
pub(super) fn answer(command: &mut Command, operation: &'static str) -> Result<String, Error> {
    let output = run(command, operation)?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What a program answers, where it is there and does not fail.
fn asks_well(command: &mut Command) -> Option<String> {
    let output = command.stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a program to its end; why it failed is in its last words.
pub(super) fn run(command: &mut Command, operation: &'static str) -> Result<Output, Error> {
    // An active environment of the user's must not draw the installation to itself.
    let command = command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH").stdin(Stdio::null());
    let output = command.output().map_err(|source| program_missing(command, source))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(Error::ProgramFailed { operation, last_words: last_words(&output) }),
    }
}

fn program_missing(command: &Command, source: io::Error) -> Error {
    Error::Program { program: command.get_program().to_string_lossy().into_owned(), source }
}

fn last_words(output: &Output) -> String {
    let said = if output.stderr.is_empty() { &output.stdout } else { &output.stderr };
    let said = String::from_utf8_lossy(said);
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    match lines.len() {
        0 => output.status.to_string(),
        n => lines[n.saturating_sub(LAST_WORDS)..].join("\n"),
    }
}

/// Runs a program and notes each line that it writes about its work, as it comes.
///
/// `held` is the lock on what it works on, which it is given as its input: a program that outlives a killed parent
/// goes on holding it, and whoever comes next waits until it has ended too.
pub(super) fn watch(
    command: &mut Command,
    operation: &'static str,
    (held, printer): (&File, &Printer),
) -> Result<(), Error> {
    let input = held.try_clone().map_err(|source| program_missing(command, source))?;
    let command = command.env_remove("VIRTUAL_ENV").env_remove("PYTHONPATH").stdin(Stdio::from(input));
    let command = command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|source| program_missing(command, source))?;
    let mut lines = Vec::new();
    if let Some(stderr) = child.stderr.take() {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            printer.note(format_args!("  {line}"));
            lines.push(line);
        }
    }
    let status = child.wait().map_err(|source| program_missing(command, source))?;
    match status.success() {
        true => Ok(()),
        false => Err(Error::ProgramFailed { operation, last_words: conclusion(&lines, &status.to_string()) }),
    }
}

/// What `uv` concludes, in one line: it draws its reasons as a tree, and wraps them.
fn conclusion(lines: &[String], status: &str) -> String {
    let branch = |line: &String| ["╰─▶", "├─▶", "cause:"].iter().any(|mark| line.contains(mark));
    let last =
        lines.iter().rposition(branch).or_else(|| lines.iter().rposition(|line| line.contains("error:")));
    let said = match last {
        Some(start) => &lines[start..],
        None => &lines[lines.len().saturating_sub(LAST_WORDS)..],
    };
    let told =
        said.iter().take_while(|line| !line.trim().is_empty() && !line.trim_start().starts_with("hint:"));
    let words = told.flat_map(|line| line.split_whitespace());
    let words: Vec<_> =
        words.filter(|word| !["╰─▶", "├─▶", "×", "│", "error:", "cause:"].contains(word)).collect();
    if words.is_empty() { status.to_owned() } else { words.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conclusion_is_one_line() {
        let lines = [
            "  × No solution found when resolving dependencies:",
            "  ╰─▶ Because nosuch was not found in the package registry and you require",
            "      nosuch, we can conclude that your requirements are unsatisfiable.",
            "",
            "      hint: something else",
        ];
        let lines = lines.map(str::to_owned);
        assert_eq!(
            conclusion(&lines, "exit status: 1"),
            "Because nosuch was not found in the package registry and you require nosuch, we can conclude that \
             your requirements are unsatisfiable."
        );
        let newer = ["error: No solution found", "  cause: Because a has no usable wheels", "", "hint: more"];
        let newer = newer.map(str::to_owned);
        assert_eq!(conclusion(&newer, ""), "Because a has no usable wheels");
        assert_eq!(conclusion(&["error: No such file".to_owned()], ""), "No such file");
        assert_eq!(conclusion(&[], "exit status: 2"), "exit status: 2");
    }
}
