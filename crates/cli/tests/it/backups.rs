//! Backups, moves and repairs, as an operator makes them: beside a server that people push to, and from what is left.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::flows::noise;
use crate::reenact::Home;
use crate::server::{Server, add_user};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn ask_json(arguments: &[&str]) -> Value {
    let told = Home::new().ask(&[arguments, &["--json"]].concat());
    serde_json::from_str(&told).unwrap()
}

/// Weights that have most of their chunks in common with those of other numbers.
fn weights(n: usize) -> Vec<u8> {
    let mut bytes = noise(3_000_000);
    bytes[1_000_000..1_000_008].copy_from_slice(&n.to_le_bytes());
    bytes
}

/// A server over data that came from elsewhere.
fn start_over(data: &Path) -> Server {
    fs::write(data.join("started-before"), "").unwrap();
    Server::start(data)
}

fn assert_there(home: &Home, n: usize) {
    let folder = format!("back-{n}");
    home.ask(&["pull", &format!("alice/model-{n}"), &folder, "--no-cache"]);
    assert!(fs::read(home.path().join(folder).join("weights.bin")).unwrap() == weights(n), "model {n}");
}

#[test]
fn a_backup_made_while_people_push_has_all_that_was_acknowledged_before() {
    let (data, beside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (root, new) = (beside.path().join("backups"), beside.path().join("new"));
    let server = Server::start(data.path());
    let token = add_user(data.path(), "alice");
    let acknowledged = Mutex::new(Vec::new());
    let is_over = AtomicBool::new(false);
    let backup = ["admin", "backup", text(&root), "--data", text(data.path())];
    let (before, made) = std::thread::scope(|scope| {
        scope.spawn(|| {
            let home = server.home(&token);
            for n in 0.. {
                home.write("model/weights.bin", weights(n));
                home.ask(&["push", "model", &format!("alice/model-{n}")]);
                acknowledged.lock().unwrap().push(n);
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        let pushed = |wanted: usize| {
            let deadline = Instant::now() + Duration::from_secs(60);
            while acknowledged.lock().unwrap().len() < wanted && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            acknowledged.lock().unwrap().clone()
        };
        let (mut before, mut made) = (Vec::new(), Vec::new());
        for wanted in [1, 3, 6] {
            before.push(pushed(wanted));
            made.push(ask_json(&backup));
        }
        is_over.store(true, Ordering::Relaxed);
        (before, made)
    });
    drop(server);
    let number = |told: &Value, name: &str| told[name].as_u64().unwrap();
    for (earlier, later) in made.iter().zip(&made[1..]) {
        assert!(number(later, "n_there") >= number(earlier, "n_objects"), "{earlier}\n{later}");
        let n_new = (number(later, "n_objects") - number(earlier, "n_objects")) * 700_000;
        assert!(number(later, "copied_bytes") <= n_new, "more than what is new was copied: {later}");
    }
    let first = made[0]["snapshot"].as_str().unwrap();
    for (name, before) in [(None, &before[2]), (Some(first), &before[0])] {
        let _ = fs::remove_dir_all(&new);
        let chosen: Vec<&str> = name.into_iter().flat_map(|name| ["--snapshot", name]).collect();
        let restore = [&["admin", "restore", text(&root), "--data", text(&new)], &chosen[..]].concat();
        let restored = ask_json(&restore);
        assert_eq!(restored["snapshot"], made[if name.is_some() { 0 } else { 2 }]["snapshot"]);
        Home::new().ask(&["admin", "fsck", "--data", text(&new)]);
        let again = Home::new().run(&restore);
        assert!(
            again.code == Some(1) && again.stderr.contains("is not empty\nhint: name a data folder"),
            "{again}"
        );
        let server = start_over(&new);
        let home = server.home(&token);
        before.iter().for_each(|n| assert_there(&home, *n));
    }
}

/// Where each stored file lies, with its bytes and when they were written.
fn stored(data: &Path) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![data.join("blobs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            match entry.path() {
                path if path.is_dir() => folders.push(path),
                path => {
                    let written = entry.metadata().unwrap().modified().unwrap();
                    found.insert(path.clone(), (fs::read(path).unwrap(), written));
                }
            }
        }
    }
    found
}

#[test]
fn a_flipped_byte_is_found_and_put_back_and_nothing_else_is_changed() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path());
    let alice = server.home(&add_user(data.path(), "alice"));
    for n in 0..3 {
        alice.write("model/weights.bin", weights(n));
        alice.ask(&["push", "model", &format!("alice/model-{n}")]);
    }
    Home::new().ask(&["admin", "backup", text(root.path()), "--data", text(data.path())]);
    let before = stored(data.path());
    let (path, (bytes, _)) = before.iter().max_by_key(|(_, (bytes, _))| bytes.len()).unwrap();
    let mut flipped = bytes.clone();
    flipped[bytes.len() / 2] ^= 4;
    fs::remove_file(path).unwrap();
    fs::write(path, flipped).unwrap();

    let fsck = ["admin", "fsck", "--data", text(data.path())];
    let found = Home::new().run(&fsck);
    let name = path.file_name().unwrap().to_str().unwrap();
    assert_eq!(found.code, Some(1), "{found}");
    assert!(found.stdout.contains(&format!("damaged: {name}")), "{found}");
    let is_lost = |line: &&str| {
        line.starts_with("lost: alice/model-") && line.contains("@") && line.contains(" weights.bin (")
    };
    assert!(found.stdout.lines().any(|line| is_lost(&line)), "{found}");
    // Beside a server that runs.
    let repair = [&fsck[..], &["--repair-from", text(root.path())]].concat();
    let repaired = Home::new().run(&repair);
    assert_eq!(
        (repaired.code, repaired.stdout.as_str()),
        (Some(0), &*format!("repaired: {name}\n")),
        "{repaired}"
    );
    let after = stored(data.path());
    let changed: Vec<&PathBuf> =
        before.iter().filter(|(path, was)| after.get(*path) != Some(*was)).map(|(path, _)| path).collect();
    assert_eq!((changed, after.len()), (vec![path], before.len()));
    assert!(after[path].0 == before[path].0);
    (0..3).for_each(|n| assert_there(&alice, n));
    let told = ask_json(&fsck);
    assert_eq!((&told["findings"], &told["checked"]["n_findings"]), (&Value::Array(Vec::new()), &0.into()));
}

