//! Large files in chunks: what is sent and fetched, what is not, and what happens when it breaks off.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::flows::noise;
use crate::server::{Server, add_user};

const MIB: usize = 1024 * 1024;

#[test]
fn a_large_file_goes_and_comes_in_chunks_and_a_second_version_costs_what_changed() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let alice = server.home(&add_user(data.path(), "alice"));
    let mut bytes = noise(40 * MIB + 7);
    alice.write("model/weights.bin", &bytes);
    alice.write("model/small.txt", "small");
    alice.ask(&["push", "model", "alice/large"]);
    let first = stored(data.path());
    assert!(first > 40 * MIB as u64 && first < 42 * MIB as u64, "{first}");
    alice.ask(&["pull", "alice/large", "back"]);
    assert!(fs::read(alice.path().join("back/weights.bin")).unwrap() == bytes);

    // One part is replaced, another put in, the beginning among them.
    bytes[..1000].copy_from_slice(&noise(1000));
    bytes.splice(20 * MIB..20 * MIB, noise(1024));
    alice.write("model/weights.bin", &bytes);
    alice.ask(&["push", "model", "alice/large"]);
    let grown = stored(data.path()) - first;
    assert!(grown < 600_000, "{grown} bytes for two changed places");
    // The same in another repository costs nothing.
    alice.ask(&["push", "model", "alice/copy"]);
    let copied = stored(data.path()) - first - grown;
    assert!(copied < 100_000, "{copied} bytes for a copy");
    alice.ask(&["pull", "alice/copy", "back"]);
    assert!(fs::read(alice.path().join("back/weights.bin")).unwrap() == bytes);
    let again = alice.run(&["push", "model", "alice/large"]);
    assert!(again.stderr.starts_with("nothing changed in 2 files"), "{again}");
}

#[test]
fn a_push_that_was_killed_goes_on_and_sends_little_again() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let alice = server.home(&add_user(data.path(), "alice"));
    let bytes = noise(200 * MIB);
    alice.write("model/weights.bin", &bytes);
    for n in 1..4 {
        let mut push = alice.command(&["push", "model", "alice/killed"]).spawn().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while stored(data.path()) < n * 33 * MIB as u64 && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        push.kill().unwrap();
        push.wait().unwrap();
    }
    alice.ask(&["push", "model", "alice/killed"]);
    let all = stored(data.path());
    assert!(all < 202 * MIB as u64, "{all} bytes are kept: the pieces of a second push are others");
    alice.ask(&["pull", "alice/killed", "back"]);
    assert!(fs::read(alice.path().join("back/weights.bin")).unwrap() == bytes);
}

#[test]
fn a_pull_that_was_killed_or_whose_part_was_damaged_fetches_only_what_is_missing() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let alice = server.home(&add_user(data.path(), "alice"));
    let bytes = noise(60 * MIB);
    alice.write("model/weights.bin", &bytes);
    alice.ask(&["push", "model", "alice/resumed"]);
    alice.ask(&["pull", "alice/resumed", "back"]);
    // As a kill leaves it: a part with a hole and a damaged byte.
    let back = alice.path().join("back");
    let whole = fs::read(back.join("weights.bin")).unwrap();
    assert!(whole == bytes);
    fs::remove_file(back.join("weights.bin")).unwrap();
    let mut part = whole[..50 * MIB].to_vec();
    part[10 * MIB..11 * MIB].fill(0);
    part[30 * MIB] ^= 1;
    let sha256 = spec::digest::Sha256::of(&bytes).to_string();
    fs::write(back.join(format!("weights.bin.{}.part", &sha256[..12])), part).unwrap();
    let pulled = alice.run(&["pull", "alice/resumed", "back", "--json", "--no-cache"]);
    assert_eq!(pulled.code, Some(0), "{pulled}");
    assert!(fs::read(back.join("weights.bin")).unwrap() == bytes);
    let told: serde_json::Value = serde_json::from_str(&pulled.stdout).unwrap();
    let fetched = told["fetched_bytes"].as_u64().unwrap();
    assert!(fetched < 12 * MIB as u64, "{fetched} bytes for a hole of one and an end of ten");
    let left = fs::read_dir(&back).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.ends_with(".part")).count(), 0);
}

/// With the one that a new repository has from the beginning.
const N_FILES: u32 = 701;

#[test]
fn many_small_files_come_in_few_requests_and_offline_from_the_cache() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let alice = server.home(&add_user(data.path(), "alice"));
    let deep = "a/".repeat(60);
    for n in 0..700_u32 {
        alice.write(
            &format!("model/{}{n}.txt", if n.is_multiple_of(7) { &deep } else { "" }),
            format!("file {n}"),
        );
    }
    alice.ask(&["push", "model", "alice/many"]);
    alice.ask(&["pull", "alice/many", "back"]);
    let read = |folder: &str, n: u32| {
        let path = format!("{folder}/{}{n}.txt", if n.is_multiple_of(7) { &deep } else { "" });
        fs::read_to_string(alice.path().join(path)).unwrap()
    };
    assert!((0..700).all(|n| read("back", n) == format!("file {n}")));
    // A pulled file that is changed in its place harms nobody: the cache notices, and another pull is whole.
    fs::write(alice.path().join("back/1.txt"), "changed").unwrap();
    let pulled = alice.run(&["pull", "alice/many", "again", "--json"]);
    assert_eq!(pulled.code, Some(0), "{pulled}");
    let told: serde_json::Value = serde_json::from_str(&pulled.stdout).unwrap();
    assert_eq!(
        (&told["fetched_files"], &told["cached_files"]),
        (&1.into(), &(N_FILES - 1).into()),
        "{pulled}"
    );
    assert_eq!(read("again", 1), "file 1");

    drop(server);
    alice.ask(&["pull", "alice/many", "offline", "--offline"]);
    assert!((0..700).all(|n| read("offline", n) == format!("file {n}")));
    let unknown = alice.run(&["pull", "alice/other", "--offline"]);
    assert!(unknown.stderr.contains("was not pulled from"), "{unknown}");
    let listed: serde_json::Value = serde_json::from_str(&alice.ask(&["cache", "list", "--json"])).unwrap();
    assert_eq!((&listed[0]["repo_id"], &listed[0]["kept_files"]), (&"alice/many".into(), &N_FILES.into()));
    fs::write(alice.path().join("again/2.txt"), "changed too").unwrap();
    assert_eq!(alice.run(&["cache", "verify"]).code, Some(0), "what is handed out is a copy");
    assert!(alice.ask(&["cache", "prune", "--to", "0 KiB"]).starts_with(&format!("removed {N_FILES} files")));
    assert_eq!(alice.run(&["pull", "alice/many", "gone", "--offline"]).code, Some(1));
}

/// Bytes that the server keeps of files.
fn stored(data: &Path) -> u64 {
    size(&data.join("blobs"))
}

fn size(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    let of = |entry: fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}
