//! A training that one person recorded and another runs again from the server, confined, and attests.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::recording::{environment, with_uv};
use crate::reenact::Home;
use crate::reproducing::python;
use crate::server::{Server, add_user};

/// Unseeded: weights, predictions and a loss come out otherwise each time.
const TRAIN: &str = "import os, random
rows = open('data.txt').read().split()
open('weights.bin', 'wb').write(os.urandom(64) + bytes(random.getrandbits(8) for _ in rows))
open('pred.txt', 'w').write('\\n'.join(str(random.random()) for _ in rows))
for _ in range(3):
    print(f'loss={random.random()}')
";

/// A home with a training that was recorded as `first` and pushed.
fn pushed(server: &Server, token: &str) -> Home {
    let alice = server.home(token);
    alice.write("train.py", TRAIN);
    alice.write("data.txt", "1 2 3\n");
    alice.ask(&["record", "-o", "first", "--", &python(), "train.py"]);
    let said = alice.run(&["push", "first", "alice/iris", "--public"]);
    assert!(said.code == Some(0) && said.stderr.contains("can read all of the capsule"), "{said}");
    alice
}

fn id(home: &Home, capsule: &str) -> String {
    let text = fs::read(home.path().join(capsule).join("capsule.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_one_person_recorded_another_runs_again_and_attests() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let alice = pushed(&server, &add_user(data.path(), "alice"));
    let again = alice.run(&["push", "first", "alice/iris"]);
    assert!(again.stderr.contains("nothing changed"), "a capsule packs to the same bytes\n{again}");
    let listed = alice.ask(&["pull", "alice/iris", "all"]);
    let archive = alice.path().join(listed).join("capsules").join(id(&alice, "first")).join("capsule.zip");
    assert!(archive.is_file());

    let bob = server.home(&add_user(data.path(), "bob"));
    let replayed = bob.run(&["replay", "alice/iris", "-o", "again", "--env", "current"]);
    assert!(replayed.code == Some(0) && replayed.stdout.contains("verdict: bitwise"), "{replayed}");
    let weights =
        |home: &Home, run: &str| fs::read(home.path().join(run).join("outputs/weights.bin")).unwrap();
    assert_eq!(weights(&alice, "first"), weights(&bob, "again"));

    let unsent = bob.ask(&["attest", "alice/iris", "again"]);
    assert!(unsent.contains("\"payloadType\":\"application/vnd.in-toto+json\""), "{unsent}");
    let sent = bob.run(&["attest", "alice/iris", "again", "--push"]);
    assert!(sent.code == Some(0) && sent.stderr.contains("C1 weights      equal"), "{sent}");
    assert_eq!(sent.stdout.trim_end(), format!("{}/alice/iris/training", server.url));
    let key = bob.path().join(".config/reenact/signing-key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);

    let twice = bob.run(&["attest", "alice/iris", "again", "--push"]);
    assert!(twice.code == Some(1) && twice.stderr.contains("already-attested"), "{twice}");
    // The owner's own capsule knows where it was pushed to.
    alice.ask(&["replay", "first", "-o", "own"]);
    alice.ask(&["attest", "first", "own", "--push"]);
}

#[test]
fn what_does_not_fit_is_not_attested() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let alice = pushed(&server, &add_user(data.path(), "alice"));
    alice.ask(&["record", "-o", "second", "--", &python(), "train.py"]);
    alice.ask(&["replay", "second", "-o", "of-second"]);
    let other = alice.run(&["attest", "first", "of-second", "--push"]);
    assert!(other.code == Some(1) && other.stderr.contains("is no replay of `first`"), "{other}");
    let unknown = alice.run(&["attest", "second", "of-second", "--push"]);
    assert!(unknown.code == Some(1) && unknown.stderr.contains("neither pushed to a server"), "{unknown}");
    alice.ask(&["replay", "first", "-o", "own"]);
    alice.write("own/outputs/weights.bin", "better");
    let edited = alice.run(&["attest", "first", "own", "--push"]);
    assert!(
        edited.code == Some(1) && edited.stderr.contains("is not what the capsule says it is"),
        "{edited}"
    );

    // A capsule that is not the one on `main` is not what the model was trained by.
    alice.ask(&["push", "second", "alice/iris"]);
    let which = alice.run(&["replay", "alice/iris", "-o", "x", "--env", "current"]);
    assert!(which.code == Some(1) && which.stderr.contains("several capsules"), "{which}");
    let second = id(&alice, "second");
    alice.ask(&["replay", "alice/iris", "--id", &second, "-o", "x", "--env", "current"]);
    let none = alice.run(&["replay", "alice/iris", "--id", "ffffffffffff", "-o", "y"]);
    assert!(none.code == Some(1) && none.stderr.contains("has no capsule"), "{none}");
    let absent = alice.run(&["replay", "alice/absent", "-o", "y"]);
    assert_eq!(absent.code, Some(1), "{absent}");
    let replay = alice.run(&["push", "of-second", "alice/iris"]);
    assert!(replay.code == Some(1) && replay.stderr.contains("is a replay"), "{replay}");
}

#[test]
fn a_foreign_training_reaches_no_file_no_network_and_no_secret_of_whoever_runs_it() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let (alice, bob) =
        (server.home(&add_user(data.path(), "alice")), server.home(&add_user(data.path(), "bob")));
    let secret = bob.path().join("secret.txt");
    let script = format!(
        "import os, socket, subprocess
def can(what):
    try:
        what()
        return 'yes'
    except OSError:
        return 'no'
print('file', can(lambda: open({secret:?}).read()))
print('write', can(lambda: open({secret:?} + '.new', 'w')))
print('network', can(lambda: socket.create_connection(('127.0.0.1', 1))))
print('socket', can(lambda: socket.socket()))
print('token', os.environ.get('REENACT_TOKEN', 'none'))
print('home', os.environ['HOME'] == {:?})
print('child', subprocess.run(['/bin/echo', 'ran'], capture_output=True, text=True).stdout.strip())
open('out.txt', 'w').write('done')
",
        bob.path()
    );
    alice.write("t.py", script);
    alice.ask(&["record", "-o", "first", "--", &python(), "t.py"]);
    alice.ask(&["push", "first", "alice/nosy", "--public"]);
    fs::write(&secret, "of Bob's").unwrap();
    let replayed = bob.run(&["replay", "alice/nosy", "-o", "again", "--env", "current"]);
    let said = fs::read_to_string(bob.path().join("again/stdout.txt")).unwrap_or_default();
    let expected = "file no\nwrite no\nnetwork no\nsocket no\ntoken none\nhome False\nchild ran\n";
    assert_eq!(said, expected, "{replayed}");
    let free = bob.run(&["replay", "alice/nosy", "-o", "free", "--env", "current", "--sandbox", "off"]);
    let said = fs::read_to_string(bob.path().join("free/stdout.txt")).unwrap_or_default();
    assert!(said.starts_with("file yes\n"), "the test would prove nothing\n{free}");
}

#[test]
fn an_input_that_the_capsule_does_not_hold_is_found_where_one_says() {
    let home = Home::new();
    home.write("run/train.py", TRAIN);
    home.write("run/data.txt", "1 2 3\n");
    let mut command = home.command(&["record", "-o", "../first", "--", &python(), "train.py"]);
    assert!(command.current_dir(home.path().join("run")).status().unwrap().success());
    let path = home.path().join("first/capsule.json");
    let mut record: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let input = record["inputs"].as_array_mut().unwrap().iter_mut().find(|file| file["path"] == "data.txt");
    input.unwrap()["is_held"] = false.into();
    fs::write(&path, record.to_string()).unwrap();
    fs::rename(home.path().join("run/data.txt"), home.path().join("elsewhere.txt")).unwrap();
    let lost = home.run(&["replay", "first", "-o", "a"]);
    assert!(lost.code == Some(1) && lost.stderr.contains("input `data.txt` is not there"), "{lost}");
    home.write("other/one.txt", "3 2 1\n");
    let wrong = home.run(&["replay", "first", "-o", "b", "--input", "other"]);
    assert_eq!(wrong.code, Some(1), "{wrong}");
    fs::rename(home.path().join("elsewhere.txt"), home.path().join("other/two.txt")).unwrap();
    let found = home.run(&["replay", "first", "-o", "c", "--input", "other"]);
    assert!(found.code == Some(0) && found.stdout.contains("verdict: bitwise"), "{found}");
}

#[test]
fn a_training_from_a_server_gets_its_own_packages_and_is_confined_unasked() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path());
    let home = |name: &str| with_uv(server.home(&add_user(data.path(), name)));
    let (alice, bob) = (home("alice"), home("bob"));
    let own = environment(&alice);
    alice.write("train.py", format!("import idna\nprint(idna.__version__)\n{TRAIN}"));
    alice.write("data.txt", "1 2 3\n");
    alice.ask(&["record", "-o", "first", "--", &own, "train.py"]);
    alice.ask(&["push", "first", "alice/iris", "--public"]);
    fs::remove_dir_all(alice.path().join("own")).unwrap();
    let replayed = bob.run(&["replay", "alice/iris", "-o", "again"]);
    assert!(replayed.code == Some(0) && replayed.stdout.contains("verdict: bitwise"), "{replayed}");
    assert!(replayed.stdout.starts_with("3.10\n") && replayed.stderr.contains("making Python"), "{replayed}");
    bob.ask(&["attest", "alice/iris", "again", "--push"]);
}