#[test]
fn what_cannot_be_copied_says_why_and_what_to_do() {
    let (data, root) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let server = Server::start(data.path());
    add_user(data.path(), "alice");
    let folder = |name: &str| root.path().join(name).to_str().unwrap().to_owned();
    fs::create_dir(folder("other")).unwrap();
    fs::write(folder("other") + "/thesis.tex", "").unwrap();
    let data = text(data.path());
    Home::new().ask(&["admin", "backup", &folder("backups"), "--data", data]);
    let (other, backups, new) = (folder("other"), folder("backups"), folder("new"));
    for (arguments, reason, hint) in [
        (&["backup", &other, "--data", data][..], "is no folder of backups", "an empty folder or none"),
        (&["restore", &other, "--data", &new], "is no folder of backups", "reenact admin backup"),
        (&["restore", &backups, "--data", data], "is not empty", "that is new"),
        (&["restore", &backups, "--snapshot", "1", "--data", &new], "no snapshot `1`", "`snapshots`"),
        (&["migrate", "--from-data", data, "--data", &new], "another process uses", "stop its servers"),
        (
            &["fsck", "--data", data, "--repair-from", &other],
            "neither a folder of backups",
            "reenact admin backup",
        ),
    ] {
        let refused = Home::new().run(&[&["admin"], arguments].concat());
        assert_eq!(refused.code, Some(1), "{arguments:?}\n{refused}");
        assert!(
            refused.stderr.contains(reason) && refused.stderr.contains("\nhint: "),
            "{arguments:?}\n{refused}"
        );
        assert!(refused.stderr.contains(hint), "{arguments:?}\n{refused}");
    }
    drop(server);
    // Without a server it moves, and what was moved is used like any other.
    Home::new().ask(&["admin", "migrate", "--from-data", data, "--data", &new]);
    let server = start_over(Path::new(&new));
    let bob = server.home(&add_user(Path::new(&new), "bob"));
    bob.write("model/a.txt", "a");
    bob.ask(&["push", "model", "bob/first"]);
}
