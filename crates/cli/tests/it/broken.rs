//! Transfers over a network that breaks off, loses its head and changes bytes, and onto a disk that is full.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::flows::noise;
use crate::reenact::Home;
use crate::server::{Server, add_user};

const MIB: usize = 1024 * 1024;

/// What a wire does to one connection after the other; the later ones are left alone.
#[derive(Clone, Copy)]
enum Fault {
    /// Breaks off when so many bytes have passed, in either direction.
    Cut(usize),
    /// Answers the first request with this status, and closes.
    Refuse(u16),
    /// Changes a byte in the so-manieth full block that the server sends.
    Flip(usize),
}

/// A wire to the server, and how many connections it has taken.
struct Wire {
    url: String,
    n_faults: Arc<AtomicUsize>,
}

impl Wire {
    fn to(server: &Server, faults: &'static [Fault]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let target = server.url.trim_start_matches("http://").to_owned();
        let n_faults = Arc::new(AtomicUsize::new(0));
        let counted = n_faults.clone();
        thread::spawn(move || {
            for (number, stream) in listener.incoming().flatten().enumerate() {
                let fault = faults.get(number).copied();
                let (target, counted) = (target.clone(), counted.clone());
                thread::spawn(move || carry(stream, &target, fault, &counted));
            }
        });
        Self { url, n_faults }
    }

    fn home(&self, token: &str) -> Home {
        Home::new().with("REENACT_URL", &self.url).with("REENACT_TOKEN", token)
    }

    fn n_faults(&self) -> usize {
        self.n_faults.load(Ordering::SeqCst)
    }
}

fn carry(mut client: TcpStream, target: &str, fault: Option<Fault>, counted: &Arc<AtomicUsize>) {
    if let Some(Fault::Refuse(status)) = fault {
        counted.fetch_add(1, Ordering::SeqCst);
        let _ = client.read(&mut [0; 1024]);
        let _ = client.write_all(
            format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes(),
        );
        let _ = client.shutdown(Shutdown::Write);
        let _ = std::io::copy(&mut client, &mut std::io::sink());
        return;
    }
    let Ok(server) = TcpStream::connect(target) else { return };
    let passed = Arc::new(AtomicUsize::new(0));
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (there, counted_there) = (passed.clone(), counted.clone());
    let cut = fault.filter(|fault| matches!(fault, Fault::Cut(_)));
    thread::spawn(move || pass(from, to, cut, (&there, &counted_there)));
    pass(server, client, fault, (&passed, counted));
}

fn pass(
    mut from: TcpStream,
    mut to: TcpStream,
    fault: Option<Fault>,
    (passed, counted): (&AtomicUsize, &AtomicUsize),
) {
    let (mut block, mut n_full) = (vec![0; 16 * 1024], 0);
    while let Ok(n) = from.read(&mut block) {
        if n == 0 {
            break;
        }
        let n_passed = passed.fetch_add(n, Ordering::SeqCst) + n;
        n_full += usize::from(n == block.len());
        match fault {
            Some(Fault::Cut(limit)) if n_passed > limit => {
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = from.shutdown(Shutdown::Both);
                break;
            }
            Some(Fault::Flip(number)) if number == n_full && n == block.len() => {
                counted.fetch_add(1, Ordering::SeqCst);
                block[n / 2] ^= 1;
            }
            _ => {}
        }
        if to.write_all(&block[..n]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

#[test]
fn a_push_over_a_wire_that_breaks_comes_through() {
    const FAULTS: &[Fault] = &[
        Fault::Refuse(503),
        Fault::Cut(5 * MIB),
        Fault::Refuse(500),
        Fault::Cut(40 * MIB),
        Fault::Cut(MIB),
        Fault::Refuse(502),
        Fault::Cut(20 * MIB),
    ];
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let token = add_user(data.path(), "alice");
    let wire = Wire::to(&server, FAULTS);
    let alice = wire.home(&token);
    let bytes = noise(150 * MIB);
    alice.write("model/weights.bin", &bytes);
    alice.ask(&["push", "model", "alice/broken"]);
    assert!(wire.n_faults() >= 4, "{} faults", wire.n_faults());
    let other = server.home(&token);
    other.ask(&["pull", "alice/broken", "back"]);
    assert!(fs::read(other.path().join("back/weights.bin")).unwrap() == bytes);
}

#[test]
fn bytes_that_change_on_the_way_are_found_and_fetched_again() {
    const FAULTS: &[Fault] = &[
        Fault::Flip(30),
        Fault::Cut(3 * MIB),
        Fault::Flip(5),
        Fault::Flip(40),
        Fault::Cut(9 * MIB),
        Fault::Refuse(503),
        Fault::Flip(20),
        Fault::Flip(60),
    ];
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let token = add_user(data.path(), "alice");
    let own = server.home(&token);
    let bytes = noise(80 * MIB);
    own.write("model/weights.bin", &bytes);
    own.ask(&["push", "model", "alice/changed"]);
    let wire = Wire::to(&server, FAULTS);
    let alice = wire.home(&token);
    alice.ask(&["pull", "alice/changed", "back"]);
    assert!(wire.n_faults() >= 3, "{} faults", wire.n_faults());
    assert!(fs::read(alice.path().join("back/weights.bin")).unwrap() == bytes);
}

#[test]
fn a_disk_that_takes_no_more_is_said_and_the_next_pull_goes_on() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let alice = server.home(&add_user(data.path(), "alice"));
    let bytes = noise(40 * MIB);
    alice.write("model/weights.bin", &bytes);
    alice.ask(&["push", "model", "alice/full"]);
    // No file may become longer than 20 MiB, which fails as a full disk does.
    let limited = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" pull alice/full back", 20 * MIB / 512);
    let mut command = Command::new("sh");
    command.args(["-c", &limited, env!("CARGO_BIN_EXE_reenact")]).current_dir(alice.path()).env_clear();
    command.env("HOME", alice.path()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(alice.variables().iter().map(|(name, value)| (name, value)));
    let failed = command.output().unwrap();
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("could not write `back/weights.bin"), "{said}");
    assert!(!alice.path().join("back/weights.bin").exists());
    alice.ask(&["pull", "alice/full", "back"]);
    assert!(fs::read(alice.path().join("back/weights.bin")).unwrap() == bytes);
}

#[test]
fn two_who_push_large_files_at_once_both_have_them_in_the_end() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let token = add_user(data.path(), "alice");
    let homes = [server.home(&token), server.home(&token)];
    for (number, home) in homes.iter().enumerate() {
        home.write(&format!("model/{number}.bin"), noise(12 * MIB + number));
    }
    homes[0].write("first.txt", "first");
    homes[0].ask(&["push", "first.txt", "alice/both"]);
    let pushes = homes.each_ref().map(|home| home.command(&["push", "model", "alice/both"]).spawn().unwrap());
    for push in pushes {
        let ended = push.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{}", String::from_utf8_lossy(&ended.stderr));
    }
    homes[1].ask(&["pull", "alice/both", "back"]);
    for number in 0..2 {
        let back = fs::read(homes[1].path().join(format!("back/{number}.bin"))).unwrap();
        assert!(back == noise(12 * MIB + number), "{number}.bin");
    }
}
