//! The program in `examples/prisoner.rs`, as root and as nobody.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const NOBODY: u32 = 65_534;

/// A folder with what a prisoner is given and what it is after.
struct Prison {
    folder: tempfile::TempDir,
    listener: TcpListener,
    leaked: File,
}

fn prison() -> Prison {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    // Not by this process: while it had the copy open for writing, a child that another test starts at that
    // moment would inherit it, and a program that somebody may write to cannot be run.
    let copied = Command::new("cp").arg(example()).arg(folder.path().join("prisoner")).status().unwrap();
    assert!(copied.success());
    for name in ["readable", "secret"] {
        fs::write(folder.path().join(name), name).unwrap();
    }
    fs::create_dir(folder.path().join("scratch")).unwrap();
    let leaked = File::open(folder.path().join("secret")).unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    Prison { folder, listener: TcpListener::bind("127.0.0.1:0").unwrap(), leaked }
}

/// Where cargo put the example beside this test.
fn example() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let found = own.ancestors().map(|folder| folder.join("examples/prisoner")).find(|path| path.is_file());
    found.expect("`cargo test -p sandbox` builds the example `prisoner`")
}

fn command(prison: &Prison) -> Command {
    let folder = prison.folder.path();
    let mut command = Command::new(folder.join("prisoner"));
    command.args(["readable", "scratch", "secret"].map(|name| folder.join(name)));
    command.arg(prison.listener.local_addr().unwrap().port().to_string());
    command.arg(prison.leaked.as_raw_fd().to_string());
    command.stdout(Stdio::piped());
    command
}

/// Runs it and gives what it printed, after checking that it reached the end.
fn lines(command: &mut Command) -> Vec<(String, String)> {
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}: {text}{}", output.status, String::from_utf8_lossy(&output.stderr));
    text.lines()
        .map(|line| line.split_once(": ").unwrap())
        .map(|(what, got)| (what.into(), got.into()))
        .collect()
}

/// Checks every attempt, and that the report says what probing had promised.
fn check(lines: &[(String, String)], n_gaps: usize) {
    let (report, attempts) = lines.split_at(9);
    let gaps: Vec<_> = report.iter().filter(|(_, standing)| standing != "enforced").collect();
    assert_eq!(gaps.len(), n_gaps, "{report:?}");
    assert!(attempts.len() > 50, "{attempts:?}");
    let refusals = [
        "(os error 1)",
        "(os error 9)",
        "(os error 11)",
        "(os error 12)",
        "(os error 13)",
        "(os error 18)",
        "(os error 24)",
        "(os error 38)",
    ];
    // Root's threads are not bounded by the kernel, which the report has to say.
    let unbounded = |what: &str| n_gaps == 1 && what == "start more threads than it may";
    for (what, got) in attempts.iter().filter(|(what, _)| !unbounded(what)) {
        let is_refused =
            refusals.iter().any(|end| got.ends_with(end)) || got.contains("memory allocation failed");
        let is_right = if what.starts_with("may ") { got == "done" } else { is_refused };
        assert!(is_right, "{what}: {got}");
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn skip(why: &str) {
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}

fn give_to_nobody(path: &Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
}

#[test]
fn nothing_gets_out_of_the_sandbox() {
    let prison = prison();
    check(&lines(&mut command(&prison)), usize::from(is_root()));
    assert_eq!(fs::read(prison.folder.path().join("secret")).unwrap(), b"secret");
}

#[test]
fn nothing_gets_out_of_the_sandbox_as_an_ordinary_user() {
    if !is_root() {
        return skip("only root can start a process as another user; the other tests ran as one");
    }
    let prison = prison();
    // Nobody owns the files, so that only the sandbox stands between.
    for name in ["readable", "secret", "scratch"] {
        give_to_nobody(&prison.folder.path().join(name));
    }
    check(&lines(command(&prison).uid(NOBODY).gid(NOBODY)), 0);
}

#[test]
fn a_device_is_open_to_those_who_were_given_it_and_no_other_is() {
    let prison = prison();
    let got = lines(command(&prison).arg("--device"));
    assert!(got.contains(&("may use the device it was given".into(), "done".into())), "{got:?}");
    check(&got, usize::from(is_root()));
}

#[test]
fn without_the_sandbox_the_same_attempts_succeed() {
    let prison = prison();
    let got = lines(command(&prison).arg("--free"));
    let done: Vec<_> = got.iter().filter(|(_, got)| got == "done").map(|(what, _)| what.as_str()).collect();
    for what in [
        "read the secret",
        "use a device it was not given",
        "read /etc/passwd",
        "list /",
        "open /proc/self/mem",
        "follow its own link to the secret",
        "link the secret into its folder",
        "write what it may read",
        "write beside its folder",
        "use an inherited descriptor",
        "open more files than it may",
        "make an IP socket",
        "make a netlink socket",
        "connect to this machine",
        "make a Unix socket",
        "take 6 GiB of memory",
        "share 6 GiB of memory with nobody",
        "watch files",
        "let others read its memory",
        "outlive its parent",
    ] {
        assert!(done.contains(&what), "{what}: {got:?}");
    }
}

#[test]
fn a_prisoner_ends_with_the_thread_that_started_it() {
    let prison = prison();
    let start = || {
        let mut child = command(&prison).arg("--stay").spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        child
    };
    let mut child = std::thread::scope(|scope| scope.spawn(start).join()).unwrap();
    let patience = Instant::now() + Duration::from_secs(10);
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None if Instant::now() > patience => {
                child.kill().unwrap();
                panic!("it lives on");
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    assert_eq!(status.signal(), Some(9));
}

#[test]
fn a_process_with_threads_is_not_confined() {
    let policy = sandbox::Policy::for_runtime(Vec::new(), 1 << 30);
    // The test's own thread is one more than the main thread.
    assert!(matches!(sandbox::confine(&policy), Err(sandbox::Error::Threads { n_threads: 2.. })));
}

#[test]
fn probing_tells_what_confining_will() {
    let prison = prison();
    let told: Vec<_> = lines(&mut command(&prison)).into_iter().take(9).collect();
    let promised = sandbox::probe();
    let promised: Vec<_> =
        promised.layers().iter().map(|(layer, standing)| (layer.to_string(), standing.to_string())).collect();
    assert_eq!(told, promised);
    assert!(sandbox::probe().holds_foreign_code());
}
