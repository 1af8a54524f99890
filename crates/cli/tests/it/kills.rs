//! Kill -9 of the server during pushes, of the collector and of backups: what was acknowledged is there, and nothing half-made shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::flows::noise;
use crate::reenact::{Ended, Home};
use crate::server::{Server, add_user};

/// Points of time at which the server is killed, spread over the length of a push.
const KILLS: u32 = 12;
const FILES: usize = 4;
const FILE_BYTES: usize = 1_500_000;

#[test]
fn a_server_killed_at_any_moment_of_a_push_keeps_its_word() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path());
    let token = add_user(data.path(), "alice");
    let address = server.url.trim_start_matches("http://").to_owned();
    let home = server.home(&token);
    let length = time_of_a_push(&home);
    for n in 0..kills() {
        let repository = format!("alice/model-{n}");
        write_generation(&home, n);
        let push = home.command(&["push", "model", &repository]).spawn().unwrap();
        std::thread::sleep(length * n / kills());
        server.kill();
        // The client goes on trying, and so may find the server that comes back.
        server = Server::start_at(data.path(), &address);
        let ended = finish(push);
        check(&server.home(&token), &repository, n, &ended);
    }
}

#[test]
fn a_collector_killed_at_any_moment_loses_nothing_and_the_next_one_ends_its_work() {
    let data = tempfile::tempdir().unwrap();
    let mut server = Server::start(data.path());
    let token = add_user(data.path(), "alice");
    let home = server.home(&token);
    let collector = Home::new().with("REENACT_UNUSED_AFTER", "0s");
    let gc = ["admin", "gc", "--data", data.path().to_str().unwrap()];
    write_generation(&home, 1000);
    home.ask(&["push", "model", "alice/kept"]);
    let begun = Instant::now();
    collector.ask(&gc);
    let length = begun.elapsed();
    for n in 0..kills() {
        let (kept, gone) = (format!("alice/kept-{n}"), format!("gone-{n}"));
        write_generation(&home, n);
        home.ask(&["push", "model", &format!("alice/{gone}")]);
        delete(&server.url, &token, &gone);
        write_generation(&home, 2000 + n);
        // Pushed while the collector runs, and most of it is what is being collected.
        let push = home.command(&["push", "model", &kept]).spawn().unwrap();
        let mut collecting = collector.command(&gc).spawn().unwrap();
        std::thread::sleep(length * n / kills());
        collecting.kill().unwrap();
        collecting.wait().unwrap();
        let ended = finish(push);
        check(&home, &kept, 2000 + n, &ended);
    }
    check(&home, "alice/kept", 1000, &home.run(&["info", "alice/kept"]));
    server.kill();
    let fsck = ["admin", "fsck", "--data", data.path().to_str().unwrap()];
    collector.ask(&fsck);
    make_old(&data.path().join("blobs"));
    collector.ask(&gc);
    let left: serde_json::Value =
        serde_json::from_str(&collector.ask(&[&gc[..], &["--json"]].concat())).unwrap();
    assert!(left.as_object().unwrap().values().all(|n| *n == 0), "{left}");
    collector.ask(&fsck);
}

#[test]
fn a_backup_killed_at_any_moment_leaves_whole_snapshots_and_the_next_one_goes_on() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path());
    let token = add_user(data.path(), "alice");
    let home = server.home(&token);
    let backup = ["admin", "backup", root.path().to_str().unwrap(), "--data", data.path().to_str().unwrap()];
    write_generation(&home, 0);
    home.ask(&["push", "model", "alice/kept"]);
    let begun = Instant::now();
    Home::new().ask(&backup);
    let length = begun.elapsed();
    for n in 0..kills() {
        write_generation(&home, 3000 + n);
        home.ask(&["push", "model", &format!("alice/kept-{n}")]);
        let mut killed = Home::new().command(&backup).spawn().unwrap();
        std::thread::sleep(length * n / kills());
        killed.kill().unwrap();
        killed.wait().unwrap();
    }
    Home::new().ask(&backup);
    drop(server);
    let snapshots = root.path().join("snapshots");
    let mut names: Vec<_> = fs::read_dir(snapshots)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert!(names.len() >= 2, "{names:?}");
    // The first, the last that may have been cut short, and the newest.
    let picked = [&names[0], &names[names.len() - 2], &names[names.len() - 1]];
    let restored = tempfile::tempdir().unwrap();
    for name in picked.into_iter().collect::<std::collections::BTreeSet<_>>() {
        let data = restored.path().join(name);
        let data = data.to_str().unwrap();
        let from = root.path().to_str().unwrap();
        Home::new().ask(&["admin", "restore", from, "--snapshot", name, "--data", data]);
        Home::new().ask(&["admin", "fsck", "--data", data]);
    }
    let newest = restored.path().join(names.last().unwrap());
    fs::write(newest.join("started-before"), "").unwrap();
    let server = Server::start(&newest);
    let home = server.home(&token);
    let acknowledged = home.run(&["info", "alice/kept"]);
    check(&home, "alice/kept", 0, &acknowledged);
    for n in 0..kills() {
        check(&home, &format!("alice/kept-{n}"), 3000 + n, &acknowledged);
    }
}

fn delete(url: &str, token: &str, name: &str) {
    use std::io::{Read, Write};
    let host = url.trim_start_matches("http://");
    let body = format!("{{\"name\":\"{name}\",\"organization\":\"alice\"}}");
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    write!(
        stream,
        "DELETE /api/repos/delete HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// As if all of it had been stored two days ago, so that none of it can be on its way to a name.
fn make_old(folder: &Path) {
    let two_days = Duration::from_secs(2 * 24 * 3600);
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
        match entry.path().is_dir() {
            true => make_old(&entry.path()),
            false => {
                let written = entry.metadata().unwrap().modified().unwrap();
                fs::File::open(entry.path()).unwrap().set_modified(written - two_days).unwrap();
            }
        }
    }
}

/// More points of time where somebody asks for them: `REENACT_TEST_KILLS=50`.
fn kills() -> u32 {
    std::env::var("REENACT_TEST_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(KILLS)
}

fn time_of_a_push(home: &Home) -> Duration {
    write_generation(home, u32::MAX);
    let begun = Instant::now();
    home.ask(&["push", "model", "alice/first"]);
    begun.elapsed()
}

fn write_generation(home: &Home, n: u32) {
    for file in 0..FILES {
        home.write(&format!("model/{file}.bin"), content(n, file));
    }
}

fn content(n: u32, file: usize) -> Vec<u8> {
    let mut bytes = noise(FILE_BYTES + file);
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    bytes
}

fn finish(child: Child) -> Ended {
    child.wait_with_output().unwrap().into()
}

/// Acknowledged: all files are there. Not acknowledged: all of them or none.
fn check(home: &Home, repository: &str, n: u32, push: &Ended) {
    let folder = format!("back-{n}");
    let pulled = home.run(&["pull", repository, &folder]);
    let found = if pulled.code == Some(0) { files(&home.path().join(&folder)) } else { BTreeMap::new() };
    let ours: Vec<_> =
        (0..FILES).filter_map(|file| found.get(&format!("{file}.bin")).map(|bytes| (file, bytes))).collect();
    assert!(ours.is_empty() || ours.len() == FILES, "half a commit of {repository}\n{push}\n{pulled}");
    assert!(push.code != Some(0) || ours.len() == FILES, "a lost commit of {repository}\n{push}\n{pulled}");
    for (file, bytes) in ours {
        assert!(*bytes == content(n, file), "damaged {repository}/{file}.bin");
    }
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())).collect()
}
