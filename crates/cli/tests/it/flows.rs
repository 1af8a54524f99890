//! The main job, from an empty folder to files that came back.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use crate::reenact::Home;
use crate::server::{Server, add_user};

#[test]
fn what_is_pushed_comes_back_the_same() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let alice = server.home(&add_user(data.path(), "alice"));
    alice.write("model/weights.bin", noise(3_000_000));
    alice.write("model/deep/a b.txt", "text");
    alice.write("model/empty", "");
    let page = alice.ask(&["push", "model", "alice/iris", "--public", "-m", "Train"]);
    assert_eq!(page, format!("{}/alice/iris", server.url));

    assert_eq!(alice.ask(&["pull", "alice/iris", "back"]), "back");
    for path in ["weights.bin", "deep/a b.txt", "empty"] {
        let read = |folder: &str| fs::read(alice.path().join(folder).join(path)).unwrap();
        assert!(read("model") == read("back"), "`{path}` came back different");
    }
    let nobody = Home::new().with("REENACT_URL", &server.url);
    let info = nobody.ask(&["info", "alice/iris", "--json"]);
    assert!(info.contains("\"repository\": \"alice/iris\"") && info.contains("\"private\": false"), "{info}");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn only_what_changed_is_sent() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let alice = server.home(&add_user(data.path(), "alice"));
    alice.write("model/a", "1");
    alice.write("model/b", "1");
    let pushed = alice.run(&["push", "model", "alice/iris"]);
    assert!(pushed.stderr.starts_with("made the repository; sent 2 of 2 files"), "{pushed}");
    alice.write("model/b", "2");
    let pushed = alice.run(&["push", "model", "alice/iris"]);
    assert!(pushed.stderr.starts_with("sent 1 of 2 files"), "{pushed}");
    let revision = pushed.stderr.trim_end().rsplit(' ').next().unwrap().to_owned();
    let pushed = alice.run(&["push", "model", "alice/iris", "--quiet"]);
    assert_eq!((pushed.code, pushed.stderr.as_str()), (Some(0), ""));
    let again = alice.run(&["push", "model", "alice/iris"]);
    assert!(again.stderr.starts_with("nothing changed") && again.stderr.contains(&revision), "{again}");
    alice.ask(&["pull", &format!("alice/iris@{revision}"), "back"]);
    assert_eq!(fs::read_to_string(alice.path().join("back/b")).unwrap(), "2");
}

#[test]
fn a_private_repository_is_as_if_it_were_not_there() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let alice = server.home(&add_user(data.path(), "alice"));
    let stranger = server.home(&add_user(data.path(), "mallory"));
    let nobody = Home::new().with("REENACT_URL", &server.url);
    alice.write("secret.txt", "x");
    alice.ask(&["push", "secret.txt", "alice/secret"]);
    for home in [&stranger, &nobody] {
        for command in ["pull", "info", "deploy"] {
            let (hidden, absent) =
                (home.run(&[command, "alice/secret"]), home.run(&[command, "alice/absent"]));
            assert_eq!(hidden.code, Some(1), "{command}\n{hidden}");
            assert_eq!(hidden.stderr.replace("secret", "absent"), absent.stderr, "{command}");
        }
    }
    let refused = stranger.run(&["push", alice.path().join("secret.txt").to_str().unwrap(), "alice/secret"]);
    assert_eq!(refused.code, Some(1), "{refused}");
    alice.ask(&["push", "secret.txt", "alice/secret", "--public"]);
    nobody.ask(&["pull", "alice/secret"]);
}

#[test]
fn two_who_push_at_once_both_have_their_files_in_the_end() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let token = add_user(data.path(), "alice");
    let homes: Vec<Home> = (0..4).map(|_| server.home(&token)).collect();
    thread::scope(|scope| {
        for (n, home) in homes.iter().enumerate() {
            home.write(&format!("model/of-{n}"), noise(100_000));
            scope.spawn(|| home.ask(&["push", "model", "alice/iris"]));
        }
    });
    homes[0].ask(&["pull", "alice/iris", "back"]);
    for (n, home) in homes.iter().enumerate() {
        let name = format!("of-{n}");
        assert!(
            read(&home.path().join("model").join(&name)) == read(&homes[0].path().join("back").join(&name))
        );
    }
}

#[test]
fn a_login_is_remembered_for_its_owner_alone() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let sign_in = server.sign_in.clone().unwrap();
    assert!(sign_in.starts_with(&format!("sign in as admin: {}/sign-in?link=", server.url)), "{sign_in}");
    let token = add_user(data.path(), "alice");
    let home = Home::new();
    // The port was chosen when the server started, so no setting tells it.
    let link = home.ask(&["admin", "sign-in-link", "alice", "--data", data.path().to_str().unwrap()]);
    assert!(link.starts_with(&format!("{}/sign-in?link=", server.url)), "{link}");
    let refused = home.run(&["login", &server.url, "--token", "rn_wrong"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("does not know this token"), "{refused}");
    assert!(!home.path().join(".config/reenact/credentials.toml").exists());
    let said = home.ask(&["login", &server.url, "--token", &token]);
    assert_eq!(said, format!("signed in to {} as alice", server.url));
    let kept = fs::metadata(home.path().join(".config/reenact/credentials.toml")).unwrap();
    assert_eq!(kept.permissions().mode() & 0o777, 0o600);
    home.write("a.txt", "x");
    home.ask(&["push", "a.txt", "alice/iris"]);
}

#[test]
fn a_second_start_greets_nobody_and_loses_nothing() {
    let data = tempfile::tempdir().unwrap();
    let token = {
        let server = Server::start(data.path());
        let token = add_user(data.path(), "alice");
        let alice = server.home(&token);
        alice.write("a.txt", "x");
        alice.ask(&["push", "a.txt", "alice/iris"]);
        assert_eq!(server.terminate(), Some(0));
        token
    };
    let server = Server::start(data.path());
    server.home(&token).ask(&["pull", "alice/iris"]);
    let twice = Home::new().run(&["admin", "user", "add", "alice", "--data", data.path().to_str().unwrap()]);
    assert!(twice.code == Some(1) && twice.stdout.is_empty(), "{twice}");
}

/// Bytes that no compression makes small, the same each time.
pub fn noise(n_bytes: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ n_bytes as u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes: Vec<u8> = (0..n_bytes / 8 + 1).flat_map(|_| next()).collect();
    bytes.truncate(n_bytes);
    bytes
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap()
}
